"""Closing from the broker's books alone: what `flatten --direct` and the dead man do when no row can be read."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from oco.dead_man import DeadMan
from oco.direct import DirectFlatten, Exposure, closing_price, exposures
from oco.direct_import import BrokenJournal, is_waiting, take_in
from oco.models import OcoGroup
from oco.views import ExitPolicy
from risk import halt, state
from tests.days.broker import Trouble
from tests.days.desk import Day
from trading.core.enums import ExitReason, GroupState, OrderStatus, PauseReason, Role, Side
from trading.models import Order

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
NIFTY = ("NFO", "NIFTY25NOVFUT", "MIS")


def direct(day: Day, journal) -> DirectFlatten:
    def wait(seconds: float) -> None:
        day.replayed.clocks.move_by_ms(seconds * 1000)
        day.replayed.venue.advance(day.now)

    return DirectFlatten.begin(day.broker, day.replayed.clocks, journal, wait)


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


def lose_stops(day: Day) -> None:
    """Every stop is gone at the exchange, and nobody here has looked since."""
    for stop in day.broker_orders(Role.STOP):
        day.replayed.venue.cancel(stop.order_id, day.now)
    day.replayed.clocks.move_by_ms(2000)
    day.replayed.venue.advance(day.now)


def test_two_groups_are_closed_by_their_own_stops_and_nothing_rests(tmp_path):
    day = Day.opens()
    day.enters(stop="24920")
    assert (day.net(), sorted(day.working())) == (150, [("SELL", 75), ("SELL", 75)])
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert (day.net(), day.working()) == (0, [])
    assert day.broker_orders(Role.EXIT) == []


def test_every_command_is_on_disk_before_it_is_sent(tmp_path):
    day = Day.opens()
    day.enters()
    direct(day, tmp_path / "exits.jsonl").run()
    told = [(line["kind"], line["state"]) for line in lines(tmp_path / "exits.jsonl")]
    assert told[:2] == [("MODIFY", "intent"), ("MODIFY", "outcome")]


def test_run_twice_it_sends_nothing_more(tmp_path):
    day = Day.opens()
    day.enters()
    assert direct(day, tmp_path / "exits.jsonl").run()
    sent = len(day.broker.asked)
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert len(day.broker.asked) == sent


def test_a_position_whose_stop_is_gone_is_closed_by_an_order_of_its_own(tmp_path):
    day = Day.opens()
    day.enters()
    (stop,) = day.broker_orders(Role.STOP)
    day.replayed.venue.cancel(stop.order_id, day.now)
    day.replayed.venue.advance(day.now + timedelta(seconds=2))
    day.replayed.clocks.move_by_ms(2000)
    assert (day.net(), day.working()) == (75, [])
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert (day.net(), day.working()) == (0, [])
    assert [order.quantity for order in day.broker_orders(Role.EXIT)] == [75]


def test_a_book_that_lags_is_waited_for_before_anything_is_placed_again(tmp_path):
    day = Day.opens()
    day.enters()
    lose_stops(day)
    day.broker.book_stands_still()
    day.broker.old_positions = day.broker.paper.position_reports()
    assert not direct(day, tmp_path / "exits.jsonl").run(within_s=5)
    assert [order.quantity for order in day.broker_orders(Role.EXIT)] == [75]
    day.broker.book_goes_on()
    day.broker.old_positions = None
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert (day.net(), [order.quantity for order in day.broker_orders(Role.EXIT)]) == (0, [75])


def test_a_second_run_never_uses_the_id_of_the_first_again(tmp_path):
    day = Day.opens()
    day.enters()
    lose_stops(day)
    day.broker.will(Trouble.REFUSED, Role.EXIT)
    assert direct(day, tmp_path / "exits.jsonl").run()
    tags = [line["tag"] for line in lines(tmp_path / "exits.jsonl") if line["state"] == "intent"]
    assert len(tags) == len(set(tags)) == 2


def test_a_position_of_somebody_else_is_left_alone(tmp_path):
    day = Day.opens()
    day.enters()
    theirs = {
        "exchange": "NFO", "tradingsymbol": "NIFTY25NOVFUT", "transaction_type": "BUY", "quantity": 75,
        "product": "MIS", "order_type": "LIMIT", "price": "25010", "validity": "DAY", "variety": "regular",
    }  # fmt: skip
    day.replayed.venue.place_as_other(theirs, day.now, "hand")
    day.run_for(3)
    assert day.net() == 150
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert day.net() == 75


@pytest.mark.parametrize(
    ("side", "last", "own", "expected"),
    [
        (Side.SELL, "25000", "0", "24750.00"),
        (Side.BUY, "25000", "0", "25250.00"),
        (Side.SELL, "25000", "24700.05", "24700.05"),
        (Side.SELL, "25000", "24900.00", "24750.00"),
        (Side.BUY, "101.30", "0", "102.50"),
    ],
)
def test_a_closing_price_is_one_per_cent_through_or_the_orders_own_if_that_goes_further(
    side, last, own, expected
):
    assert closing_price(side, Decimal(last), Decimal(own)) == Decimal(expected)


def bare(held: int = 75) -> Exposure:
    return Exposure(holding=NIFTY, held=held, last_price=Decimal(100), entries=(), exits=())


def at(seconds: float) -> datetime:
    return TEN + timedelta(seconds=seconds)


def test_the_dead_man_closes_what_was_bare_for_thirty_seconds_with_nobody_at_work():
    man = DeadMan()
    assert man.look([bare()], holder_works=False, now=at(0)).close == ()
    assert man.look([bare()], holder_works=False, now=at(29)).close == ()
    assert man.look([bare()], holder_works=False, now=at(30)).close == (NIFTY,)


def test_a_holder_at_work_starts_the_thirty_seconds_anew():
    man = DeadMan()
    man.look([bare()], holder_works=False, now=at(0))
    man.look([bare()], holder_works=True, now=at(20))
    assert man.look([bare()], holder_works=False, now=at(40)).close == ()


def test_a_covered_position_is_never_closed_by_the_dead_man(tmp_path):
    day = Day.opens()
    day.enters()
    found = exposures(day.broker.order_reports(), day.broker.position_reports())
    assert [(one.held, one.covered) for one in found] == [(75, 75)]
    man = DeadMan()
    man.look(found, holder_works=False, now=at(0))
    assert man.look(found, holder_works=False, now=at(100)).close == ()


def test_what_was_sent_without_the_database_is_adopted_and_the_day_ends_right(tmp_path):
    day = Day.opens()
    day.enters()
    journal = tmp_path / "exits.jsonl"
    lose_stops(day)
    assert direct(day, journal).run()
    assert take_in(day.desk, journal, ExitPolicy()) == 1
    assert take_in(day.desk, journal, ExitPolicy()) == 0
    day.restarts()
    day.run_for(30)
    (group,) = day.groups()
    (trade,) = day.trades()
    assert (group.state, group.exit_reason) == (GroupState.CLOSED, ExitReason.OPERATOR)
    assert trade.closed_at is not None
    assert [order.status for order in day.orders(Role.EXIT)] == ["FILLED"]
    assert (day.net(), day.working()) == (0, [])
    # Only the flatten keeps entries off: an order about to be adopted is no puzzle to the books.
    assert state.reasons_off(day.account.pk) == {PauseReason.FLATTEN}


def test_an_order_that_closed_two_groups_at_once_never_turns_the_position_round(tmp_path):
    day = Day.opens()
    day.enters(stop="24920")
    lose_stops(day)
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert [order.quantity for order in day.broker_orders(Role.EXIT)] == [150]
    take_in(day.desk, tmp_path / "exits.jsonl", ExitPolicy())
    day.restarts()
    began = len(day.tape)
    day.run_for(60)
    assert {net for _, net, _ in day.tape[began:]} == {0}
    assert [order.quantity for order in day.broker_orders(Role.EXIT)] == [150]
    assert [(group.state, group.exit_reason) for group in day.groups()] == [("CLOSED", "OPERATOR")] * 2
    # One order is one group's: what it closed of the other has moved there, and the trade's result is its fills.
    assert [group.taken_by_others_quantity for group in day.groups()] == [-75, 75]
    assert [(order.status, order.filled_quantity) for order in day.orders(Role.EXIT)] == [("FILLED", 150)]
    (trade,) = day.trades()
    assert (trade.entered_quantity, trade.exited_quantity) == (150, 150)
    assert trade.gross_inr == trade.exit_value_inr - trade.entry_value_inr
    assert day.working() == []


def test_an_entry_that_filled_while_nobody_looked_is_known_before_its_closing_is_taken_in(tmp_path):
    day = Day.opens()
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.decides(signal)
    day.replayed.clocks.move_by_ms(2000)
    for _ in range(2):
        frame = day.market.frame_at(day.now)
        if frame is not None:
            day.replayed.venue.apply_frame(frame)
        day.replayed.venue.advance(day.now)
    assert (day.net(), day.groups()) == (75, [])
    assert direct(day, tmp_path / "exits.jsonl").run()
    assert take_in(day.desk, tmp_path / "exits.jsonl", ExitPolicy()) == 1
    day.restarts()
    began = len(day.tape)
    day.run_for(60)
    assert {net for _, net, _ in day.tape[began:]} == {0}
    (group,) = day.groups()
    assert (group.state, group.exit_reason, group.taken_by_others_quantity) == ("CLOSED", "OPERATOR", 0)
    assert [order.status for order in day.orders(Role.EXIT)] == ["FILLED"]


def test_what_was_sent_directly_for_a_position_that_had_closed_is_taken_back(tmp_path):
    """The stop executed in the same moment: without a group the order was a stranger and its units stayed."""
    day = Day.opens()
    day.enters()
    journal = tmp_path / "exits.jsonl"
    lose_stops(day)
    assert direct(day, journal).run()
    (row,) = day.orders(Role.STOP)
    Order.objects.filter(pk=row.pk).update(status=OrderStatus.FILLED, filled_quantity=75)
    OcoGroup.objects.update(
        state=GroupState.CLOSED, closed_at=day.now, exited_quantity=75, exit_reason="STOP"
    )
    assert take_in(day.desk, journal, ExitPolicy()) == 1
    (adopted,) = day.orders(Role.EXIT)
    assert (adopted.entry_id, adopted.group_number) == (row.entry_id, 1)
    day.run_for(3)
    # Open again and judged: 75 too many by its own orders, which the broker's positions bear out or not.
    (group,) = day.groups()
    assert (group.closed_at, group.problem[:32]) == (None, "75 units more were exited than e")


def test_a_refused_order_of_ours_without_a_row_calls_nobody(tmp_path):
    day = Day.opens()
    day.enters()
    refused = replace(
        day.broker.paper.order_reports()[0],
        broker_order_id="9", status=OrderStatus.REJECTED, filled_quantity=0, tag="X" + "0" * 19, tags=(),
    )  # fmt: skip
    read = day.broker.paper.order_reports
    day.broker.paper.order_reports = lambda: [*read(), refused]
    day.run_for(20)
    assert state.reasons_off(day.account.pk) == frozenset()
    day.broker.paper.order_reports = lambda: [*read(), replace(refused, status=OrderStatus.CANCELED)]
    day.run_for(20)
    assert state.reasons_off(day.account.pk) == {PauseReason.RECONCILIATION}


def test_a_line_cut_off_by_a_crash_is_left_out_and_a_broken_one_before_it_is_named(tmp_path):
    day = Day.opens()
    journal = tmp_path / "exits.jsonl"
    journal.write_text('{"kind": "CANCEL", "broker_order_id": "1", "state": "intent"}\n{"kind": "PLA')
    assert take_in(day.desk, journal, ExitPolicy()) == 0
    assert not is_waiting(journal)
    journal.write_text('not json\n{"kind": "CANCEL", "broker_order_id": "1", "state": "intent"}\n')
    for _ in range(2):
        with pytest.raises(BrokenJournal, match=r"exits-taken\.jsonl line 1"):
            take_in(day.desk, journal, ExitPolicy())
    assert is_waiting(journal)


def test_what_is_still_sent_directly_while_it_is_taken_in_is_taken_in_next(tmp_path):
    """Chaos 601: the dead man sent one more after the import; its order was a stranger with a tag of ours."""
    day = Day.opens()
    day.enters()
    journal = tmp_path / "exits.jsonl"
    journal.write_text('{"kind": "CANCEL", "broker_order_id": "1", "state": "intent"}\n')
    read, told = day.broker.order_reports, []

    def one_more():
        if not told:
            told.append(True)
            lose_stops(day)
            assert direct(day, journal).run()
        return read()

    day.broker.order_reports = one_more
    assert take_in(day.desk, journal, ExitPolicy()) == 0
    assert is_waiting(journal)
    assert take_in(day.desk, journal, ExitPolicy()) == 1
    assert not is_waiting(journal)
    day.run_for(30)
    assert [order.status for order in day.orders(Role.EXIT)] == ["FILLED"]
    assert (day.net(), day.working()) == (0, [])


def test_the_halt_file_keeps_entries_off_until_the_operator_resumes(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    day = Day.opens()
    halt.put_up("database away")
    assert not day.enters().approved
    assert state.resume(day.account.pk, by="operator", now=day.now) == frozenset()
    day.run_for(60)
    assert day.enters().approved
