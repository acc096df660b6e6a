"""One row of everything the program stores, linked as a trading day links them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from oco.models import DayStep, Flatten, OcoGroup, OcoLeg, StopMove
from risk.models import Blackout, BurninDay, EntriesOff, Lock, RiskLimits, RuleTally
from trading.core.session import IST
from trading.models import (
    Account,
    ApiKey,
    Approval,
    Command,
    Decision,
    Fill,
    Instrument,
    KiteLogin,
    Lease,
    MarketDay,
    Order,
    OrderEvent,
    Signal,
    StrategySetting,
    Trade,
    UniverseRow,
    VenueSession,
)

DAY = date(2026, 11, 23)
MORNING = datetime(2026, 11, 23, 10, 31, 5, 123_000, tzinfo=IST)


@dataclass
class Chain:
    """A signal that was approved, entered, protected and stopped out."""

    account: Account
    session: VenueSession
    signal: Signal
    decision: Decision
    entry: Order
    stop: Order
    trade: Trade
    group: OcoGroup


def build_chain(number: int = 1) -> Chain:
    """A whole chain with an account of its own; `number` keeps the ids apart."""
    account = Account.objects.create(name=f"paper-{number}", broker_user=f"AB{number:04}")
    session = VenueSession.objects.create(
        account=account, key=f"run-{number}", market="synthetic", started_at=MORNING
    )
    where = {"account": account, "session": session, "trading_date": DAY, "exchange": "NFO"}
    what = {"tradingsymbol": "NIFTY26NOVFUT", "side": "BUY"}
    signal = Signal.objects.create(
        **where, **what, strategy="ORB", candle_at=MORNING, seen_at=MORNING, entry_price=Decimal("24500.05"),
        stop_price=Decimal("24450.00"), target_price=Decimal("24590.10"), reason="broke the range",
        score=0.625, plan_id=f"{number:024x}",
    )  # fmt: skip
    decision = Decision.objects.create(
        signal=signal, approved=True, quantity=75, decided_at=MORNING, mode="PAPER", limits_version=1,
        capital_inr=Decimal("2500000.00"), risk_inr=Decimal("3753.75"),
    )  # fmt: skip
    entry = _order(number, "E", where | what, role="ENTRY", decision=decision, order_type="LIMIT")
    stop = _order(
        number,
        "S",
        where | what | {"side": "SELL"},
        role="STOP",
        entry=entry,
        group_number=1,
        order_type="SL",
    )
    trade = Trade.objects.create(
        **where, **what, decision=decision, product="MIS", strategy="ORB", opened_at=MORNING,
        entered_quantity=75, exited_quantity=75, risk_inr=Decimal("3753.75"), gross_inr=Decimal("-3753.75"),
        charges_inr=Decimal("312.40"), net_inr=Decimal("-4066.15"), closed_at=MORNING + timedelta(minutes=9),
    )  # fmt: skip
    for order in (entry, stop):
        _history(order, trade, where)
    group = OcoGroup.objects.create(
        account=account, session=session, trade=trade, entry_order=entry, number=1, side="BUY",
        state="CLOSED", planned_quantity=75, entered_quantity=75, exited_quantity=75,
        initial_stop_price=Decimal("24450.00"), stop_price=Decimal("24450.00"),
        target_price=Decimal("24590.10"), first_filled_at=MORNING,
        time_stop_at=MORNING + timedelta(minutes=40),
    )  # fmt: skip
    _stop_leg(group, number)
    return Chain(
        account=account, session=session, signal=signal, decision=decision, entry=entry, stop=stop,
        trade=trade, group=group,
    )  # fmt: skip


def build_open(number: int = 1) -> Chain:
    """A chain in the middle of its trade: 75 units held, protected at 24450, target 24590.10."""
    chain = build_chain(number)
    Instrument.objects.create(
        exchange="NFO", tradingsymbol="NIFTY26NOVFUT", instrument_token=256_000, name="NIFTY", instrument_type="FUT",
        segment="NFO-FUT", lot_size=75, tick_size_paise=10, read_on=DAY,
    )  # fmt: skip
    chain.stop.fills.all().delete()
    for row, values in (
        (chain.trade, {"closed_at": None, "exited_quantity": 0, "entry_value_inr": Decimal("1837503.75")}),
        (chain.group, {"state": "ARMED", "exited_quantity": 0, "armed_at": MORNING}),
        (chain.stop, {"status": "ACCEPTED", "filled_quantity": 0, "average_price": Decimal(0)}),
    ):
        type(row).objects.filter(pk=row.pk).update(**values)
        row.refresh_from_db()
    return chain


def build_day(number: int = 1) -> Chain:
    """A whole chain and one row of everything that stands around it."""
    chain = build_chain(number)
    account, session = chain.account, chain.session
    here = {"account": account, "session": session}
    Instrument.objects.create(
        exchange="NFO", tradingsymbol=f"NIFTY26NOV{number}FUT", instrument_token=256_000 + number,
        name="NIFTY", instrument_type="FUT", segment="NFO-FUT", lot_size=75, tick_size_paise=10, read_on=DAY,
    )  # fmt: skip
    ApiKey.objects.create(name=f"key-{number}", digest=f"{number:064}", scopes=["read"])
    KiteLogin.objects.create(
        account=account, place="sandbox", broker_user="AB1234", sealed_token="sealed", logged_in_at=MORNING,
        dies_at=MORNING + timedelta(hours=20), asked_by="operator", stored_at=MORNING,
    )  # fmt: skip
    Lease.objects.create(account=account, loop="EXITS", holder="host:1", expires_at=MORNING)
    MarketDay.objects.create(day=DAY + timedelta(days=5000 + number), name="Holiday")
    StrategySetting.objects.create(account=account, strategy="ORB", off_session=session)
    UniverseRow.objects.create(account=account, name="RELIANCE", exclusion="BAN_LIST", why="since 21 Nov")
    RiskLimits.objects.create(account=account, version=1, created_by="installer", why="the paper defaults")
    EntriesOff.objects.create(
        account=account, reason="risk", why="daily loss", set_by="watcher", set_at=MORNING
    )
    _build_guards(chain, number)
    BurninDay.objects.create(
        **here, trading_date=DAY, market="synthetic", passed=False, trades=1, gross_inr=Decimal("-3753.75"),
        charges_inr=Decimal("312.40"), net_inr=Decimal("-4066.15"), evidence="e" * 64, digest="d" * 64,
        criteria=[{"name": "50 signals", "passed": False, "figures": "1 of 50"}], reported_at=MORNING,
    )  # fmt: skip
    Flatten.objects.create(
        **here,
        asked_by="operator",
        reason="OPERATOR",
        state="FLAT",
        asked_at=MORNING,
        asked_machine_at=MORNING,
        finished_at=MORNING,
    )
    StopMove.objects.create(
        **here, group=chain.group, price=Decimal("24460.00"), from_price=Decimal("24450.00"), asked_by="operator",
        asked_at=MORNING, asked_machine_at=MORNING, state="MOVED", finished_at=MORNING, took_ms=312,
    )  # fmt: skip
    DayStep.objects.create(
        **here, trading_date=DAY, name="square-off", due_at=MORNING, done_at=MORNING, result={"closed": 1}
    )
    return chain


def _build_guards(chain: Chain, number: int) -> None:
    """What keeps entries back by itself, and one that waits for a yes."""
    here = {"account": chain.account, "session": chain.session}
    idea = Signal.objects.get(pk=chain.signal.pk)
    idea.pk, idea.candle_at, idea.plan_id = None, MORNING - timedelta(minutes=30), f"{number:024}"
    idea.save(force_insert=True)
    Approval.objects.create(
        **here, signal=idea, quantity=75, limit_price=Decimal("24500.05"), risk_inr=Decimal("3750.00"),
        asked_at=MORNING, until=MORNING + timedelta(minutes=1),
    )  # fmt: skip
    Lock.objects.create(
        **here, protection="COOLDOWN", exchange="NFO", tradingsymbol="NIFTY26NOVFUT", why="the trade lost",
        cause_at=MORNING, until=MORNING + timedelta(minutes=5), locked_at=MORNING,
    )  # fmt: skip
    RuleTally.objects.create(session=chain.session, trading_date=DAY, rule="HEAT_LIMIT", passes=3, refusals=1)
    Blackout.objects.create(
        event="RBI policy",
        starts_at=MORNING + timedelta(days=1),
        ends_at=MORNING + timedelta(days=1, hours=1),
    )


def _order(number: int, letter: str, place: dict[str, object], **fields: object) -> Order:
    return Order.objects.create(
        **place, **fields, mode="PAPER", client_order_id=f"{letter}{number:023}", tag=f"{letter}{number:019}",
        broker_order_id=f"{letter}{number}", product="MIS", quantity=75, price=Decimal("24500.05"),
        status="FILLED", filled_quantity=75, average_price=Decimal("24500.05"), asked_at=MORNING,
        asked_machine_at=MORNING, updated_at=MORNING,
    )  # fmt: skip


def _history(order: Order, trade: Trade, where: dict[str, object]) -> None:
    """What an order leaves behind: an event, a command and a fill."""
    OrderEvent.objects.create(
        order=order, at=MORNING, from_status="ACCEPTED", to_status="FILLED", who="watcher", why="in the book"
    )
    sent = Command.objects.filter(session=order.session).count()
    Command.objects.create(
        order=order, session=order.session, trading_date=order.trading_date, day_number=sent + 1, number=1,
        kind="PLACE", purpose="enter" if order.role == "ENTRY" else "place", fence=7,
        intent_at=MORNING, intent_machine_at=MORNING, outcome="ACCEPTED", latency_ms=12.5,
    )  # fmt: skip
    Fill.objects.create(
        **where, order=order, trade=trade, broker_order_id=order.broker_order_id,
        broker_trade_id=f"T{order.broker_order_id}", side=order.side, quantity=75, price=Decimal("24500.05"),
        filled_at=MORNING, applied_at=MORNING,
    )  # fmt: skip


def _stop_leg(group: OcoGroup, number: int) -> None:
    OcoLeg.objects.create(
        group=group,
        kind="STOP",
        client_order_id=f"{number:024}",
        price=Decimal("24450.00"),
        state="FILLED",
    )
