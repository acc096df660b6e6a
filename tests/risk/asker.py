"""One of several processes that ask for entries of one account at once: a random stream of requests, fills and prices.

python -m tests.risk.asker ACCOUNT SESSION FENCE SEED BEGAN COUNT FLOOR

`BEGAN` is where the computer's clock stood at ten o'clock of the market. `FLOOR` is what the exchange sees: a file of
lines, in the order in which things happened there. It waits for a line before its first request and half-way.
"""

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import django

django.setup()

from tests.days.desk import SCORE  # noqa: E402  # Django reads its settings above
from tests.days.market import DAY, STEEL  # noqa: E402
from trading import decisions, orders, signals, trades  # noqa: E402
from trading.core.enums import Exchange, Loop, OrderStatus, Side  # noqa: E402
from trading.core.session import IST, ordinary_session  # noqa: E402
from trading.core.values import (  # noqa: E402
    FillReport,
    Funds,
    OrderReport,
    OrderRequest,
    Quote,
    Setup,
)
from trading.decisions import Market  # noqa: E402
from trading.desk import Desk  # noqa: E402
from trading.lease import FenceLost, Held  # noqa: E402
from trading.models import Account, Order, VenueSession  # noqa: E402
from trading.signals import Seen  # noqa: E402

TEN = datetime(DAY.year, DAY.month, DAY.day, 10, tzinfo=IST)
SHARES = tuple(
    replace(STEEL, tradingsymbol=f"SHARE{number}", instrument_token=(3000 + number) << 8 | 1)
    for number in range(8)
)


class SharedClocks:
    """The same market time in each process, going on as the computer's."""

    market_time_jumps = False

    def __init__(self, began_s: float) -> None:
        self._began_s = began_s

    def market_now(self) -> datetime:
        return TEN + timedelta(seconds=time.time() - self._began_s)

    machine_now = market_now

    def monotonic_s(self) -> float:
        return time.monotonic()


class Floor:
    """A broker whose exchange takes everything and writes down what reached it."""

    is_real_money = False
    venue_session = "floor"

    def __init__(self, path: str, clocks: SharedClocks, name: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._clocks, self._name, self._count = clocks, name, 0

    def note(self, **line: Any) -> None:
        os.write(self._file, (json.dumps(line) + "\n").encode())

    def place(self, request: OrderRequest) -> str:
        self._count += 1
        at_s = (self._clocks.market_now() - TEN).total_seconds()
        words = {"symbol": request.tradingsymbol, "side": request.side, "price": str(request.price)}
        self.note(what="place", id=request.client_order_id, units=request.quantity, at_s=at_s, **words)
        return f"{self._name}-{self._count}"

    def margin_required_inr(self, requests: Sequence[OrderRequest]) -> Decimal:
        return Decimal(0)

    def funds(self) -> Funds:
        return Funds(
            opening_balance_inr=Decimal(0),
            intraday_payin_inr=Decimal(0),
            collateral_inr=Decimal(0),
            available_inr=Decimal(1),
        )


def asks(desk: Desk, chance: random.Random, number: int) -> list[Order]:
    """One random request, at a random price."""
    spec = chance.choice(SHARES)
    price = 100_000 + chance.randrange(-500, 500) * 5
    side = chance.choice(list(Side))
    away = Decimal(chance.randrange(200, 4000, 5)).scaleb(-2)
    last = Decimal(price).scaleb(-2)
    now = desk.clocks.market_now()
    setup = Setup(
        side=side,
        entry_price=last,
        stop_price=last - side.sign * away,
        target_price=last + side.sign * 20 * away,
        first_target_price=None,
        reason="a random one",
    )
    seen = Seen(strategy=f"asker-{os.getpid()}-{number}", spec=spec, candle_at=TEN, setup=setup, score=SCORE)
    signal = signals.record(desk, seen)
    assert signal is not None
    quote = Quote(last_price_paise=price, bid_paise=price - 5, ask_paise=price + 5, exchange_time=now)
    market = Market(spec=spec, session=ordinary_session(DAY, spec), quote=quote, quotes=lambda *_: quote)
    return decisions.decide(desk, signal, market, seen_s=desk.clocks.monotonic_s())


def follows(desk: Desk, floor: Floor, chance: random.Random, order: Order) -> None:
    """What becomes of an entry: it rests, or fills (told by the trade book or not yet), in part, or is cancelled."""
    fate = chance.choice(["rests", "fills", "fills", "is told", "is told", "part", "ends", "ends"])
    if fate == "rests":
        return
    filled = {"ends": 0, "part": max(order.quantity // 2, 1)}.get(fate, order.quantity)
    status = {"ends": OrderStatus.CANCELED, "part": OrderStatus.PARTIALLY_FILLED}.get(
        fate, OrderStatus.FILLED
    )
    if filled == order.quantity:
        status = OrderStatus.FILLED
    if fate == "ends":
        floor.note(what="end", id=order.client_order_id)
    orders.apply_report(desk, order.pk, report_of(desk, order, status, filled))
    if fate == "is told":
        fill = FillReport(
            broker_trade_id=f"t-{order.pk}",
            broker_order_id=order.broker_order_id,
            exchange=Exchange(order.exchange),
            tradingsymbol=order.tradingsymbol,
            side=Side(order.side),
            product=order.product,
            quantity=filled,
            price=order.price,
            filled_at=desk.clocks.market_now(),
        )
        trades.apply_fill(desk, fill)


def report_of(desk: Desk, order: Order, status: OrderStatus, filled: int) -> OrderReport:
    now = desk.clocks.market_now()
    return OrderReport(
        broker_order_id=order.broker_order_id,
        tag=order.tag,
        tags=(order.tag,),
        status=status,
        raw_status=status.value,
        status_message="",
        exchange=Exchange(order.exchange),
        tradingsymbol=order.tradingsymbol,
        side=Side(order.side),
        product=order.product,
        order_type=order.order_type,
        quantity=order.quantity,
        filled_quantity=filled,
        pending_quantity=order.quantity - filled,
        price=order.price,
        trigger_price=Decimal(0),
        average_price=order.price if filled else Decimal(0),
        exchange_order_id="",
        placed_by="floor",
        order_at=now,
        updated_at=now,
    )


def main(account: int, session: int, fence: int, seed: str, began_s: float, count: int, path: str) -> None:
    chance, clocks = random.Random(seed), SharedClocks(began_s)
    floor: Any = Floor(path, clocks, seed)
    desk = Desk(
        account=Account.objects.get(pk=account),
        session=VenueSession.objects.get(pk=session),
        trading_date=DAY,
        broker=floor,
        clocks=clocks,
        lease=Held(account, Loop.ENTRIES, "askers", fence),
        installation="test",
    )
    for number in range(count):
        if number in (0, count // 2):
            print("ready", flush=True)
            sys.stdin.readline()
        try:
            sent = asks(desk, chance, number)
        except FenceLost:
            return
        for order in sent:
            follows(desk, floor, chance, order)


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[0]), int(words[1]), int(words[2]), words[3], float(words[4]), int(words[5]), words[6])
