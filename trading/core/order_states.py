"""The states of an order and the moves between them. The one writer of `status` asks here first."""

from collections.abc import Iterable

from trading.core.enums import OrderStatus
from trading.core.enums import OrderStatus as S

#: a call or its confirmation is outstanding
IN_FLIGHT = frozenset({S.SUBMITTED, S.UNKNOWN, S.PENDING_NEW, S.PENDING_MODIFY, S.PENDING_CANCEL})
#: works at the broker
OPEN = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED})
CLOSED = frozenset({S.DENIED, S.FILLED, S.CANCELED, S.REJECTED, S.LOST})

_FILLS = frozenset({S.PARTIALLY_FILLED, S.FILLED})
_FOUND = frozenset({S.PENDING_NEW, S.PENDING_MODIFY, S.PENDING_CANCEL, S.ACCEPTED, S.CANCELED}) | _FILLS

#: The only ways out of a closed state. Kite is known to execute an order it reported cancelled, and an order
#: given up for lost may still arrive: LOST stays watched until the day ends.
LATE: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.CANCELED: _FILLS,
    S.REJECTED: _FILLS,
    S.LOST: _FOUND,
    S.FILLED: frozenset(),
    S.DENIED: frozenset(),  # never sent
}

NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.SUBMITTED: _FOUND | {S.UNKNOWN, S.REJECTED, S.DENIED},
    # An answer that did not come is no refusal, so nothing leads from here to REJECTED.
    S.UNKNOWN: _FOUND | {S.LOST},
    S.PENDING_NEW: (_FOUND - {S.PENDING_NEW}) | {S.REJECTED, S.LOST},
    S.PENDING_MODIFY: (_FOUND - {S.PENDING_NEW, S.PENDING_MODIFY}) | {S.REJECTED},
    # The cancel may be refused, lose the race, or meet an order that is refused meanwhile.
    S.PENDING_CANCEL: (_FOUND - {S.PENDING_NEW, S.PENDING_CANCEL}) | {S.REJECTED},
    S.ACCEPTED: (_FOUND - {S.PENDING_NEW, S.ACCEPTED}) | {S.REJECTED},
    # The unfilled rest is cancelled, never rejected: what was filled stays filled.
    S.PARTIALLY_FILLED: frozenset({S.PENDING_MODIFY, S.PENDING_CANCEL, S.FILLED, S.CANCELED}),
    **LATE,
}

#: What we lost sight of ends FILLED, CANCELED or LOST. A refusal found later in the book closes it as
#: CANCELED; the broker's words go into the event. The book goes on saying REJECTED of it.
_READ_AS = {
    (S.UNKNOWN, S.REJECTED): S.CANCELED,
    (S.LOST, S.REJECTED): S.CANCELED,
    (S.CANCELED, S.REJECTED): S.CANCELED,
}

SENTENCES: dict[OrderStatus, str] = {
    S.SUBMITTED: "Written down and on its way to the broker; no answer yet.",
    S.UNKNOWN: "Sent without a believable answer; looked for in the broker's books, never sent again.",
    S.PENDING_NEW: "The broker has it; the exchange has not confirmed it yet.",
    S.PENDING_MODIFY: "A change was asked for and is not confirmed by the book yet.",
    S.PENDING_CANCEL: "A cancellation was asked for and is not confirmed by the book yet.",
    S.ACCEPTED: "Rests at the exchange, nothing filled yet.",
    S.PARTIALLY_FILLED: "A part is filled, the rest still works at the exchange.",
    S.FILLED: "Filled completely.",
    S.CANCELED: "Closed with an unfilled rest; a late fill may still come and is then counted.",
    S.REJECTED: "Refused by the broker or the exchange.",
    S.DENIED: "Refused by us before it was sent.",
    S.LOST: "Never found in the broker's books; watched until the day ends.",
}

#: The three words of `order_exists(status_in=…)`.
SEED_WORDS: dict[str, frozenset[OrderStatus]] = {
    "PLACED": IN_FLIGHT | {S.ACCEPTED},
    "PARTIAL": frozenset({S.PARTIALLY_FILLED}),
    "FILLED": frozenset({S.FILLED}),
}


class IllegalTransition(ValueError):
    """A move outside the table. The order keeps its status; the report is kept for a human."""

    def __init__(self, current: OrderStatus, reported: OrderStatus) -> None:
        allowed = ", ".join(sorted(NEXT[current])) or "nothing"
        super().__init__(f"an order that is {current} cannot become {reported}; it can become {allowed}")
        self.current = current
        self.reported = reported


def next_status(current: OrderStatus, reported: OrderStatus) -> OrderStatus:
    """The status after a report; a repeat changes nothing.

    Raises:
        IllegalTransition: the table does not have the move.
    """
    wanted = _READ_AS.get((current, reported), reported)
    if wanted is not current and wanted not in NEXT[current]:
        raise IllegalTransition(current, reported)
    return wanted


def statuses_named(words: Iterable[str]) -> frozenset[OrderStatus]:
    """The statuses that PLACED, PARTIAL and FILLED stand for.

    Raises:
        ValueError: a word that is none of the three, or a bare string in place of several words.
    """
    if isinstance(words, str):
        raise ValueError(f"give a list of words, such as [{words!r}], not the bare string {words!r}")
    wanted = tuple(words)
    unknown = [word for word in wanted if word not in SEED_WORDS]
    if unknown:
        raise ValueError(f"unknown order status {', '.join(map(repr, unknown))}; use {', '.join(SEED_WORDS)}")
    return frozenset().union(*(SEED_WORDS[word] for word in wanted))
