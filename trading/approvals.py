"""An operator's yes for each entry, where the account wants one (`Account.asks_first`).

An entry that every rule lets pass is shown and waits; a yes brings it before all rules again, at the prices of then.
Without an answer it ends with the signal's own age, so nothing is entered on yesterday's idea. What is asked but not
decided survives a restart: the row is there and the signal has no decision.
"""

from datetime import datetime

from django.db.models import QuerySet

from risk.rules import EntryRequest
from trading.core.enums import ApprovalAnswer
from trading.core.session import clock_time
from trading.desk import Desk
from trading.models import Account, Approval, Signal


class TooLate(Exception):
    """Nobody can answer any more; the text says why."""


def ask(desk: Desk, signal: Signal, request: EntryRequest, *, until: datetime) -> Approval:
    """Put one entry before the operator."""
    return Approval.objects.create(
        account=desk.account,
        session=desk.session,
        signal=signal,
        quantity=request.quantity,
        limit_price=request.entry_price,
        risk_inr=request.risk_inr,
        asked_at=desk.clocks.market_now(),
        until=until,
    )


def undecided(desk: Desk) -> QuerySet[Approval]:
    """What was asked in these books and is not decided, oldest first, answered or not."""
    rows = Approval.objects.filter(session=desk.session, signal__trading_date=desk.trading_date)
    return rows.filter(signal__decision=None).select_related("signal").order_by("asked_at", "pk")


def waiting(account: Account, now: datetime) -> QuerySet[Approval]:
    """What an operator can still answer at this market time, oldest first."""
    rows = Approval.objects.filter(account=account, answer="", until__gt=now, signal__decision=None)
    return rows.select_related("signal").order_by("asked_at", "pk")


def answer(approval: Approval, given: ApprovalAnswer, *, by: str, now: datetime) -> None:
    """Write the operator's answer, once. Raises TooLate."""
    if approval.until <= now:
        raise TooLate(f"{approval.signal} could be entered until {clock_time(approval.until)}.")
    open_rows = Approval.objects.filter(pk=approval.pk, answer="", signal__decision=None)
    if not open_rows.update(answer=given, answered_by=by[:60], answered_at=now):
        approval.refresh_from_db()
        raise TooLate(f"{approval.signal} is answered: {approval.answer}, by {approval.answered_by}.")
