"""REST: limits, locks, rules and pauses, an operator's yes or no, the gate to real money, the audit."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status

from aitrapp_site import levers
from aitrapp_site.callers import Caller, Needs
from aitrapp_site.web_clocks import WebClocks
from risk import locks, self_test, state
from risk.limits import Limits
from risk.locks import CannotBeLifted
from risk.models import LIMIT_NAMES, AuditEntry, EntriesOff, Lock, RuleTally
from trading import approvals, current
from trading.approvals import TooLate
from trading.core.enums import ApprovalAnswer, AuditAction, Mode, Scope
from trading.models import Account, Approval
from trading.schemas import ApprovalOut

router = Router(tags=["risk"])
OPERATE = Needs(Scope.OPERATE)
OPERATE_OR_LIVE = Needs(Scope.OPERATE, Scope.LIVE)


class ReasonOut(Schema):
    reason: str
    why: str
    set_by: str
    set_at: datetime


class EntriesOut(Schema):
    account: str
    entries_on: bool
    off_because: list[ReasonOut]


class RiskOut(EntriesOut):
    limits_version: int
    limits: dict[str, Decimal | int]


class AnswerIn(Schema):
    answer: ApprovalAnswer


class LockOut(Schema):
    id: int
    protection: str
    exchange: str
    tradingsymbol: str
    why: str
    cause_at: datetime
    until: datetime | None
    lifted_by: str
    lifted_at: datetime | None


class DetailOut(Schema):
    detail: str


class TallyOut(Schema):
    rule: str
    passes: int
    refusals: int


class RulesOut(Schema):
    account: str
    trading_date: date | None
    rules: list[TallyOut]
    unasked: list[str]


class PauseIn(Schema):
    why: str = "asked for"


class ModeIn(Schema):
    mode: Mode
    confirm: str = ""
    accept: str = ""


class ModeOut(Schema):
    account: str
    mode: str


class GateOut(Schema):
    account: str
    mode: str
    is_open: bool
    missing: list[str]


class RefusedOut(Schema):
    detail: str
    missing: list[str]


class AuditPage(Schema):
    """Which entries, newest first; `before_id` is the last id of the page before."""

    account: str = ""
    action: AuditAction | None = None
    before_id: Annotated[int, Query(ge=0)] = 0
    limit: Annotated[int, Query(ge=1, le=500)] = 100


class AuditOut(Schema):
    id: int
    at: datetime
    actor: str
    address: str
    action: str
    outcome: str
    subject: str
    account: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    words: str

    @staticmethod
    def resolve_account(entry: AuditEntry) -> str | None:
        return entry.account.name if entry.account else None


@router.get("/risk", response=RiskOut)
def risk(request: HttpRequest, account: str = "") -> dict[str, Any]:
    """The limits in force and why entries are off."""
    owner = current.account_named(account)
    limits = state.limits_in_force(owner.pk)
    values: Limits = limits.value()
    return {
        **entries_of(owner),
        "limits_version": limits.version,
        "limits": {name: getattr(values, name) for name in LIMIT_NAMES},
    }


@router.get("/locks", response=list[LockOut])
def locks_in_force(request: HttpRequest, account: str = "") -> list[Lock]:
    """What protections lock now by themselves: until when (null: until the day ends) and why."""
    owner = current.account_named(account)
    session = current.newest_session(owner)
    if session is None:
        return []
    return list(locks.in_force(owner.pk, session.pk, WebClocks(owner).market_now()))


@router.post("/locks/{lock_id}/lift", auth=OPERATE, response={200: LockOut, 404: DetailOut, 409: DetailOut})
def lift_lock(request: HttpRequest, lock_id: int, account: str = "") -> Status[Any]:
    """Let go of one lock. The next loss, refusal or slow answer is another cause, and locks again."""
    owner = current.account_named(account)
    lock = Lock.objects.filter(account=owner, pk=lock_id).first()
    if lock is None:
        return Status(
            404, {"detail": f"{owner.name} has no lock {lock_id}: GET /locks names those in force."}
        )
    try:
        levers.lift_lock(lock, by=caller_of(request).name)
    except CannotBeLifted as error:
        return Status(409, {"detail": str(error)})
    lock.refresh_from_db()
    return Status(200, lock)


@router.get("/approvals", response=list[ApprovalOut])
def approvals_waiting(request: HttpRequest, account: str = "") -> list[Approval]:
    """Entries that wait for an operator's yes; none where the account does not ask first."""
    owner = current.account_named(account)
    return list(approvals.waiting(owner, WebClocks(owner).market_now()))


@router.post(
    "/approvals/{approval_id}",
    auth=OPERATE,
    response={200: ApprovalOut, 404: DetailOut, 409: DetailOut},
)
def answer_approval(
    request: HttpRequest, approval_id: int, payload: AnswerIn, account: str = ""
) -> Status[Any]:
    """Yes or no to one entry. After a yes it is brought before all rules again, at the prices of then."""
    owner = current.account_named(account)
    approval = Approval.objects.filter(account=owner, pk=approval_id).select_related("signal").first()
    if approval is None:
        return Status(404, {"detail": f"{owner.name} asked nothing by the number {approval_id}."})
    try:
        levers.answer_approval(approval, payload.answer, by=caller_of(request).name)
    except TooLate as error:
        return Status(409, {"detail": str(error)})
    approval.refresh_from_db()
    return Status(200, approval)


@router.get("/rules", response=RulesOut)
def rules_asked(request: HttpRequest, account: str = "") -> dict[str, Any]:
    """How often each rule was asked on the newest day, what it said, and which were not asked at all."""
    owner = current.account_named(account)
    session = current.newest_session(owner)
    newest = RuleTally.objects.filter(session=session).order_by("-trading_date").first() if session else None
    if newest is None:
        return {"account": owner.name, "trading_date": None, "rules": [], "unasked": []}
    day = newest.trading_date
    rows = RuleTally.objects.filter(session=session, trading_date=day).order_by("rule")
    unasked = sorted(self_test.unasked(newest.session_id, day))
    return {"account": owner.name, "trading_date": day, "rules": list(rows), "unasked": unasked}


@router.get("/audit", auth=OPERATE, response=list[AuditOut])
def audit(request: HttpRequest, page: Query[AuditPage]) -> QuerySet[AuditEntry]:
    """Who did, changed or was refused what. It names people and addresses: a key that only reads prices gets none."""
    entries = AuditEntry.objects.select_related("account")
    if page.account:
        entries = entries.filter(account=current.account_named(page.account))
    if page.action:
        entries = entries.filter(action=page.action)
    if page.before_id:
        oldest = AuditEntry.objects.filter(pk=page.before_id).values("at")[:1]
        # The first condition alone is one that an index can begin at.
        entries = entries.filter(at__lte=oldest).filter(Q(at__lt=oldest) | Q(pk__lt=page.before_id))
    return entries[: page.limit]


@router.post("/pause", auth=OPERATE, response=EntriesOut)
def pause(request: HttpRequest, payload: PauseIn | None = None, account: str = "") -> dict[str, Any]:
    """No new entries until an operator resumes. Exits go on."""
    owner, caller = current.account_named(account), caller_of(request)
    levers.pause(owner, by=caller.name, why=(payload or PauseIn()).why)
    return entries_of(owner)


@router.post("/resume", auth=OPERATE, response=EntriesOut)
def resume(request: HttpRequest, account: str = "") -> dict[str, Any]:
    """Lift the operator's pause and the latch of a flatten. Says what still keeps entries off."""
    owner, caller = current.account_named(account), caller_of(request)
    levers.resume(owner, by=caller.name)
    return entries_of(owner)


@router.get("/gate", response=GateOut)
def gate(request: HttpRequest, account: str = "") -> dict[str, Any]:
    """What is missing for real money, whoever asks."""
    owner = current.account_named(account)
    found = levers.missing_for_live(owner)
    return {"account": owner.name, "mode": owner.mode, "is_open": not found, "missing": found}


@router.post("/mode", auth=OPERATE_OR_LIVE, response={200: ModeOut, 403: RefusedOut, 409: RefusedOut})
def mode(request: HttpRequest, payload: ModeIn, account: str = "") -> Status[dict[str, Any]]:
    """Ask for PAPER, which is given when flat, or for LIVE, which takes everything that the gate names."""
    owner, caller = current.account_named(account), caller_of(request)
    may_go_live = Scope.LIVE in caller.scopes
    missing = levers.ask_for_mode(
        owner, payload.mode, phrase=payload.confirm, accept=payload.accept, may_go_live=may_go_live
    )
    owner.refresh_from_db()
    if missing:
        is_denied = payload.mode is Mode.LIVE and not may_go_live
        detail = f"{owner.name} stays {owner.mode}: {len(missing)} conditions are not met."
        return Status(403 if is_denied else 409, {"detail": detail, "missing": missing})
    return Status(200, {"account": owner.name, "mode": owner.mode})


def caller_of(request: HttpRequest) -> Caller:
    """Who passed `Needs`."""
    caller: Caller = request.auth  # type: ignore[attr-defined]  # set by ninja
    return caller


def entries_of(account: Account) -> dict[str, Any]:
    """The standing reasons, as the API says them."""
    standing = list(EntriesOff.objects.filter(account=account, lifted_at=None).order_by("set_at", "pk"))
    return {"account": account.name, "entries_on": not standing, "off_because": standing}
