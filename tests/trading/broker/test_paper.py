from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from trading.broker.base import Broker, BrokerRefused, BrokerUnavailable
from trading.broker.paper import PaperBroker
from trading.core.clocks import VirtualClocks
from trading.core.enums import Exchange, OrderStatus, OrderType, Product, Role, Side
from trading.core.ticks import TickFrame
from trading.core.values import InstrumentSpec, OrderChange, OrderRequest
from trading.exchange.rules import Latency, VenueRules
from trading.exchange.venue import Venue

TOKEN = 15_000_066
START = datetime(2026, 11, 23, 9, 45, tzinfo=ZoneInfo("Asia/Kolkata"))
FUTURE = InstrumentSpec(
    exchange=Exchange.NFO,
    tradingsymbol="NIFTY26NOVFUT",
    instrument_token=TOKEN,
    name="NIFTY",
    instrument_type="FUT",
    segment="NFO-FUT",
    lot_size=65,
    tick_size_paise=10,
    expiry=date(2026, 11, 23),
    freeze_quantity=1755,
)


def quotes(last_paise: int, at: datetime, volume: int = 1000) -> TickFrame:
    """A market 10 paise wide around `last_paise`, 130 units at each of five levels."""
    ladder = np.arange(5, dtype=np.int64) * 10
    one = np.ones(1, np.int64)
    return TickFrame(
        received_at=at,
        tokens=one * TOKEN,
        last_price_paise=one * last_paise,
        volume=one * volume,
        average_price_paise=one * last_paise,
        open_interest=one * 0,
        exchange_time_s=one * int(at.timestamp()),
        bid_price_paise=(last_paise - 10 - ladder)[None, :],
        bid_quantity=np.full((1, 5), 130, np.int64),
        ask_price_paise=(last_paise + 10 + ladder)[None, :],
        ask_quantity=np.full((1, 5), 130, np.int64),
    )


class Desk:
    """A paper broker with a market of one future."""

    def __init__(self, seed: int = 7, rules: VenueRules | None = None) -> None:
        self.clocks = VirtualClocks(START)
        self.venue = Venue(
            [FUTURE],
            rules or VenueRules(),
            seed=seed,
            capital_paise=50_000_000,
            user_id="AB1234",
            venue_session="paper-1",
        )
        self.broker: Broker = (paper := PaperBroker(self.venue, self.clocks, seed=seed))
        self.paper = paper
        self.venue.apply_frame(quotes(2_600_000, START))

    def wait(self, seconds: float) -> None:
        self.clocks.move_to(self.clocks.market_now() + timedelta(seconds=seconds))
        self.venue.advance(self.clocks.market_now())

    def buy(self, price: str, **changes) -> str:
        terms = {
            "client_order_id": "e" * 24,
            "role": Role.ENTRY,
            "exchange": Exchange.NFO,
            "tradingsymbol": "NIFTY26NOVFUT",
            "side": Side.BUY,
            "quantity": 65,
            "product": Product.MIS,
            "order_type": OrderType.LIMIT,
            "price": Decimal(price),
            "tag": "Eeeeeeeeeeeeeeeeeeee",
        }
        return self.broker.place(OrderRequest(**{**terms, **changes}))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_marketable_entry_fills_at_the_offer_and_every_book_says_so(desk):
    order_id = desk.buy("26000.30")
    desk.wait(2)
    (order,) = desk.broker.order_reports()
    assert (order.broker_order_id, order.status, order.tag) == (
        order_id,
        OrderStatus.FILLED,
        "Eeeeeeeeeeeeeeeeeeee",
    )
    assert (order.filled_quantity, order.average_price) == (65, Decimal("26000.1"))
    (fill,) = desk.broker.fill_reports()
    assert (fill.broker_order_id, fill.quantity, fill.price) == (order_id, 65, Decimal("26000.1"))
    assert START <= fill.filled_at < START + timedelta(seconds=2)
    (position,) = desk.broker.position_reports()
    assert (position.tradingsymbol, position.product, position.quantity) == ("NIFTY26NOVFUT", "MIS", 65)
    assert position.average_price == Decimal("26000.1")


def test_an_orders_history_walks_through_kites_states(desk):
    order_id = desk.buy("25990.00")
    desk.wait(2)
    statuses = [report.raw_status for report in desk.broker.order_history(order_id)]
    assert statuses == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]


def test_a_resting_order_is_modified_and_cancelled_and_the_book_confirms(desk):
    order_id = desk.buy("25990.00")
    desk.wait(2)
    desk.broker.modify(order_id, OrderChange(price=Decimal("25995.00")))
    desk.wait(2)
    (order,) = desk.broker.order_reports()
    assert (order.status, order.price) == (OrderStatus.ACCEPTED, Decimal(25995))
    desk.broker.cancel(order_id)
    desk.wait(2)
    (order,) = desk.broker.order_reports()
    assert order.status is OrderStatus.CANCELED


def test_every_call_costs_market_time(desk):
    before = desk.clocks.market_now()
    desk.broker.order_reports()
    spent_ms = (desk.clocks.market_now() - before) / timedelta(milliseconds=1)
    assert 16 <= spent_ms <= 400


def test_the_same_seed_spends_the_same_time_and_another_does_not():
    def end(seed: int) -> datetime:
        desk = Desk(seed)
        for _ in range(20):
            desk.broker.funds()
        return desk.clocks.market_now()

    assert end(1) == end(1)
    assert end(1) != end(2)


def test_free_calls_move_no_clock():
    desk = Desk()
    broker = PaperBroker(desk.venue, desk.clocks, seed=1, latency=Latency(mean_ms=0))
    broker.order_reports()
    assert desk.clocks.market_now() == START


def test_a_price_off_the_tick_is_refused_with_kites_reason(desk):
    with pytest.raises(BrokerRefused, match="Tick size") as refused:
        desk.buy("26000.05")
    assert (refused.value.http_status, refused.value.error_type) == (400, "InputException")
    assert desk.broker.order_reports() == []


def test_an_order_beyond_the_rate_was_not_done_and_may_be_tried_again():
    desk = Desk(rules=VenueRules(orders_per_s=2))
    broker = PaperBroker(desk.venue, desk.clocks, seed=1, latency=Latency(mean_ms=0))
    desk.broker = broker
    desk.buy("25990.00")
    desk.buy("25990.00")
    with pytest.raises(BrokerUnavailable, match="Too many requests"):
        desk.buy("25990.00")
    assert len(broker.order_reports()) == 2


def test_a_refused_change_of_an_unknown_order_says_so(desk):
    with pytest.raises(BrokerRefused, match="does not exist"):
        desk.broker.cancel("123")


def test_a_read_that_is_refused_is_unavailable(desk):
    with pytest.raises(BrokerUnavailable, match="does not exist"):
        desk.broker.order_history("123")


def test_funds_and_margins_are_rupees(desk):
    funds = desk.broker.funds()
    assert (funds.opening_balance_inr, funds.available_inr) == (Decimal("500000.00"), Decimal("500000.00"))
    needed = desk.broker.margin_required_inr(
        [
            OrderRequest(
                client_order_id="e" * 24,
                role=Role.ENTRY,
                exchange=Exchange.NFO,
                tradingsymbol="NIFTY26NOVFUT",
                side=Side.BUY,
                quantity=65,
                product=Product.MIS,
                order_type=OrderType.LIMIT,
                price=Decimal("26000.00"),
            )
        ]
    )
    assert needed == Decimal("202800.00")  # 12 % of 65 x 26000


def test_order_updates_wake_once(desk):
    order_id = desk.buy("26000.30")
    desk.wait(2)
    updates = desk.paper.order_updates()
    assert (updates[-1].broker_order_id, updates[-1].status) == (order_id, OrderStatus.FILLED)
    assert desk.paper.order_updates() == []


def test_the_broker_knows_its_venue_and_that_no_money_is_real(desk):
    assert (desk.broker.venue_session, desk.broker.is_real_money) == ("paper-1", False)
