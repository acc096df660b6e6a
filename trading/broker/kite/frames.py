"""The ticker's binary frames as this broker reads them; the paper exchange writes the same ones."""

from trading.core.kite_frames import BrokenFrame, TickMode, decode, encode, select

__all__ = ["BrokenFrame", "TickMode", "decode", "encode", "select"]
