"""What is kept of the market for a trade's chart, and what the chart draws over it."""

import json
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from reporting import trade_chart
from tests.console_rows import MORNING, build_chain, build_open
from tests.live_prices import newest, snapshot
from tests.trading.market_builders import DAY, future, market_of, second
from trading import minutes
from trading.models import Command, DayMinutes, Order, Trade

pytestmark = pytest.mark.django_db

NIFTY = future(1000, "NIFTY26NOV")
#: the chain's trade began at 10:31:05.123
FROM_S = second("10:31")


def keep_three_minutes(chain) -> int:
    market = market_of(NIFTY, future(2000, "TCS"))
    for number, wall in enumerate(("10:30", "10:31", "10:32")):
        price = 2_450_000 + 100 * number
        rows = np.array([[second(wall), price, price + 50, price - 50, price + 10, 75]] * 2, np.int64)
        market.take_minutes(np.array([0, 1], np.int64), rows)
    return minutes.keep(chain.session, DAY, market, MORNING + timedelta(minutes=2))


def commands(chain) -> None:
    """The stop is trailed to 24480 at 10:33, and to 24495 in vain; at 10:35 it becomes a closing order."""
    books = {"session": chain.session, "trading_date": chain.stop.trading_date}
    common = {"order": chain.stop, "kind": "MODIFY", "fence": 1, **books}
    for number, minute, purpose, trigger, outcome in (
        (2, 2, "trail", "24480.00", "ACCEPTED"),
        (3, 3, "trail", "24495.00", "REFUSED"),
        (4, 4, "close", None, "ACCEPTED"),
    ):
        at = MORNING + timedelta(minutes=minute)
        Command.objects.create(
            **common, number=number, day_number=100 + number, purpose=purpose, outcome=outcome,
            intent_at=at, intent_machine_at=at,
            arguments={"trigger_price": trigger} if trigger else {"price": "24400.00"},
        )  # fmt: skip


def test_minutes_are_kept_of_what_is_traded_alone_and_come_back_as_they_were():
    chain = build_open()
    assert keep_three_minutes(chain) == 1
    assert keep_three_minutes(chain) == 1  # again: the same row
    row = DayMinutes.objects.get()
    assert (row.tradingsymbol, row.until) == (
        "NIFTY26NOVFUT",
        MORNING.replace(minute=33, second=0, microsecond=0),
    )
    bars = minutes.bars_of(chain.session, DAY, "NFO", "NIFTY26NOVFUT")
    assert bars.opened_at_s.tolist() == [second("10:30"), FROM_S, second("10:32")]
    assert bars.to_rows()[1].tolist() == [FROM_S, 2_450_100, 2_450_150, 2_450_050, 2_450_110, 75]
    assert len(minutes.bars_of(chain.session, DAY, "NFO", "TCSFUT")) == 0


def test_what_closed_long_ago_is_written_no_more():
    chain = build_chain()
    Trade.objects.update(closed_at=MORNING - timedelta(minutes=29))
    assert keep_three_minutes(chain) == 0


def test_the_stops_line_moves_with_what_was_taken_and_ends_where_it_became_a_closing_order():
    chain = build_open()
    commands(chain)
    lines = {
        line["kind"]: line["points"]
        for line in trade_chart.chart(chain.trade, MORNING + timedelta(minutes=6))["lines"]
    }
    assert lines["stop"] == [
        {"time": FROM_S, "value": Decimal("24450.00")},
        {"time": FROM_S + 120, "value": Decimal("24480.00")},
        {"time": FROM_S + 240},
    ]
    assert lines["target"] == [
        {"time": FROM_S, "value": Decimal("24590.10")},
        {"time": FROM_S + 360, "value": Decimal("24590.10")},
    ]
    assert lines["entry"][0] == {"time": FROM_S, "value": Decimal("24500.05")}


def test_fills_of_one_minute_are_one_arrow_at_their_average_and_everything_is_told_in_words():
    chain = build_chain()
    fill = chain.entry.fills.get()
    fill.pk, fill.broker_trade_id, fill.price = None, "TE2", Decimal("24500.15")
    fill.save()
    Order.objects.filter(pk=chain.stop.pk).update(accepted_at=MORNING + timedelta(seconds=2))
    chart = trade_chart.chart(chain.trade, MORNING)
    assert chart["marks"] == [
        {"time": FROM_S, "price": Decimal("24500.10"), "side": "BUY", "text": "entry 150"},
        {"time": FROM_S, "price": Decimal("24500.05"), "side": "SELL", "text": "exit (stop) 75"},
    ]
    assert [row["what"] for row in chart["happened"]] == [
        "entry: buy 75",
        "exit (stop): sell 75",
        "entry: buy 75",
        "stop rests (group 1)",
    ]
    assert (chart["candles"], chart["minutes_until"]) == ([], None)


def test_the_page_asks_for_candles_and_the_live_price_and_only_who_may_see_trades_gets_them():
    chain = build_open()
    keep_three_minutes(chain)
    address = reverse("trade-chart", args=[chain.trade.pk])
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(reverse("admin:trading_trade_change", args=[chain.trade.pk])).content.decode()
    assert f'data-address="{address}"' in page
    with newest(snapshot(2_452_005, at=MORNING + timedelta(minutes=2))):
        told = json.loads(client.get(address).content)
    assert told["candles"][1] == {
        "time": FROM_S, "open": "24501.00", "high": "24501.50", "low": "24500.50", "close": "24501.10",
    }  # fmt: skip
    assert (told["last"]["price"], told["last"]["age_ms"], told["is_open"]) == ("24520.05", 400, True)
    assert told["minutes_until"] == "2026-11-23T10:33:00.000+05:30"
    stranger = Client()
    stranger.force_login(User.objects.create_user("stranger", is_staff=True))
    assert stranger.get(address).status_code == 403
