"""The day's table: what happens at which market time, each row once per trading date and venue session.

The watcher's pass runs it, so that a square-off depends on neither beat nor Redis nor a tick.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from oco import flatten
from oco.models import DayStep
from risk import state
from trading.core.enums import ExitReason, PauseReason
from trading.core.session import Session
from trading.core.values import InstrumentSpec
from trading.desk import Desk


@dataclass(frozen=True, slots=True)
class DayRow:
    """One row of the table. `run` is safe to repeat: it runs again when a crash came before it was noted done."""

    name: str
    due_at: datetime
    run: Callable[[Desk], dict[str, Any]]


def table(specs: Sequence[InstrumentSpec], sessions: Sequence[Session], opens: datetime) -> list[DayRow]:
    """The rows the watcher owns: the day roll, and a square-off for each time at which instruments must be left."""
    by_time: dict[datetime, list[str]] = {}
    for spec, session in zip(specs, sessions, strict=True):
        by_time.setdefault(session.square_off_at, []).append(spec.tradingsymbol)
    last = max(by_time)
    rows = [DayRow("day_roll", opens, _roll)]
    for due_at, tradingsymbols in sorted(by_time.items()):
        scope = () if due_at == last else tuple(tradingsymbols)
        rows.append(DayRow(f"square_off_{due_at:%H%M}", due_at, _square_off(scope)))
    return rows


def pending(desk: Desk, rows: Iterable[DayRow]) -> list[DayRow]:
    """Rows not yet done today, earliest first."""
    done = set(
        DayStep.objects.filter(
            account=desk.account, session=desk.session, trading_date=desk.trading_date
        ).values_list("name", flat=True)
    )
    return sorted((row for row in rows if row.name not in done), key=lambda row: row.due_at)


def run(desk: Desk, row: DayRow) -> bool:
    """Run one row and note it done. False when another process noted it first."""
    result = row.run(desk)
    try:
        with transaction.atomic():
            DayStep.objects.create(
                account=desk.account,
                session=desk.session,
                trading_date=desk.trading_date,
                name=row.name,
                due_at=row.due_at,
                done_at=desk.clocks.market_now(),
                result=result,
            )
    except IntegrityError:
        return False
    return True


def _roll(desk: Desk) -> dict[str, Any]:
    """A new day: what the risk limits of an earlier day closed is open again."""
    lifted = state.lift(desk.account.pk, PauseReason.RISK, by="day's table", now=desk.clocks.market_now())
    return {"risk_lifted": lifted}


def _square_off(tradingsymbols: Sequence[str]) -> Callable[[Desk], dict[str, Any]]:
    def square_off(desk: Desk) -> dict[str, Any]:
        row = flatten.request(
            desk.account,
            desk.session,
            ExitReason.SQUARE_OFF,
            asked_by="day's table",
            clocks=desk.clocks,
            tradingsymbols=tradingsymbols,
        )
        return {"flatten": row.pk}

    return square_off
