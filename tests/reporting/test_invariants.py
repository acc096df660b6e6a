"""A sound day breaks nothing; each spoilt one breaks exactly what it should."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from reporting import invariants
from reporting.facts import CommandFact, EventFact, LatchFact
from tests.reporting.day_builders import (
    books,
    clock,
    day,
    fill_report,
    group,
    order,
    order_report,
    place,
    position,
    square_off,
    trade,
)
from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    ExitReason,
    FlattenState,
    OrderStatus,
    PauseReason,
    Role,
    Side,
)

STOP = Role.STOP


def only(facts, *starts):
    """The problems, all of which must start as given and in that order."""
    found = invariants.problems(facts)
    assert len(found) == len(starts), found
    for sentence, start in zip(found, starts, strict=True):
        assert sentence.startswith(start), sentence


def test_a_sound_day_breaks_nothing():
    assert invariants.problems(day()) == []


def test_without_the_brokers_books_our_own_rows_are_still_judged():
    assert invariants.problems(day(books=None)) == []
    only(day(books=None, groups=(group(unprotected_ms=5001),)), "I4: group 5 of NFO:NIFTY22MARFUT")


def test_two_broker_orders_with_one_tag_are_found():
    second = order_report(broker_order_id="B9", status=OrderStatus.CANCELED, filled_quantity=0)
    only(
        day(books=books(orders=(order_report(), second, order_report(STOP)))),
        "I1: the broker has 2 orders with the tag E0000000000000000000",
        "I3: order B9 (E0000000000000000000) has a tag of ours and no row",
    )


def test_two_entries_of_one_signal_are_found_but_not_its_slices():
    again = order(id=4, client_order_id="4" * 24, broker_order_id="")
    only(day(orders=(order(), again, order(STOP))), "I1: signal 9 has 2 entries of slice 0")
    assert invariants.problems(day(orders=(order(), replace(again, slice=1), order(STOP)))) == []


def test_the_same_client_id_twice_is_found():
    same = order(STOP, client_order_id="0" * 24)
    only(day(orders=(order(), same)), "I1: 2 orders have the id 000000000000000000000000")


def test_an_exit_that_fills_twice_turns_the_position_round():
    twice = fill_report(STOP, broker_trade_id="T3", filled_at=clock("10:20:01"))
    found = list(
        invariants.never_the_wrong_way_round(
            day(books=books(fills=(fill_report(), fill_report(STOP), twice)))
        )
    )
    assert found == ["I2: NFO:NIFTY22MARFUT at 10:20:01: an exit of -50 was filled with 0 held"]


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (fill_report(quantity=25), "an exit of -50 was filled with 25 held"),
        (fill_report(side=Side.SELL), "an exit of -50 was filled with -50 held"),
    ],
)
def test_an_exit_never_exceeds_nor_adds_to_what_is_held(first, sentence):
    found = list(invariants.never_the_wrong_way_round(day(books=books(fills=(first, fill_report(STOP))))))
    assert found == [f"I2: NFO:NIFTY22MARFUT at 10:20:00: {sentence}"]


def test_an_entry_against_an_open_position_is_found():
    held = fill_report(broker_order_id="HAND", side=Side.SELL, filled_at=clock("09:40:00"))
    found = list(invariants.never_the_wrong_way_round(day(books=books(fills=(held, fill_report())))))
    assert found == ["I2: NFO:NIFTY22MARFUT at 10:00:02: an entry of 50 was filled against -50 held"]


def test_somebody_elses_fills_are_not_ours_to_answer_for():
    hand = fill_report(STOP, broker_order_id="HAND", quantity=20, filled_at=clock("10:10:00"))
    rest = fill_report(STOP, quantity=30)
    assert (
        list(invariants.never_the_wrong_way_round(day(books=books(fills=(fill_report(), hand, rest))))) == []
    )


def test_an_exit_that_works_on_after_its_group_was_out_is_an_orphan():
    late = order(STOP, id=3, client_order_id="3" * 24, broker_order_id="B3")
    report = order_report(
        STOP,
        broker_order_id="B3",
        tag="S" + "3" * 19,
        status=OrderStatus.CANCELED,
        updated_at=clock("10:20:06"),
    )
    facts = day(orders=(order(), order(STOP), late), books=books(orders=(order_report(), report)))
    worked_on = "worked 6 s after group 5 of NFO:NIFTY22MARFUT was out"
    assert invariants.orphans(facts) == [f"I3: STOP order {'3' * 24} of NFO:NIFTY22MARFUT {worked_on}"]
    in_time = replace(report, updated_at=clock("10:20:05"))
    assert invariants.orphans(replace(facts, books=books(orders=(order_report(), in_time)))) == []


def test_an_order_of_ours_that_rests_while_the_broker_has_us_flat_is_an_orphan():
    resting = order_report(STOP, status=OrderStatus.ACCEPTED, raw_status="TRIGGER PENDING", updated_at=None)
    facts = day(groups=(), books=books(orders=(order_report(), resting)))
    where = "rests on NFO:NIFTY22MARFUT, which is flat"
    assert invariants.orphans(facts) == [f"I3: B2 (S0000000000000000000) {where}"]
    held = books(orders=(order_report(), resting), positions=(position(50),))
    assert invariants.orphans(replace(facts, books=held)) == []


def test_a_live_order_whose_row_is_closed_is_found_unless_it_is_lost():
    working = order_report(STOP, status=OrderStatus.ACCEPTED, raw_status="OPEN")
    facts = day(groups=(), books=books(orders=(order_report(), working), positions=(position(50),)))
    found = list(invariants.nothing_left_over(facts))
    assert found == ["I3: order B2 (S0000000000000000000) is OPEN at the broker and FILLED here"]
    lost = replace(facts, orders=(order(), order(STOP, status=OrderStatus.LOST)))
    assert list(invariants.nothing_left_over(lost)) == []


def test_five_seconds_without_a_stop_are_allowed_and_not_a_millisecond_more():
    assert invariants.problems(day(groups=(group(unprotected_ms=5000),))) == []
    only(
        day(groups=(group(unprotected_ms=5001),)),
        "I4: group 5 of NFO:NIFTY22MARFUT was without a live stop for 5.0 s",
    )


def test_a_group_that_is_unprotected_now_or_broken_is_found():
    bare = group(exited_quantity=0, unprotected_since=clock("15:44:00"), problem="a stop of 75 for 50")
    found = list(invariants.always_protected(day(groups=(bare,))))
    assert found == [
        "I4: group 5 of NFO:NIFTY22MARFUT has been without a live stop for 60.0 s",
        "I4: group 5 of NFO:NIFTY22MARFUT is broken: a stop of 75 for 50",
    ]


def test_a_result_that_is_not_the_brokers_fills_less_charges_is_found():
    only(
        day(trades=(trade(charges_inr=Decimal("528.69"), net_inr=Decimal("971.31")),)),
        "I5: trade 3 of NFO:NIFTY22MARFUT is booked as gross 1500.00, charges 528.69, net 971.31; "
        "the broker's fills make gross 1500.00, charges 528.70, net 971.30",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"is_approved": False}, "stands on a decision that was not approved"),
        ({"closed_at": None}, "is still open"),
        ({"entered_quantity": 75}, "entered 75, its fills make 50"),
        ({"exited_quantity": 25}, "exited 25, its fills make 50"),
        ({"decision_id": 8}, "has no entry order that leads to its signal"),
    ],
)
def test_a_broken_link_of_a_trade_is_named(changes, sentence):
    assert f"I5: trade 3 of NFO:NIFTY22MARFUT {sentence}" in invariants.broken_chains(
        day(trades=(trade(**changes),))
    )


def test_an_order_without_a_placement_breaks_the_chain():
    found = invariants.broken_chains(day(orders=(order(commands=()), order(STOP))))
    assert found == [f"I5: ENTRY order {'0' * 24} of NFO:NIFTY22MARFUT has no placement"]


def test_fills_must_be_the_same_here_and_at_the_broker():
    stranger = fill_report(broker_trade_id="T9", filled_at=clock("10:00:03"))
    dearer = fill_report(STOP, price=Decimal("17029"))
    assert invariants.broken_chains(day(books=books(fills=(stranger, dearer)))) == [
        "I5: the broker's execution T9 of order B1 is in no trade of ours",
        "I5: fill T2 is 50 @ 17030 here and 50 @ 17029 at the broker",
        "I5: fill T1 of order B1 is not in the broker's book",
    ]


@pytest.mark.parametrize("reason", [PauseReason.FLATTEN, PauseReason.RISK])
def test_an_entry_under_a_latch_is_found(reason):
    standing = LatchFact(reason=reason, set_at=clock("09:50:00"), lifted_at=None)
    only(
        day(latches=(standing,)),
        f"I6: ENTRY order {'0' * 24} of NFO:NIFTY22MARFUT was sent at 10:00:01 under the latch {reason}",
    )


def test_an_entry_after_a_latch_was_lifted_or_never_sent_is_allowed():
    lifted = LatchFact(reason=PauseReason.FLATTEN, set_at=clock("09:50:00"), lifted_at=clock("09:51:00"))
    assert invariants.problems(day(latches=(lifted,))) == []
    unsent = order(commands=(place(clock("10:00:01"), CommandOutcome.EXPIRED),))
    standing = replace(lifted, lifted_at=None)
    assert list(invariants.flatten_holds(day(orders=(unsent, order(STOP)), latches=(standing,)))) == []


def test_a_latch_lifted_by_a_later_session_at_an_earlier_hour_counts_as_standing():
    later = LatchFact(reason=PauseReason.RISK, set_at=clock("09:50:00"), lifted_at=clock("08:30:00"))
    only(day(latches=(later,)), "I6: ENTRY order")


def test_a_flatten_has_thirty_seconds_and_needs_a_verdict():
    slow = square_off(finished_at=clock("15:10:31"), took_ms=31_000)
    only(day(flattens=(slow,)), "I6: the flatten (SQUARE_OFF) of 15:10:00 took 31.0 s")
    never = square_off(finished_at=None, state=FlattenState.RUNNING)
    only(day(flattens=(never,)), "I6: the flatten (SQUARE_OFF) of 15:10:00 has no verdict after 2100.0 s")
    watching = square_off(state=FlattenState.FLAT_BUT_WATCHING)
    only(day(flattens=(watching,)), "I6: the flatten (SQUARE_OFF) of 15:10:00 ended FLAT_BUT_WATCHING")


def test_a_verdict_of_flat_must_be_what_the_broker_shows():
    drill = square_off(
        reason=ExitReason.OPERATOR,
        asked_at=clock("10:10:00"),
        finished_at=clock("10:10:00.900"),
        is_square_off=False,
    )
    only(
        day(flattens=(drill, square_off())),
        "I6: the flatten (OPERATOR) of 10:10:00 said flat with 50 NFO:NIFTY22MARFUT held",
        "I6: the flatten (OPERATOR) of 10:10:00 said flat while B2 (S0000000000000000000) still worked",
    )
    elsewhere = replace(drill, tradingsymbols=("BANKNIFTY22MARFUT",))
    assert invariants.problems(day(flattens=(elsewhere, square_off()))) == []


def events(*moves):
    return tuple(
        EventFact(from_status=was, to_status=OrderStatus(to), filled_quantity=filled)
        for was, to, filled in moves
    )


@pytest.mark.parametrize(
    ("moves", "sentence"),
    [
        ([("", "ACCEPTED", 0)], "moved from new to ACCEPTED"),
        (
            [("", "SUBMITTED", 0), ("SUBMITTED", "FILLED", 50), ("FILLED", "CANCELED", 50)],
            "from FILLED to CANCELED",
        ),
        ([("", "SUBMITTED", 0), ("ACCEPTED", "FILLED", 50)], "was SUBMITTED and moved from ACCEPTED"),
        (
            [("", "SUBMITTED", 0), ("SUBMITTED", "PARTIALLY_FILLED", 50), ("PARTIALLY_FILLED", "FILLED", 25)],
            "had 50 filled, then 25",
        ),
        ([("", "SUBMITTED", 0)], "is FILLED with 50; its events end at SUBMITTED with 0"),
    ],
)
def test_a_state_that_goes_back_is_found(moves, sentence):
    found = list(invariants.states_only_go_forward(day(orders=(order(events=events(*moves)),))))
    assert any(sentence in one for one in found), found


def test_a_late_fill_may_leave_a_closed_state():
    late = events(("", "SUBMITTED", 0), ("SUBMITTED", "CANCELED", 0), ("CANCELED", "FILLED", 50))
    assert list(invariants.states_only_go_forward(day(orders=(order(events=late),)))) == []


def test_every_invariant_of_a_day_is_among_the_rules():
    crowd = tuple(
        CommandFact(
            kind=CommandKind.MODIFY,
            outcome=CommandOutcome.ACCEPTED,
            intent_at=clock("10:05:00") + timedelta(milliseconds=number),
        )
        for number in range(11)
    )
    busy = order(STOP, commands=(place(clock("10:00:03")), *crowd))
    only(day(orders=(order(), busy)), "I7: 11 orders in a second at 10:05:00, the limit is 10")
