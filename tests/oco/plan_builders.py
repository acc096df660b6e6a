"""A long of 75 units from ₹1,000.00 with its stop at ₹990.00, and what differs from it. Paise; tick 5.

One R is 1,000 paise. The stop's limit is 98,700: 0.30 % under the trigger is 98,703, on the tick below.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from oco.views import ExitPolicy, ExitView, GroupView, MarketView
from trading.core.enums import GroupState, OrderStatus, OrderType, Role, Side

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
POLICY = ExitPolicy()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


#: changes to a stop that nobody has seen five seconds after it was sent
UNKNOWN = {
    "status": OrderStatus.UNKNOWN,
    "first_seen_at": None,
    "submitted_at": ago(5),
    "books_without": 2,
}


def stop(**changes) -> ExitView:
    """The group's stop, confirmed by the book a minute ago and untouched since."""
    usual = ExitView(
        client_order_id="stop-1",
        role=Role.STOP,
        status=OrderStatus.ACCEPTED,
        order_type=OrderType.SL,
        quantity=75,
        price_paise=98_700,
        trigger_price_paise=99_000,
        submitted_at=ago(60),
        first_seen_at=ago(59),
    )
    return replace(usual, **changes)


def closing(**changes) -> ExitView:
    """The same order after it was turned into a LIMIT at 99,495, half a second ago."""
    usual = replace(
        stop(),
        order_type=OrderType.LIMIT,
        price_paise=99_495,
        trigger_price_paise=0,
        closings=1,
        changed_at=ago(0.5),
    )
    return replace(usual, **changes)


def group(**changes) -> GroupView:
    usual = GroupView(
        group_id="7",
        state=GroupState.ARMED,
        side=Side.BUY,
        planned_quantity=75,
        entered_quantity=75,
        exited_quantity=0,
        entry_is_working=False,
        entry_price_paise=100_000,
        first_filled_at=ago(61),
        initial_stop_paise=99_000,
        stop_paise=99_000,
        target_paise=102_000,
        tick_size_paise=5,
        entry_atr_paise=500,
        exit=stop(),
        time_stop_at=NOW + timedelta(minutes=39),
    )
    return replace(usual, **changes)


def short(**changes) -> GroupView:
    """The mirror: short 75 from 100,000, stop at 101,000 with its limit at 101,305, target 98,000."""
    mirrored = group(
        side=Side.SELL,
        initial_stop_paise=101_000,
        stop_paise=101_000,
        target_paise=98_000,
        exit=stop(trigger_price_paise=101_000, price_paise=101_305),
    )
    return replace(mirrored, **changes)


def market(last_paise: int = 100_500, **changes) -> MarketView:
    """Fresh, one tick each side of the last price, no candle just closed."""
    usual = MarketView(
        market_now=NOW,
        last_paise=last_paise,
        bid_paise=last_paise - 5,
        ask_paise=last_paise + 5,
        age_s=0.2,
        atr_paise=500,
    )
    return replace(usual, **changes)
