"""REST: the account as a whole, burn-in days, health, and the numbers for Prometheus."""

from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from aitrapp_site.clocks import MachineClocks
from aitrapp_site.home import current_picture
from reporting import picture
from reporting.metrics import exposition
from reporting.schemas import BurninOut, HealthOut, StateOut
from risk.models import BurninDay
from trading import current, tick_bus
from trading.models import Account

router = Router(tags=["reporting"])

BURNIN_DAYS = 30


@router.get("/state", response=StateOut)
def state(request: HttpRequest, account: str = "") -> dict[str, Any]:
    """Mode, entries, the day's result and risk, who leads, the newest flatten."""
    return current_picture(current.account_named(account), tick_bus.read_newest(settings.REDIS_URL))


@router.get("/burnin", response=list[BurninOut])
def burnin(request: HttpRequest, account: str = "") -> QuerySet[BurninDay]:
    """The newest burn-in days with every criterion."""
    return BurninDay.objects.filter(account=current.account_named(account))[:BURNIN_DAYS]


@router.get("/health", auth=None, response={200: HealthOut, 503: HealthOut})
def health(request: HttpRequest) -> Status[dict[str, Any]]:
    """Every part the system stands on: 503 when one is not well."""
    parts = {"database": _database(), "redis": _redis()}
    if parts["database"] == "ok":
        parts |= _loops()
    return _answer(parts)


@router.get("/ready", auth=None, response={200: HealthOut, 503: HealthOut})
def ready(request: HttpRequest) -> Status[dict[str, Any]]:
    """Whether this process can serve: 503 until the database answers and is up to date."""
    return _answer({"database": _database()})


@router.get("/metrics", response={200: str})
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus, in its own text format; it can send a key as its bearer token."""
    text, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


def _answer(parts: dict[str, str]) -> Status[dict[str, Any]]:
    well = all(part == "ok" for part in parts.values())
    return Status(200 if well else 503, {"status": "ok" if well else "failing", "parts": parts})


def _database() -> str:
    try:
        Account.objects.exists()
    except (DatabaseError, InterfaceError) as error:
        return f"does not answer: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return "ok"


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except redis.RedisError as error:
        return f"does not answer: {error}"
    return "ok"


def _loops() -> dict[str, str]:
    try:
        account = current.account_named()
    except current.NoAccount as error:
        return {"account": str(error)}
    states = picture.loop_states(account, MachineClocks().machine_now())
    return {loop.lower(): state for loop, state in states.items()}
