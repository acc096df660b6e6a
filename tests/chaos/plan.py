"""What a seed does to a run: which fault, on whom, when, for how long. Nothing but the seed decides it."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos.seams import Point
from tests.chaos.troubles import EXCHANGE, Kind
from trading.core.enums import Loop

LEADERS: Final = {loop: f"leader of {loop}" for loop in Loop}
WORKERS: Final = ("strategy", "watcher", "worker")
POSTGRES, VALKEY, KEEPER = "PostgreSQL", "Valkey", "keeper"
#: with it goes everything; somebody starts it again at once
SUPERVISOR: Final = "supervisor"
WIRE, CLOCK = "wire", "clock"
#: a process stopped at a command stands still so long
AT_COMMAND_S: Final = 30.0
#: between two faults that do not meet
GAP_S: Final = (2.0, 7.0)
#: how many faults begin while the one before lasts
MEETING: Final = 0.3
STOP_S: Final = (5.0, 60.0)
WIRE_S: Final = (2.0, 20.0)
CLOCK_S: Final = (5.0, 20.0)
DELAY_S: Final = (0.1, 5.0)
CLOCK_STEPS_S: Final = (-2.0, 2.0)
#: an installation without its database or its exchange trades nothing: such a stop shows all it can in this time
SERVER_STOP_S: Final = (5.0, 20.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One fault. `amount` is a delay or a clock's step in seconds; `point` and `loop` name a command's way."""

    at_s: float
    kind: Kind
    target: str
    lasts_s: float = 0.0
    amount_s: float = 0.0
    point: Point | None = None


#: kind, targets, how often against the others
DRAWN: Final[tuple[tuple[Kind, tuple[str, ...], int], ...]] = (
    (Kind.KILL, (*LEADERS.values(), *LEADERS.values(), *WORKERS, "dead_man", "web", "beat", EXCHANGE), 8),
    (Kind.KILL, (POSTGRES, VALKEY, KEEPER), 3),
    (Kind.KILL, (SUPERVISOR,), 1),
    (Kind.STOP, (*LEADERS.values(), *LEADERS.values(), *WORKERS, "dead_man", "web", "beat", KEEPER), 5),
    (Kind.STOP, (EXCHANGE, POSTGRES, VALKEY), 3),
    (Kind.STOP_AT_COMMAND, tuple(Loop), 4),
    (Kind.WIPE, (VALKEY,), 1),
    (Kind.RESTART_FAST, (POSTGRES,), 1),
    (Kind.RESTART_IMMEDIATE, (POSTGRES,), 1),
    (Kind.CUT, (WIRE,), 1),
    (Kind.REFUSED, (WIRE,), 2),
    (Kind.DELAYED, (WIRE,), 2),
    (Kind.BLACK_HOLE, (WIRE,), 2),
    (Kind.DEAF, (WIRE,), 2),
    (Kind.MUTE, (WIRE,), 3),
    (Kind.RESET, (WIRE,), 3),
    (Kind.CLOCK, (CLOCK,), 1),
)
WIRED: Final = frozenset(kind for kind, targets, _ in DRAWN if targets == (WIRE,))


def drawn(seed: int, span_s: float) -> list[Planned]:
    """The faults of a run, earliest first. Three come in every run: a stop at a command, a kill, a bad wire."""
    faults = _faults(Random(f"{seed}/kinds"))
    times = Random(f"{seed}/times")
    found: list[Planned] = []
    free_s, alone_s = times.uniform(0.5, 2.0), 0.0
    while free_s < span_s:
        kind, target, lasts_s, amount_s, point = next(faults)
        if target in (WIRE, CLOCK):
            # Of these there is one: two faults of it never meet.
            free_s = max(free_s, alone_s)
            alone_s = free_s + lasts_s + 0.5
            if free_s >= span_s:
                break
        if lasts_s and kind is not Kind.STOP_AT_COMMAND:
            lasts_s = round(min(lasts_s, max(span_s - free_s, 2.0)), 1)
        at_s = round(free_s, 1)
        found.append(
            Planned(at_s=at_s, kind=kind, target=target, lasts_s=lasts_s, amount_s=amount_s, point=point)
        )
        meets = times.random() < MEETING or kind is Kind.STOP_AT_COMMAND
        free_s += times.uniform(*GAP_S) + (0.0 if meets else lasts_s)
    return found


Drawn = tuple[Kind, str, float, float, Point | None]


def _faults(stream: Random) -> Iterator[Drawn]:
    promised = [Kind.STOP_AT_COMMAND, Kind.KILL, stream.choice(sorted(WIRED))]
    for kind in promised:
        yield _one(stream, kind, next(targets for known, targets, _ in DRAWN if known is kind))
    while True:
        kind, targets, _ = stream.choices(DRAWN, weights=[weight for _, _, weight in DRAWN])[0]
        yield _one(stream, kind, targets)


def _one(stream: Random, kind: Kind, targets: tuple[str, ...]) -> Drawn:
    target = stream.choice(targets)
    point = stream.choice(tuple(Point)) if kind is Kind.STOP_AT_COMMAND else None
    return kind, target, _lasts_s(stream, kind, target), _amount_s(stream, kind), point


def _lasts_s(stream: Random, kind: Kind, target: str) -> float:
    if kind is Kind.STOP_AT_COMMAND:
        return AT_COMMAND_S
    if kind is Kind.STOP:
        return stream.uniform(*(SERVER_STOP_S if target in (EXCHANGE, POSTGRES, VALKEY) else STOP_S))
    if kind is Kind.CLOCK:
        return stream.uniform(*CLOCK_S)
    return stream.uniform(*WIRE_S) if kind in WIRED - {Kind.CUT} else 0.0


def _amount_s(stream: Random, kind: Kind) -> float:
    if kind is Kind.DELAYED:
        return round(stream.uniform(*DELAY_S), 2)
    return stream.choice(CLOCK_STEPS_S) if kind is Kind.CLOCK else 0.0
