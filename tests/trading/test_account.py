"""The snapshot counts what is open, resting, in flight and unknown alike."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from oco.models import OcoGroup, OcoLeg
from tests.days.broker import Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading import account
from trading.core.enums import Exchange, Mode
from trading.models import Fill, Trade

pytestmark = pytest.mark.django_db

CAPITAL = Decimal("2500000")
NIFTY_KEY = (Exchange.NFO, "NIFTY25NOVFUT")


def snapshot(day: Day):
    return account.snapshot(day.loop.desk, day.loop.quote, CAPITAL)


def test_a_fresh_day_has_nothing_open_and_no_loss():
    found = snapshot(Day.opens())
    assert (found.open_heat_inr, found.open_positions, found.trades_today) == (0, 0, 0)
    assert (found.day_pnl_inr, found.losses_in_a_row, found.busy) == (0, 0, frozenset())


def test_heat_is_rupees_from_the_fill_to_the_stop():
    day = Day.opens()
    day.enters()
    found = snapshot(day)
    assert found.open_heat_inr == Decimal("7507.50")
    assert (found.open_positions, found.trades_today, found.busy) == (1, 1, {NIFTY_KEY})


def test_an_unknown_entry_keeps_its_heat_and_its_slot_until_it_is_lost():
    day = Day.opens()
    day.broker.will(Trouble.CALL_LOST, "ENTRY")
    day.enters(within_s=60)
    assert snapshot(day).open_heat_inr == Decimal("7522.50")
    assert snapshot(day).busy == {NIFTY_KEY}
    day.run_for(80)
    assert (snapshot(day).open_heat_inr, snapshot(day).open_positions) == (0, 0)


def test_an_entry_that_filled_keeps_its_slot_and_its_heat_before_it_has_a_group():
    day = Day.opens()
    day.enters()
    # What a process leaves behind that ended between an order's news and its group.
    for model in (Fill, OcoLeg, OcoGroup, Trade):
        model.objects.all().delete()
    found = snapshot(day)
    assert found.open_heat_inr == Decimal("7507.50")
    assert (found.open_positions, found.trades_today, found.busy) == (1, 1, {NIFTY_KEY})


@pytest.mark.parametrize("reading", [1, 2, 3])
def test_an_entry_that_fills_while_the_books_are_read_is_counted_all_the_same(reading):
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    readings = 0

    def moves(execute, sql, params, many, context):
        nonlocal readings
        answer = execute(sql, params, many, context)
        readings += 1
        if readings == reading:
            # The order book, the trade book and its group, as the other process writes them.
            day.run_for(6)
        return answer

    with connection.execute_wrapper(moves):
        found = snapshot(day)
    assert (found.open_positions, found.trades_today, found.busy) == (1, 1, {NIFTY_KEY})
    assert found.open_heat_inr in (Decimal("7507.50"), Decimal("7522.50"))


def test_an_open_trade_counts_at_the_market_with_the_charges_so_far():
    day = Day.opens()
    day.enters()
    day.price_goes_to("25100", frames=3)
    charges = Decimal("103.80")
    found = snapshot(day).day_pnl_inr
    assert found == Decimal("99.90") * 75 - charges


def test_a_loss_starts_the_cooldown_and_the_streak():
    day = Day.opens()
    day.enters()
    day.price_goes_to("24899", frames=3)
    day.run_for(3)
    found = snapshot(day)
    (trade,) = day.trades()
    assert found.last_loss_at == {NIFTY_KEY: trade.closed_at}
    assert found.losses_in_a_row == 1
    assert found.day_pnl_inr == trade.net_inr


def test_every_write_of_the_account_is_in_its_rate_windows():
    day = Day.opens(NIFTY, STEEL)
    day.enters(within_s=1)
    day.enters(spec=STEEL, stop="990", target="1030", within_s=1)
    found = snapshot(day)
    assert (found.orders_last_min, found.orders_today) == (5, 5)
    assert found.orders_last_s <= 3
    day.run_for(timedelta(minutes=1).total_seconds())
    assert (snapshot(day).orders_last_min, snapshot(day).orders_today) == (0, 5)


def test_capital_is_the_setting_on_paper_and_the_opening_balance_live():
    day = Day.opens()
    assert account.capital_inr(day.desk) == CAPITAL
    day.desk.account.mode = Mode.LIVE
    funds = day.broker.funds()
    expected = funds.opening_balance_inr + funds.intraday_payin_inr + funds.collateral_inr
    assert account.capital_inr(day.desk) == expected == CAPITAL
