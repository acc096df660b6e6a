"""The rules' table: an entry that passes, what of it or around it is changed, and the sentence that denies it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from risk.limits import Limits
from risk.rules import AccountSnapshot, EntryRequest, EntryWindow, RiskContext
from trading.core.enums import Exchange, PauseReason, Product, Protection, RiskReason, Side
from trading.core.values import Quote

IST = ZoneInfo("Asia/Kolkata")
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=IST)
NIFTY = (Exchange.NFO, "NIFTY26NOVFUT")

#: risks 40 x 260 = ₹10,400.00 for 72 x 260 = ₹18,720.00
ENTRY = EntryRequest(
    strategy="ORB",
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOVFUT",
    product=Product.MIS,
    side=Side.BUY,
    entry_price=Decimal("26000.00"),
    stop_price=Decimal("25960.00"),
    target_price=Decimal("26072.00"),
    quantity=260,
    lot_size=65,
    charges_inr=Decimal("4000.00"),
    slippage_inr=Decimal("312.00"),
    signal_at=NOW - timedelta(seconds=2),
)
SHORT = replace(ENTRY, side=Side.SELL, stop_price=Decimal("26040.00"), target_price=Decimal("25928.00"))
ACCOUNT = AccountSnapshot(capital_inr=Decimal("2500000"))
QUOTE = Quote(
    last_price_paise=26_000_00,
    bid_paise=25_999_90,
    ask_paise=26_000_10,
    exchange_time=NOW - timedelta(seconds=1),
)
WINDOW = EntryWindow(
    entries_from=datetime(2026, 11, 23, 9, 30, tzinfo=IST),
    entries_until=datetime(2026, 11, 23, 14, 30, tzinfo=IST),
)
CONTEXT = RiskContext(
    account=ACCOUNT, limits=Limits(), entries_off=frozenset(), window=WINDOW, quote=QUOTE, now=NOW
)


def with_account(**changes) -> RiskContext:
    return replace(CONTEXT, account=replace(ACCOUNT, **changes))


def with_quote(**changes) -> RiskContext:
    return replace(CONTEXT, quote=replace(QUOTE, **changes))


def at(hour: int, minute: int, second: int = 0) -> tuple[EntryRequest, RiskContext]:
    now = NOW.replace(hour=hour, minute=minute, second=second)
    return replace(ENTRY, signal_at=now), replace(with_quote(exchange_time=now), now=now)


R, P = RiskReason, Protection
SIX_LOST: dict[str, Any] = {"losses_in_a_row": 6, "lost_at": NOW}
DENIED = [
    (
        ENTRY,
        replace(CONTEXT, entries_off=frozenset({PauseReason.RISK, PauseReason.OPERATOR})),
        R.ENTRIES_OFF,
        "Entries are off: operator, risk.",
    ),
    (
        ENTRY,
        replace(CONTEXT, mode_problem="LIVE orders go to PRODUCTION only"),
        R.MODE_NOT_ALLOWED,
        "The mode does not allow it: LIVE orders go to PRODUCTION only.",
    ),
    (
        ENTRY,
        replace(CONTEXT, excluded="BAN_LIST, since 21 Nov"),
        R.EXCLUDED,
        "NFO:NIFTY26NOVFUT is watched and not entered: BAN_LIST, since 21 Nov.",
    ),
    (*at(9, 29, 59), R.SESSION_CLOSED, "It is 09:29:59; entries are allowed 09:30–14:30."),
    (*at(14, 30), R.SESSION_CLOSED, "It is 14:30:00; entries are allowed 09:30–14:30."),
    (
        ENTRY,
        replace(CONTEXT, window=None),
        R.SESSION_CLOSED,
        "It is 10:00:00; entries are allowed on trading days only.",
    ),
    (ENTRY, replace(CONTEXT, quote=None), R.NO_QUOTE, "There is no usable quote: no last price."),
    (ENTRY, with_quote(last_price_paise=0), R.NO_QUOTE, "There is no usable quote: no last price."),
    (ENTRY, with_quote(exchange_time=None), R.NO_QUOTE, "There is no usable quote: no exchange time."),
    (ENTRY, with_quote(ask_paise=0), R.NO_QUOTE, "There is no usable quote: nobody offers."),
    (SHORT, with_quote(bid_paise=0), R.NO_QUOTE, "There is no usable quote: nobody bids."),
    (
        ENTRY,
        with_quote(exchange_time=NOW - timedelta(seconds=5, milliseconds=100)),
        R.STALE_PRICE,
        "By exchange time the last price is 5.1 s old; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(exchange_time=NOW - timedelta(minutes=3)),
        R.STALE_PRICE,
        "By exchange time the last price is 3.0 min old; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(exchange_time=NOW + timedelta(seconds=12)),
        R.STALE_PRICE,
        "By exchange time the last price is 12.0 s ahead of our clock; 5 s is the most.",
    ),
    (
        ENTRY,
        with_quote(last_price_paise=25_896_40),  # 103.60 away, 0.4001 %
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is 0.400 % from the last price ₹25,896.40; 0.40 % is the most.",
    ),
    (
        SHORT,
        with_quote(last_price_paise=26_200_00),
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is 0.763 % from the last price ₹26,200.00; 0.40 % is the most.",
    ),
    (
        replace(ENTRY, stop_price=Decimal("26010.00")),
        CONTEXT,
        R.PRICE_BAND,
        "The entry at ₹26,000.00 is not on the right side of its stop at ₹26,010.00.",
    ),
    (
        replace(ENTRY, quantity=0),
        CONTEXT,
        R.BELOW_ONE_LOT,
        "0 units are not whole lots of 65; one trade may risk ₹12,500.00.",
    ),
    (
        replace(ENTRY, quantity=259),
        CONTEXT,
        R.BELOW_ONE_LOT,
        "259 units are not whole lots of 65; one trade may risk ₹12,500.00.",
    ),
    (
        replace(ENTRY, quantity=325),
        CONTEXT,
        R.HEAT_LIMIT,
        "The risk of this trade would be ₹13,000.00 of ₹12,500.00.",
    ),
    (
        ENTRY,
        with_account(open_heat_inr=Decimal("41900.00")),
        R.HEAT_LIMIT,
        "Heat would be ₹52,300.00 of ₹50,000.00.",
    ),
    (
        ENTRY,
        with_account(open_heat_inr=Decimal("39600.01")),
        R.HEAT_LIMIT,
        "Heat would be ₹50,000.01 of ₹50,000.00.",
    ),
    (
        ENTRY,
        with_account(day_pnl_inr=Decimal("-62500.00")),
        R.DAILY_LOSS_REACHED,
        "The day's result is -₹62,500.00; the limit is -₹62,500.00.",
    ),
    (
        ENTRY,
        with_account(open_positions=4),
        R.OPEN_POSITIONS_LIMIT,
        "4 positions are open or on their way; 4 is the most.",
    ),
    (
        ENTRY,
        with_account(trades_today=20),
        R.TRADES_PER_DAY_LIMIT,
        "20 trades were made today; 20 is the most.",
    ),
    (
        ENTRY,
        with_account(entries_last_s=4),
        R.ORDER_RATE,
        "4 entries were sent in the last second; 4 is the most.",
    ),
    (
        ENTRY,
        with_account(orders_last_s=10),
        R.ORDER_RATE,
        "10 orders were sent in the last second; 10 is the most.",
    ),
    (
        ENTRY,
        with_account(orders_last_min=360),
        R.ORDER_RATE,
        "360 orders were sent in the last minute; 360 is the most.",
    ),
    (ENTRY, with_account(orders_today=4500), R.ORDER_RATE, "4500 orders were sent today; 4500 is the most."),
    (
        replace(ENTRY, charges_inr=Decimal("5928.01")),  # with slippage 6,240.01 x 3 = 18,720.03
        CONTEXT,
        R.COSTS_TOO_HIGH,
        "The reward of ₹18,720.00 is below 3.00 times the costs of ₹6,240.01.",
    ),
    (
        replace(ENTRY, target_price=Decimal("25999.00")),
        CONTEXT,
        R.COSTS_TOO_HIGH,
        "The reward of -₹260.00 is below 3.00 times the costs of ₹4,312.00.",
    ),
    (
        ENTRY,
        with_account(last_loss_at={NIFTY: NOW - timedelta(seconds=299)}),
        R.COOLDOWN,
        "The last trade here lost 5.0 min ago; the pause is 5 min.",
    ),
    (
        ENTRY,
        with_account(last_loss_at={NIFTY: NOW - timedelta(seconds=45)}),
        R.COOLDOWN,
        "The last trade here lost 45.0 s ago; the pause is 5 min.",
    ),
    (
        ENTRY,
        with_account(losses_in_a_row=6),
        R.LOSSES_IN_A_ROW,
        "6 trades in a row lost; 6 end the day's entries.",
    ),
    (
        ENTRY,
        with_account(rejections_in_a_row=5, rejected_at=NOW - timedelta(minutes=14, seconds=59)),
        R.REJECTIONS_IN_A_ROW,
        "The last 5 entries were refused; the pause is 15 min.",
    ),
    (
        ENTRY,
        with_account(order_latency_ms=2000.6, latency_at=NOW - timedelta(minutes=9, seconds=59)),
        R.ORDERS_SLOW,
        "Entries are answered after 2001 ms; 2000 ms is the most, the pause is 10 min.",
    ),
    (
        ENTRY,
        with_quote(bid_paise=25_934_90, ask_paise=26_065_10),  # 130.20 of 26,000.00: 0.5008 %
        R.SPREAD_TOO_WIDE,
        "The spread of ₹130.20 is 0.501 % of the price; 0.50 % is the most.",
    ),
    (
        ENTRY,
        replace(CONTEXT, blackout="RBI policy, until 10:45"),
        R.EVENT_BLACKOUT,
        "No entry during RBI policy, until 10:45.",
    ),
    (
        replace(at(14, 0)[0], expires_on=NOW.date()),
        at(14, 0)[1],
        R.EXPIRY_DAY,
        "NFO:NIFTY26NOVFUT expires today: no entry from 14:00.",
    ),
    (
        replace(ENTRY, expires_on=NOW.date(), is_delivered=True),
        CONTEXT,
        R.EXPIRY_DAY,
        "NFO:NIFTY26NOVFUT expires today: who holds it at the end takes or gives shares.",
    ),
    (
        ENTRY,
        with_account(busy=frozenset({NIFTY})),
        R.INSTRUMENT_BUSY,
        "NFO:NIFTY26NOVFUT already has an open trade or entry.",
    ),
    (
        replace(ENTRY, required_margin_inr=Decimal("900000.05")),
        with_account(available_margin_inr=Decimal("900000.00")),
        R.MARGIN_SHORT,
        "The entry needs a margin of ₹9,00,000.05; ₹9,00,000.00 is available.",
    ),
    (
        replace(ENTRY, signal_at=NOW - timedelta(seconds=61)),
        CONTEXT,
        R.SIGNAL_TOO_OLD,
        "The signal is 61.0 s old; 60 s is the most.",
    ),
]


PASSED = [
    (ENTRY, CONTEXT),
    (SHORT, CONTEXT),
    at(9, 30),
    at(14, 29, 59),
    (ENTRY, with_quote(exchange_time=NOW - timedelta(seconds=5))),
    (ENTRY, with_quote(exchange_time=NOW + timedelta(seconds=5))),
    (ENTRY, with_quote(last_price_paise=25_896_50)),  # 103.50 away, 0.3997 %
    (ENTRY, with_quote(bid_paise=0)),
    (SHORT, with_quote(ask_paise=0)),
    (replace(ENTRY, quantity=65, charges_inr=Decimal(1000)), CONTEXT),
    (ENTRY, with_account(open_heat_inr=Decimal("39600.00"))),
    (ENTRY, with_account(day_pnl_inr=Decimal("-62499.99"))),
    (ENTRY, with_account(open_positions=3, trades_today=19, losses_in_a_row=5)),
    (ENTRY, with_account(entries_last_s=3, orders_last_s=9, orders_last_min=359, orders_today=4499)),
    (replace(ENTRY, charges_inr=Decimal("5928.00")), CONTEXT),  # with slippage 6,240.00 x 3 = 18,720.00
    (ENTRY, with_account(last_loss_at={NIFTY: NOW - timedelta(minutes=5)})),
    (ENTRY, with_account(last_loss_at={(Exchange.NFO, "BANKNIFTY26NOVFUT"): NOW})),
    (ENTRY, with_account(busy=frozenset({(Exchange.NFO, "BANKNIFTY26NOVFUT")}))),
    (replace(ENTRY, required_margin_inr=Decimal(900000)), with_account(available_margin_inr=Decimal(900000))),
    (replace(ENTRY, required_margin_inr=Decimal(900000)), CONTEXT),
    (ENTRY, with_account(available_margin_inr=Decimal(1))),
    (replace(ENTRY, signal_at=NOW - timedelta(seconds=60)), CONTEXT),
    (ENTRY, with_account(rejections_in_a_row=4, rejected_at=NOW)),
    (ENTRY, with_account(rejections_in_a_row=9, rejected_at=NOW - timedelta(minutes=15))),
    (ENTRY, with_account(order_latency_ms=2000.0, latency_at=NOW)),
    (ENTRY, with_account(order_latency_ms=7000.0, latency_at=NOW - timedelta(minutes=10))),
    (ENTRY, with_quote(bid_paise=25_935_00, ask_paise=26_065_00)),  # 130.00 of 26,000.00: 0.5 %
    (replace(at(13, 59, 59)[0], expires_on=NOW.date()), at(13, 59, 59)[1]),
    (replace(ENTRY, expires_on=NOW.date() + timedelta(days=1), is_delivered=True), CONTEXT),
    # What an operator let go of; a later cause is another one.
    (ENTRY, with_account(**{**SIX_LOST, "lifted": frozenset({(P.LOSSES_IN_A_ROW, None, NOW)})})),
    (
        ENTRY,
        with_account(last_loss_at={NIFTY: NOW}, lifted=frozenset({(P.COOLDOWN, NIFTY, NOW)})),
    ),
    (
        ENTRY,
        with_account(
            rejections_in_a_row=5,
            rejected_at=NOW,
            lifted=frozenset({(P.REJECTIONS_IN_A_ROW, None, NOW)}),
        ),
    ),
    (
        ENTRY,
        with_account(order_latency_ms=2500.0, latency_at=NOW, lifted=frozenset({(P.ORDERS_SLOW, None, NOW)})),
    ),
]
