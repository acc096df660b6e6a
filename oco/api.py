"""REST: positions with their protection, groups, and the kill switch."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status

from aitrapp_site import levers
from aitrapp_site.callers import Caller, Needs
from aitrapp_site.home import current_picture
from oco.models import OcoGroup
from oco.stop_moves import CannotBeMoved
from reporting import picture as pictures
from reporting.schemas import FlattenOut, PositionOut
from trading import current, tick_bus
from trading.api import Page, newest
from trading.core.enums import MoveState, Scope
from trading.models import Trade

router = Router(tags=["oco"])


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


class StopIn(Schema):
    price: Decimal


class StopMoveOut(Schema):
    id: int
    group_id: int
    from_price: Decimal
    price: Decimal
    state: str
    why: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    took_ms: int | None


class DetailOut(Schema):
    detail: str


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
def flatten(request: HttpRequest, account: str = "") -> Status[dict[str, Any] | None]:
    """Close everything of ours and take no new entry. 200 with the verdict, 202 while it still goes on."""
    row = levers.flatten(current.account_named(account), by=_caller(request).name)
    return Status(200 if row.finished_at else 202, pictures.flatten(row))


@router.post(
    "/positions/{trade_id}/close",
    auth=Needs(Scope.OPERATE),
    response={200: FlattenOut, 202: FlattenOut, 404: DetailOut, 409: DetailOut},
)
def close_position(request: HttpRequest, trade_id: int, account: str = "") -> Status[Any]:
    """Close one position; entries stay on. 200 with the verdict, 202 while it still goes on."""
    owner = current.account_named(account)
    trade = Trade.objects.filter(account=owner, pk=trade_id).select_related("account", "session").first()
    if trade is None:
        return Status(
            404, {"detail": f"{owner.name} has no trade {trade_id}: GET /positions names the open ones."}
        )
    row = levers.close_position(trade, by=_caller(request).name)
    return Status(200 if row.finished_at else 202, pictures.flatten(row))


@router.post(
    "/oco/{group_id}/stop",
    auth=Needs(Scope.OPERATE),
    response={200: StopMoveOut, 202: StopMoveOut, 404: DetailOut, 409: StopMoveOut | DetailOut},
)
def move_stop(request: HttpRequest, group_id: int, payload: StopIn, account: str = "") -> Status[Any]:
    """Move one stop nearer to the price, never through it. 409 with the reason, 202 while there is no answer."""
    owner = current.account_named(account)
    groups_of = OcoGroup.objects.select_related("entry_order", "account", "session")
    group = groups_of.filter(account=owner, pk=group_id).first()
    if group is None:
        return Status(404, {"detail": f"{owner.name} has no group {group_id}: GET /oco names them."})
    try:
        row = levers.move_stop(group, payload.price, by=_caller(request).name)
    except CannotBeMoved as error:
        return Status(409, {"detail": str(error)})
    if row.finished_at is None:
        return Status(202, row)
    return Status(200 if row.state == MoveState.MOVED else 409, row)


def _caller(request: HttpRequest) -> Caller:
    """Who passed `Needs`."""
    caller: Caller = request.auth  # type: ignore[attr-defined]  # set by ninja
    return caller
