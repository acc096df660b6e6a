"""Every strategy by name, and whether it runs unless the operator says otherwise."""

from collections.abc import Iterable

from trading.strategies.base import Strategy
from trading.strategies.orb import OpeningRangeBreakout
from trading.strategies.trend_pullback import TrendPullback
from trading.strategies.vwap_reversion import VwapReversion

STRATEGIES: dict[str, type[Strategy]] = {
    kind.name: kind for kind in (OpeningRangeBreakout, TrendPullback, VwapReversion)
}

ON_BY_DEFAULT = frozenset({"ORB", "TrendPullback"})


def strategy(name: str) -> Strategy:
    """A strategy by its name. Raises ValueError for one that does not exist, naming those that do."""
    if name not in STRATEGIES:
        raise ValueError(f"there is no strategy {name!r}: choose from {', '.join(sorted(STRATEGIES))}")
    return STRATEGIES[name]()


def strategies(names: Iterable[str] = ON_BY_DEFAULT) -> tuple[Strategy, ...]:
    """Those strategies, in the registry's order."""
    wanted = set(names)
    if unknown := wanted - STRATEGIES.keys():
        strategy(min(unknown))
    return tuple(kind() for name, kind in STRATEGIES.items() if name in wanted)
