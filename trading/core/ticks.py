"""A frame of ticks as arrays: one row an instrument, prices as integer paise. Every market source yields these."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TickFrame:
    """What one message of the ticker said: n packets, in the order they came.

    `received_at` is aware market time. One-dimensional arrays have n rows, depth arrays n by 5 (best price first).
    Prices are paise, quantities units, `exchange_time_s` seconds since the epoch (0: the packet carried none).
    """

    received_at: datetime
    tokens: Ints
    last_price_paise: Ints
    #: traded today so far, cumulative
    volume: Ints
    #: the exchange's volume-weighted average of the day
    average_price_paise: Ints
    open_interest: Ints
    exchange_time_s: Ints
    bid_price_paise: Ints
    bid_quantity: Ints
    ask_price_paise: Ints
    ask_quantity: Ints
    #: each row's packet as it came, from a recording (empty: none); a recorded market is sent on by these bytes
    packets: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)
