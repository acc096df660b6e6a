"""The fire drill against a real exchange: the stop is lost there, and the rows tell how long it took."""

import threading
from decimal import Decimal

import pytest
from django.db import connection
from websockets.sync.client import ClientConnection

from aitrapp_site import fire_drill
from oco.models import OcoGroup
from risk.models import AuditEntry
from tests.aitrapp_site.paper_process import wait_for
from tests.console_rows import MORNING, build_open
from tests.trading.exchange.exchange_process import ExchangeProcess, next_text, stop_order
from trading import lease
from trading.core.enums import Loop
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def exchange(tmp_path):
    with ExchangeProcess(tmp_path, ("--from", "10:00")) as running:
        yield running


def watcher_closes(ticker: ClientConnection, stop: Order, group: OcoGroup) -> None:
    """What the exits' leader leaves in rows when the exchange tells it that a stop is gone: it closes the position."""
    try:
        while next_text(ticker, "order")["status"] != "CANCELLED":
            pass
        exit_order = Order.objects.get(pk=stop.pk)
        Order.objects.filter(pk=stop.pk).update(status="CANCELED")
        OcoGroup.objects.filter(pk=group.pk).update(unprotected_since=MORNING, state="CLOSING")
        exit_order.pk, exit_order.client_order_id, exit_order.broker_order_id = None, "X" * 24, "X1"
        exit_order.role, exit_order.status = "EXIT", "FILLED"
        exit_order.save(force_insert=True)
    finally:
        connection.close()


def test_a_drill_loses_one_stop_at_the_exchange_and_says_when_it_was_seen_and_safe(exchange, settings):
    settings.EXCHANGE_URL = exchange.first["url"]
    kite = exchange.client()
    last = Decimal(str(kite.ltp(["NFO:NIFTY26NOVFUT"])["NFO:NIFTY26NOVFUT"]["last_price"]))
    trigger = (last * Decimal("0.99")).quantize(Decimal("1"))
    chain = build_open()
    lease.renew(lease.take_or_fail(chain.account.pk, Loop.EXITS, "watcher host:1"), pass_worked=True)
    with exchange.ticker() as ticker:
        broker_order_id = stop_order(kite, float(trigger), float(trigger - 50))
        wait_for(lambda: kite.order_history(broker_order_id)[-1]["status"] == "TRIGGER PENDING", 10, "a stop")
        Order.objects.filter(pk=chain.stop.pk).update(broker_order_id=broker_order_id)
        watcher = threading.Thread(target=watcher_closes, args=(ticker, chain.stop, chain.group))
        watcher.start()
        drill = fire_drill.run(chain.account, chain.group)
        watcher.join()
    assert kite.order_history(broker_order_id)[-1]["status"] == "CANCELLED"
    assert (drill.tradingsymbol, drill.quantity) == ("NIFTY26NOVFUT", 75)
    assert drill.how == "the position was closed"
    assert 0 < drill.detected_ms <= drill.safe_ms < 10_000
    begun, over = AuditEntry.objects.filter(action="probe").order_by("id")
    assert (begun.words, begun.after["cancelled"]) == ("Begun.", broker_order_id)
    assert (over.words, over.after["safe_ms"]) == ("Over.", drill.safe_ms)
    with pytest.raises(fire_drill.CannotDrill, match="has no resting stop any more|No position is open"):
        fire_drill.run(chain.account, OcoGroup.objects.get())
