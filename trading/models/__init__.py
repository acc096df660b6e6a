"""What the program remembers of trading: signal → decision → order → command, event, fill → trade.

Rows written by the machine are never edited by hand; `Order.status` is written by `trading.orders` alone.
Prices are rupees with two decimals, averages with four, quantities are units, times are aware market time
unless a field says machine.
"""

from trading.models.desks import Account, ApiKey, Instrument, Lease, MarketDay, StrategySetting, VenueSession
from trading.models.fields import MoneyField, PriceField, choices
from trading.models.flow import Approval, Command, Decision, Fill, Order, OrderEvent, Signal, Trade
from trading.models.logins import KiteLogin
from trading.models.minutes import DayMinutes
from trading.models.universe import UniverseRow

__all__ = [
    "Account",
    "ApiKey",
    "Approval",
    "Command",
    "DayMinutes",
    "Decision",
    "Fill",
    "Instrument",
    "KiteLogin",
    "Lease",
    "MarketDay",
    "MoneyField",
    "Order",
    "OrderEvent",
    "PriceField",
    "Signal",
    "StrategySetting",
    "Trade",
    "UniverseRow",
    "VenueSession",
    "choices",
]
