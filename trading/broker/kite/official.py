"""The official client without its ticker.

`import kiteconnect` always loads its ticker too, and with it autobahn, Twisted and their cryptography: 18 MB in each
process for a ticker that nothing here uses. Who asks the package for `KiteTicker` later still gets it.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

TICKER = "kiteconnect.ticker"


def _load() -> ModuleType:
    if "kiteconnect" in sys.modules:
        return sys.modules["kiteconnect"]
    stand_in = ModuleType(TICKER)
    vars(stand_in)["KiteTicker"] = None
    sys.modules[TICKER] = stand_in
    package = import_module("kiteconnect")
    del sys.modules[TICKER]
    for name in ("KiteTicker", "ticker"):
        vars(package).pop(name, None)
    vars(package)["__getattr__"] = _late
    return package


def _late(name: str) -> Any:
    if name != "KiteTicker":
        raise AttributeError(f"module 'kiteconnect' has no attribute {name!r}")
    return import_module(TICKER).KiteTicker


KiteConnect: Any = _load().KiteConnect
