"""What our own paper exchange says of itself, beside Kite's routes: which books, which day, what time it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from trading.broker.kite.parse import UnreadableRow
from trading.core.session import IST


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueState:
    """The paper exchange at one moment."""

    venue_session: str
    market_at: datetime
    #: market seconds per machine second, a ceiling
    speed: float
    trading_date: date
    #: synthetic, replay or kite
    market: str
    #: what is real in that market and what was made up
    description: str = ""


def venue_state(row: Any) -> VenueState:
    """Translate `/_exchange/state`, or a `clock` message of the ticker. Raises UnreadableRow."""
    if not isinstance(row, Mapping):
        raise UnreadableRow("the exchange's state is no object")
    try:
        return VenueState(
            venue_session=str(row["venue_session"]),
            market_at=datetime.fromisoformat(row["market_time"]).astimezone(IST),
            speed=row["speed"],
            trading_date=date.fromisoformat(row["trading_date"]),
            market=str(row["market"]),
            description=str(row.get("description", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRow(f"the exchange's state: {error!r}") from error
