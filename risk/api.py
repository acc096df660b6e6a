"""REST: limits and pauses, the gate to real money, pause and resume."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from aitrapp_site import levers
from aitrapp_site.callers import Caller, Needs
from risk import state
from risk.limits import Limits
from risk.models import LIMIT_NAMES, EntriesOff
from trading import current
from trading.core.enums import Mode, Scope
from trading.models import Account

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
