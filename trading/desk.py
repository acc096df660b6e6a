"""What a shell needs in order to act: whose books, which broker, which clocks, under which lease."""

from dataclasses import dataclass
from datetime import date

from trading.broker.base import Broker
from trading.core.clocks import Clocks
from trading.lease import Held
from trading.models import Account, VenueSession


@dataclass(frozen=True, slots=True)
class Desk:
    """Handed down from the edge. One desk is one loop of one account in one venue session on one trading date."""

    account: Account
    session: VenueSession
    trading_date: date
    broker: Broker
    clocks: Clocks
    lease: Held
    installation: str
