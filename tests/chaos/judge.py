"""What must never be true, read from the exchange's books while the program runs; machine time, by this clock.

The invariants are those of the simulation's oracle; what differs is that nobody here knows what the program thinks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.chaos import books
from tests.chaos.books import Books
from tests.chaos.troubles import Troubles
from tests.simulation.oracle import AFTERMATH, ANY_FAULTS_S, ONE_FAULT_S, Line, Oracle, Violation, worst
from trading.core.enums import Role
from trading.core.order_ids import role_of_tag
from trading.core.session import IST
from trading.exchange.accounts import PLACE
from trading.exchange.market_day import WRITE, Entry

#: what a process sends so soon after it was continued may be what it was stopped over
LATE_FOR: Final = timedelta(seconds=2)


def machine_now() -> datetime:
    return datetime.now(IST)


class KillOracle(Oracle):
    """Judges by the wall clock of a machine that others use too: the healthy objective is the simulation's to hold."""

    def _judge_bare(self, line: Line, span_s: float) -> None:
        if line.bare_since is None:
            return
        met = self.happened.between(line.bare_since - AFTERMATH, self.now())
        allowed_s = ONE_FAULT_S if len(met) <= 1 else ANY_FAULTS_S
        if span_s > allowed_s:
            what = f"{line.spec.tradingsymbol} bare since {line.bare_since:%H:%M:%S.%f}"
            self.violate("I4", f"{what}: more than {allowed_s:.0f} s")


@dataclass(slots=True)
class Judge:
    """`look` reads what the exchange did since. One thread's; others may read its counts."""

    folder: Path
    troubles: Troubles
    open_positions_limit: int
    now: Callable[[], datetime] = machine_now
    books: Books | None = None
    oracle: Oracle | None = None
    entries: int = 0
    fills: int = 0
    #: orders that arrive until then may have been meant for an earlier time
    late_until: datetime | None = None
    latched_at: datetime | None = None
    _violations: list[Violation] = field(default_factory=list)
    _unprotected_s: list[float] = field(default_factory=list)
    _flatten_s: list[float] = field(default_factory=list)

    @property
    def open_positions(self) -> int:
        return sum(bool(line.held) for line in self.oracle.lines.values()) if self.oracle else 0

    @property
    def market_at(self) -> datetime | None:
        return self.books.day.market_at if self.books and self.books.day else None

    @property
    def violations(self) -> list[Violation]:
        return self._violations + (self.oracle.violations if self.oracle else [])

    @property
    def unprotected_s(self) -> list[float]:
        return self._unprotected_s + (self.oracle.unprotected_s if self.oracle else [])

    @property
    def flatten_s(self) -> list[float]:
        return self._flatten_s + (self.oracle.flatten_s if self.oracle else [])

    @property
    def is_flattening(self) -> bool:
        return self.oracle is not None and self.oracle.flatten_asked is not None

    def look(self) -> None:
        """Take what was written since, and the time that passed."""
        path = books.newest(self.folder)
        if self.books is not None:
            self._follow(self.books)
        if path is not None and (self.books is None or path != self.books.path):
            self._end_session()
            self.books = Books(path)
            self._follow(self.books)

    def press(self) -> None:
        """Flatten is asked for now."""
        if self.oracle is not None:
            self.oracle.press()

    def latch(self) -> None:
        """The program has said that it flattens: no entry reaches the exchange from here on."""
        self.latched_at = self.now()

    def end(self) -> None:
        """Close what is still open."""
        self.look()
        self._end_session()

    def violate(self, invariant: str, what: str) -> None:
        self._violations.append(Violation(self.now(), invariant, what))

    def as_json(self, began: datetime) -> dict[str, Any]:
        return {
            "entries": self.entries,
            "fills": self.fills,
            "violations": list(self._told(began)),
            "unprotected_s": worst(self.unprotected_s),
            "flatten_s": worst(self.flatten_s),
        }

    def _told(self, began: datetime) -> Iterator[dict[str, Any]]:
        for one in self.violations:
            at_s = round((one.at - began).total_seconds(), 1)
            yield {"at": at_s, "invariant": one.invariant, "what": one.what}

    def _follow(self, told: Books) -> None:
        for entry in told.follow():
            if self.oracle is None:
                self.oracle = self._new_oracle(told)
            self._take(entry, self.oracle)
        if self.oracle is not None:
            self._ask(self.oracle)

    def _ask(self, oracle: Oracle) -> None:
        oracle.refusing = self.troubles.out_of_reach(self.now())
        oracle.look()

    def _take(self, entry: Entry, oracle: Oracle) -> None:
        before = oracle.entry_fills + oracle.exit_fills
        if entry.kind == WRITE and entry.verb == PLACE and entry.answer.isdigit():
            self._placed(entry, oracle)
        self._ask(oracle)
        self.fills += oracle.entry_fills + oracle.exit_fills - before

    def _placed(self, entry: Entry, oracle: Oracle) -> None:
        is_entry = role_of_tag(str(entry.fields.get("tag", ""))) is Role.ENTRY
        self.entries += is_entry
        if self.late_until is not None and self.now() < self.late_until:
            oracle.late_ids.add(entry.answer)
        elif is_entry and self.latched_at is not None:
            self.violate("I6", f"entry {entry.answer} reached the exchange after the flatten's answer")

    def _new_oracle(self, told: Books) -> Oracle:
        return KillOracle(
            venue=told,  # type: ignore[arg-type]  # the questions of an oracle are all that it is asked
            now=self.now,
            happened=self.troubles,  # type: ignore[arg-type]  # likewise
            open_positions_limit=self.open_positions_limit,
        )

    def _end_session(self) -> None:
        if self.oracle is None:
            return
        self.oracle.end()
        self._violations += self.oracle.violations
        self._unprotected_s += self.oracle.unprotected_s
        self._flatten_s += self.oracle.flatten_s
        self.oracle = self.books = None
