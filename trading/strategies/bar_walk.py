"""Strategies over recorded minutes, without a market: what they would have seen on a day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trading.core.candles import OPENED_AT_S, Bars, Candle
from trading.core.market_state import MarketState
from trading.core.values import InstrumentSpec, Setup
from trading.strategies.base import Strategy, Warming


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A setup with who saw it, where and after which candle."""

    strategy: str
    spec: InstrumentSpec
    candle: Candle
    setup: Setup


def walk(
    market: MarketState, minutes_by_token: Mapping[int, Bars], strategies: Sequence[Strategy]
) -> Iterator[Seen | Warming]:
    """Take each minute of a day as closed and ask the strategies, as the loop does with live candles.

    `market` is warmed up already; all instruments of a minute are taken together, minutes in their order.
    """
    slots = np.array([market.slot(token) for token in minutes_by_token], np.int64)
    rows = [bars.to_rows() for bars in minutes_by_token.values()]
    owners = np.repeat(slots, [len(each) for each in rows])
    every = np.concatenate(rows) if rows else np.zeros((0, 6), np.int64)
    for minute_s in np.unique(every[:, OPENED_AT_S]):
        mine = every[:, OPENED_AT_S] == minute_s
        for closed in market.take_minutes(owners[mine], every[mine]):
            for slot, candle in closed:
                yield from _ask(market, slot, candle, strategies)


def _ask(
    market: MarketState, slot: int, candle: Candle, strategies: Sequence[Strategy]
) -> Iterator[Seen | Warming]:
    history = market.history(slot)
    for strategy in strategies:
        if strategy.interval_min != candle.interval_min:
            continue
        answer = strategy.on_candle(candle, history)
        if isinstance(answer, Warming):
            yield answer
        elif answer is not None:
            yield Seen(strategy=strategy.name, spec=market.specs[slot], candle=candle, setup=answer)
