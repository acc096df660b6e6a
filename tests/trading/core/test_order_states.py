import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.core.enums import OrderStatus
from trading.core.enums import OrderStatus as S
from trading.core.order_states import (
    CLOSED,
    IN_FLIGHT,
    LATE,
    NEXT,
    OPEN,
    SEED_WORDS,
    SENTENCES,
    IllegalTransition,
    next_status,
    statuses_named,
)

ORDERED = (
    S.SUBMITTED,
    S.UNKNOWN,
    S.PENDING_NEW,
    S.PENDING_MODIFY,
    S.PENDING_CANCEL,
    S.ACCEPTED,
    S.PARTIALLY_FILLED,
    S.FILLED,
    S.CANCELED,
    S.REJECTED,
    S.DENIED,
    S.LOST,
)

# row: from, column: to, in the order above; x a move, . a repeat, - none, c is read as CANCELED
TABLE = """
SUBMITTED        . x x x x x x x x x x -
UNKNOWN          - . x x x x x x x c - x
PENDING_NEW      - - . x x x x x x x - x
PENDING_MODIFY   - - - . x x x x x x - -
PENDING_CANCEL   - - - x . x x x x x - -
ACCEPTED         - - - x x . x x x x - -
PARTIALLY_FILLED - - - x x - . x x - - -
FILLED           - - - - - - - . - - - -
CANCELED         - - - - - - x x . c - -
REJECTED         - - - - - - x x - . - -
DENIED           - - - - - - - - - - . -
LOST             - - x x x x x x x c - .
"""
CELLS = [
    (S(words[0]), reported, mark)
    for words in map(str.split, TABLE.strip().splitlines())
    for reported, mark in zip(ORDERED, words[1:], strict=True)
]


@pytest.mark.parametrize(("current", "reported", "mark"), CELLS)
def test_each_pair_of_states_does_what_the_table_says(current, reported, mark):
    if mark == "-":
        with pytest.raises(IllegalTransition) as caught:
            next_status(current, reported)
        assert (caught.value.current, caught.value.reported) == (current, reported)
    else:
        assert next_status(current, reported) is (S.CANCELED if mark == "c" else reported)


def test_a_refused_move_says_what_is_allowed():
    with pytest.raises(
        IllegalTransition,
        match="that is REJECTED cannot become ACCEPTED; it can become FILLED, PARTIALLY_FILLED",
    ):
        next_status(S.REJECTED, S.ACCEPTED)
    with pytest.raises(IllegalTransition, match="it can become nothing"):
        next_status(S.DENIED, S.FILLED)


def test_a_lost_answer_never_becomes_a_refusal():
    assert S.REJECTED not in NEXT[S.UNKNOWN]
    assert next_status(S.UNKNOWN, S.REJECTED) is S.CANCELED


def test_every_state_can_be_reached_from_the_intent():
    reached, frontier = {S.SUBMITTED}, [S.SUBMITTED]
    while frontier:
        for status in NEXT[frontier.pop()] - reached:
            reached.add(status)
            frontier.append(status)
    assert reached == set(OrderStatus)


def test_every_state_has_a_row_a_sentence_and_one_class():
    assert set(NEXT) == set(SENTENCES) == set(OrderStatus)
    assert set(OrderStatus) == IN_FLIGHT | OPEN | CLOSED
    assert len(IN_FLIGHT) + len(OPEN) + len(CLOSED) == 12


def test_only_the_listed_late_moves_leave_a_closed_state():
    assert set(LATE) == CLOSED
    assert {status: NEXT[status] for status in CLOSED} == LATE
    assert LATE[S.FILLED] == LATE[S.DENIED] == frozenset()


@given(st.lists(st.sampled_from(ORDERED), max_size=12))
def test_whatever_is_reported_a_filled_order_stays_filled(reports):
    status = S.SUBMITTED
    was_filled = False
    for reported in reports:
        try:
            status = next_status(status, reported)
        except IllegalTransition:
            continue
        was_filled = was_filled or status is S.FILLED
    assert not was_filled or status is S.FILLED


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        (["PARTIAL"], {S.PARTIALLY_FILLED}),
        (["FILLED"], {S.FILLED}),
        (
            ["PLACED"],
            {S.SUBMITTED, S.UNKNOWN, S.PENDING_NEW, S.PENDING_MODIFY, S.PENDING_CANCEL, S.ACCEPTED},
        ),
        (("PARTIAL", "FILLED"), {S.PARTIALLY_FILLED, S.FILLED}),
        ([], set()),
    ],
)
def test_the_three_words_stand_for_their_states(words, statuses):
    assert statuses_named(words) == statuses


@pytest.mark.parametrize("word", ["PLACE", "placed", "", "ACCEPTED"])
def test_an_unknown_word_raises_and_names_the_known_ones(word):
    with pytest.raises(ValueError, match=f"unknown order status '{word}'; use PLACED, PARTIAL, FILLED"):
        statuses_named(["FILLED", word])


def test_a_bare_string_is_not_a_list_of_words():
    with pytest.raises(ValueError, match=r"give a list of words, such as \['FILLED'\]"):
        statuses_named("FILLED")


def test_no_closed_order_but_a_filled_one_counts_as_placed():
    counted = frozenset().union(*SEED_WORDS.values())
    assert counted & CLOSED == {S.FILLED}
