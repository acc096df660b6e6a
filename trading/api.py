"""REST: signals, decisions, orders and trades of the current books, and the doors that Kite itself uses."""

import json
import secrets
from typing import Annotated, Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from ninja import Query, Router, Schema, Status
from ninja.errors import HttpError

from aitrapp_site.callers import Needs
from risk import audit
from trading import bells, current
from trading.broker.kite.postback import is_genuine
from trading.core.enums import AuditAction, Scope
from trading.models import Account, Decision, Order, Signal, Trade
from trading.schemas import DecisionOut, OrderOut, SignalOut, TradeOut

router = Router(tags=["trading"])
kite = Router(tags=["kite"])

Row = TypeVar("Row", bound=Model)
POSTBACK_MAX_BYTES = 64 * 1024
NO_BROWSER = (
    "A person logs in at Kite, in a browser: open /admin/kite/ in the console, or use `manage.py kite_login`."
)
NOT_BEGUN_HERE = "That login was not begun here, or twice. Begin again."
#: the browser's session keeps the word that Kite must bring back
STATE = "kite_state"


class Page(Schema):
    """Which rows: those of the account's newest books, newest first."""

    account: str = ""
    limit: Annotated[int, Query(ge=1, le=500)] = 100


def newest(rows: QuerySet[Row], page: Page, session: str = "session") -> QuerySet[Row]:
    """One page of the rows that belong to the books meant; `session` is the lookup that leads there."""
    books = current.newest_session(current.account_named(page.account))
    return rows.filter(**{session: books})[: page.limit] if books else rows.none()


@router.get("/signals", response=list[SignalOut])
def signals(request: HttpRequest, page: Query[Page]) -> QuerySet[Signal]:
    """Setups that strategies saw."""
    return newest(Signal.objects.all(), page)


@router.get("/decisions", response=list[DecisionOut])
def decisions(request: HttpRequest, page: Query[Page]) -> QuerySet[Decision]:
    """The answer to each signal, with every reason of a refusal."""
    return newest(Decision.objects.select_related("signal"), page, "signal__session")


@router.get("/orders", response=list[OrderOut])
def orders(request: HttpRequest, page: Query[Page]) -> QuerySet[Order]:
    """What was asked of the broker, and what became of it."""
    return newest(Order.objects.all(), page)


@router.get("/trades", response=list[TradeOut])
def trades(request: HttpRequest, page: Query[Page]) -> QuerySet[Trade]:
    """Round trips, open and closed."""
    return newest(Trade.objects.all(), page)


@kite.post("/postback", auth=None, response={200: dict[str, str]})
def postback(request: HttpRequest) -> dict[str, str]:
    """Kite's order postback. Its checksum covers no status and no quantity, so it only makes the watcher look."""
    data = _postback_of(request)
    secret = settings.KITE_API_SECRET
    if not secret:
        raise HttpError(409, "Postbacks cannot be checked: set KITE_API_SECRET.")
    if not is_genuine(data, secret):
        raise HttpError(403, "The checksum is wrong: this postback was not signed with our API secret.")
    for account in Account.objects.filter(broker_user=str(data.get("user_id", ""))):
        bells.ring(bells.EXITS, account.pk)
    return {"status": "ok"}


def _postback_of(request: HttpRequest) -> dict[str, Any]:
    if int(request.headers.get("Content-Length") or 0) > POSTBACK_MAX_BYTES:
        raise HttpError(413, "A postback is a small JSON object; this is larger than 64 kB.")
    try:
        data = json.loads(request.body)
    except ValueError as error:
        raise HttpError(400, "A postback is a JSON object.") from error
    if not isinstance(data, dict):
        raise HttpError(400, "A postback is a JSON object.")
    return data


@kite.get("/login", auth=Needs(Scope.OPERATE), response={302: None, 409: dict[str, str]})
def login(request: HttpRequest) -> HttpResponse | Status[dict[str, str]]:
    """Where the operator's daily login at Kite begins: the browser is sent to Kite's own page."""
    from aitrapp_site import kite_login

    if not request.user.is_authenticated:
        return Status(409, {"detail": NO_BROWSER})
    word = secrets.token_urlsafe(24)
    try:
        page = kite_login.login_url(word)
    except kite_login.LoginRefused as error:
        return Status(409, {"detail": str(error)})
    request.session[STATE] = word
    return HttpResponseRedirect(page)


@kite.get("/callback", auth=Needs(Scope.OPERATE), response={302: None, 409: dict[str, str]})
def callback(
    request: HttpRequest, request_token: str = "", state: str = ""
) -> HttpResponse | Status[dict[str, str]]:
    """Where Kite sends the operator's browser back to. Only the browser that was sent there is believed, once."""
    from aitrapp_site import kite_login

    if not request.user.is_authenticated:
        return Status(409, {"detail": NO_BROWSER})
    sent = str(request.session.pop(STATE, ""))
    if not kite_login.is_same_state(sent, state):
        audit.refuse(AuditAction.KITE_LOGIN, "a browser that was not sent to Kite", words=NOT_BEGUN_HERE)
        messages.error(request, NOT_BEGUN_HERE)
        return HttpResponseRedirect(reverse("kite"))
    try:
        stored = kite_login.complete(
            current.account_named(), request_token, asked_by=request.user.get_username()
        )
    except kite_login.LoginRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Logged in as {stored.broker_user}.")
    return HttpResponseRedirect(reverse("kite"))
