"""What goes wrong in a seed and how often: each rate is drawn once per seed from a stream of its own."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    CALL_LOST = "call lost before it applied"
    REPLY_LOST = "reply lost after it applied"
    LATE_CALL = "call arrives late"
    LATE_ORDER = "order reaches the exchange late"
    REFUSED = "refused"
    REJECTED = "rejected by the exchange"
    TOO_MANY = "429 burst"
    STALL = "call stalls"
    BOOK_LAG = "books lag"
    ODD_ROW = "a book row that cannot be"
    ODD_QUANTITY = "modified quantity not the total"
    UPDATE_DROPPED = "update dropped"
    UPDATE_DOUBLED = "update doubled"
    UPDATE_LATE = "update out of order"
    CRASH = "crash"
    STOPPED = "process stopped, another leads"
    DOUBLED_PASS = "pass run twice"
    FEED_GAP = "feed gap"
    SPIKE = "price spike"
    DATABASE = "database away for a statement"
    TOKEN = "token expired"
    ZOMBIE = "cancelled, then executed"
    CLOCK = "clock stepped"
    HAND_CLOSE = "closed by the user's hand"
    HAND_TRADE = "traded by the user's hand"
    SQUARE_OFF = "MIS square-off by the broker"
    FLATTEN = "operator's flatten"


#: told, but no trouble by themselves: they do not excuse a position without a stop
MILD = frozenset({Fault.UPDATE_DOUBLED, Fault.DOUBLED_PASS, Fault.FLATTEN, Fault.CLOCK, Fault.ODD_ROW})
#: what the seed's three promised faults are chosen from
PROMISED = (
    Fault.CALL_LOST,
    Fault.REPLY_LOST,
    Fault.LATE_CALL,
    Fault.REFUSED,
    Fault.REJECTED,
    Fault.STALL,
    Fault.CRASH,
    Fault.STOPPED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Shares of calls (0..1) or how many times in a seed."""

    call_lost: float = 0.0
    reply_lost: float = 0.0
    late_call: float = 0.0
    late_order: float = 0.0
    rejection: float = 0.0
    bursts: int = 0
    latency_ms: float = 60.0
    stall: float = 0.0
    lag_share: float = 0.0
    modified_quantity: str = "total"
    update_dropped: float = 0.0
    update_doubled: float = 0.0
    update_late: float = 0.0
    crash: float = 0.0
    stopped: int = 0
    doubled_pass: float = 0.0
    feed_gaps: int = 0
    spikes: int = 0
    failovers: int = 0
    token_expiries: int = 0
    zombie: float = 0.0
    clock_steps: int = 0
    hand_closes: int = 0
    hand_trades: int = 0
    square_offs: int = 0
    flattens: int = 0
    odd_rows: int = 0

    @classmethod
    def healthy(cls, seed: int) -> "Rates":
        """No fault at all: what the five-second objective is measured on."""
        return cls(latency_ms=Random(f"{seed}/rates").uniform(30, 150))

    @classmethod
    def drawn(cls, seed: int) -> "Rates":
        stream = Random(f"{seed}/rates")

        def share(most: float) -> float:
            return stream.uniform(0, most)

        def rarely(chance: float) -> int:
            return int(stream.random() < chance)

        return cls(
            call_lost=share(0.05),
            reply_lost=share(0.05),
            late_call=share(0.02),
            late_order=share(0.02),
            rejection=share(0.02),
            bursts=stream.randint(0, 3),
            latency_ms=stream.uniform(30, 400),
            stall=share(0.03),
            lag_share=stream.choice((0.0, 0.0, 0.2, 1.0)),
            modified_quantity=stream.choice(("total", "pending", "refuse")),
            update_dropped=share(0.3),
            update_doubled=share(0.3),
            update_late=share(0.3),
            crash=share(0.005),
            stopped=rarely(0.3),
            doubled_pass=share(0.05),
            feed_gaps=stream.randint(0, 5),
            spikes=stream.randint(0, 20),
            failovers=rarely(0.5),
            token_expiries=rarely(0.3),
            zombie=stream.choice((0.0, share(0.01), 1.0 if stream.random() < 0.1 else 0.0)),
            clock_steps=rarely(0.5),
            hand_closes=rarely(0.3),
            hand_trades=rarely(0.2),
            square_offs=rarely(0.1),
            flattens=stream.choice((0, 1, 1, 2)),
            odd_rows=rarely(0.15),
        )


@dataclass(slots=True)
class Happened:
    """What went wrong in a run: counted by kind, those that hit while a position was open, and when."""

    by_kind: Counter[Fault] = field(default_factory=Counter)
    while_open: Counter[Fault] = field(default_factory=Counter)
    spans: list[tuple[datetime, datetime, Fault]] = field(default_factory=list)

    def note(self, fault: Fault, now: datetime, lasts_s: float, *, is_open: bool) -> None:
        self.by_kind[fault] += 1
        if is_open:
            self.while_open[fault] += 1
        if fault not in MILD:
            self.spans.append((now, now + timedelta(seconds=lasts_s), fault))

    def between(self, start: datetime, end: datetime) -> list[Fault]:
        """Faults whose time overlaps a span."""
        return [fault for began, over, fault in self.spans if began <= end and over >= start]

    def any_began_since(self, moment: datetime) -> bool:
        return any(began >= moment for began, _, _ in self.spans)

    def last_over(self) -> datetime | None:
        return max((over for _, over, _ in self.spans), default=None)
