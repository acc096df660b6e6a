"""What a strategy is: a function of closed candles without memory, so a restart changes nothing."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from trading.core.candles import Candle
from trading.core.enums import Side
from trading.core.history import History
from trading.core.money import Rounding, round_to_tick, to_inr
from trading.core.values import InstrumentSpec, Setup

#: candles whose ATR measures stops, trails and the volatility stop, whatever candles a strategy signals on:
#: distances from shorter ones exit on noise
RISK_INTERVAL_MIN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Warming:
    """The strategy cannot judge yet; `needs` is one line for the operator ("EMA 89 on 5 min: 61 of 89
    candles").
    """

    needs: str


class Strategy:
    """One idea. Subclasses set the three names and answer `on_candle`."""

    #: stored with each signal; unique in the registry
    name: ClassVar[str]
    #: which candles it is asked about, minutes
    interval_min: ClassVar[int]
    #: one line for the operator
    summary: ClassVar[str]

    def on_candle(self, candle: Candle, history: History) -> Setup | Warming | None:
        """Judge the candle that just closed; `history` ends with it. None: nothing seen.

        Must depend on its two arguments alone. "Once a day" and "once per pullback" are read from the day's
        candles, never remembered.
        """
        raise NotImplementedError


def priced_setup(
    spec: InstrumentSpec,
    side: Side,
    *,
    entry_paise: int,
    risk_paise: float,
    reward_risk: float,
    atr_paise: float,
    reason: str,
    first_target_share: float | None = None,
    confirm_paise: int | None = None,
) -> Setup | None:
    """A setup on the instrument's tick grid from distances in paise; None where the stop would leave the
    market.

    The stop is rounded away from the entry, targets towards it: the plan is never better than what was asked
    for. `first_target_share` puts the first target at that share of the way to the second.
    """
    tick = to_inr(spec.tick_size_paise)
    worse: Rounding = "down" if side is Side.BUY else "up"
    entry = round_to_tick(to_inr(entry_paise), tick, "nearest")
    stop = round_to_tick(entry - side.sign * _inr(risk_paise), tick, worse)
    if stop <= 0 or stop == entry:
        return None
    reward = abs(entry - stop) * Decimal(str(reward_risk))
    target = round_to_tick(entry + side.sign * reward, tick, worse)
    first = None
    if first_target_share is not None:
        first = round_to_tick(entry + side.sign * reward * Decimal(str(first_target_share)), tick, worse)
    if target <= 0 or target == entry:
        return None
    return Setup(
        side=side,
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        first_target_price=first if first != entry else None,
        confirm_price=None if confirm_paise is None else to_inr(confirm_paise),
        atr=_inr(atr_paise).quantize(Decimal("0.01")),
        reason=reason,
    )


def _inr(paise: float) -> Decimal:
    """An indicator's paise as rupees; its fraction of a paisa stays until the tick grid takes it."""
    return Decimal(str(round(paise, 4))).scaleb(-2)
