"""REST: positions with their protection, groups, and the kill switch."""

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from aitrapp_site.callers import Caller, Needs
from aitrapp_site.home import current_picture
from aitrapp_site.web_clocks import WebClocks
from oco import flatten as kill_switch
from oco.models import Flatten, OcoGroup
from reporting import picture as pictures
from reporting.schemas import FlattenOut, PositionOut
from trading import bells, current, tick_bus
from trading.api import Page, newest
from trading.core.enums import ExitReason, Scope
from trading.models import Account

router = Router(tags=["oco"])

#: a caller is told the verdict when it comes within this long, else that the flatten goes on
VERDICT_WITHIN_S = 10.0
LOOK_EVERY_S = 0.02


class LegOut(Schema):
    kind: str
    state: str
    price: Decimal
    client_order_id: str


class OcoOut(Schema):
    id: int
    trade_id: int
    entry_order_id: int
    tradingsymbol: str
    number: int
    side: str
    state: str
    planned_quantity: int
    entered_quantity: int
    exited_quantity: int
    initial_stop_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    legs: list[LegOut]
    first_filled_at: datetime
    armed_at: datetime | None
    unprotected_ms: int
    exit_reason: str
    problem: str
    closed_at: datetime | None

    @staticmethod
    def resolve_tradingsymbol(row: OcoGroup) -> str:
        return row.trade.tradingsymbol

    @staticmethod
    def resolve_legs(row: OcoGroup) -> list[Any]:
        return list(row.legs.all())


@router.get("/positions", response=list[PositionOut])
def positions(request: HttpRequest, account: str = "") -> list[dict[str, Any]]:
    """What is open now, with live price, stop and target."""
    ticks = tick_bus.read_newest(settings.REDIS_URL)
    found: list[dict[str, Any]] = current_picture(current.account_named(account), ticks)["positions"]
    return found


@router.get("/oco", response=list[OcoOut])
def groups(request: HttpRequest, page: Query[Page]) -> QuerySet[OcoGroup]:
    """Protected quantities and their legs, newest first."""
    return newest(OcoGroup.objects.select_related("trade").prefetch_related("legs"), page)


@router.post("/flatten", auth=Needs(Scope.OPERATE), response={200: FlattenOut, 202: FlattenOut})
def flatten(request: HttpRequest, account: str = "") -> tuple[int, dict[str, Any] | None]:
    """Close everything of ours and take no new entry. 200 with the verdict, 202 while it still goes on."""
    caller: Caller = request.auth  # type: ignore[attr-defined]  # set by ninja
    row = press_flatten(current.account_named(account), by=caller.name)
    return (200 if row.finished_at else 202), pictures.flatten(row)


def press_flatten(account: Account, *, by: str) -> Flatten:
    """Ask for everything to be closed and wait for the verdict. Raises HttpError 409 before the first books."""
    session = current.newest_session(account)
    if session is None:
        raise HttpError(409, f"{account.name} has never traded, so there is nothing to close.")
    row = kill_switch.request(account, session, ExitReason.OPERATOR, asked_by=by, clocks=WebClocks(account))
    bells.ring(bells.EXITS, account.pk)
    clocks, pause = WebClocks(account), threading.Event()
    until_s = clocks.monotonic_s() + VERDICT_WITHIN_S
    while row.finished_at is None and clocks.monotonic_s() < until_s:
        pause.wait(LOOK_EVERY_S)
        row.refresh_from_db()
    return row
