"""The fire drill: one fault made on purpose, and how long until it was seen and until the position was safe again.

Only on paper, and only at the paper exchange: the fault is asked of the exchange itself, by a route that no broker
has. A resting stop of ours is cancelled behind the program's back, as a broker's risk desk may do.
"""

import json
import urllib.request
from dataclasses import asdict, dataclass
from http.client import HTTPException
from threading import Event
from typing import Final
from urllib.error import HTTPError

from django.conf import settings

from aitrapp_site import wiring
from aitrapp_site.clocks import MachineClocks
from oco.models import OcoGroup
from reporting import picture as pictures
from risk import audit
from trading import current
from trading.broker.kite import environment
from trading.core import order_states
from trading.core.enums import AuditAction, GroupState, Loop, Mode, OrderStatus, Role
from trading.models import Account, Order

#: longer than one fault may leave a position without a live stop
WITHIN_S: Final = 30.0
LOOK_EVERY_S: Final = 0.01
CALL_TIMEOUT_S: Final = 5.0


class CannotDrill(Exception):
    """Nothing was done; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """What was done and how it went. Times from the fault on, machine ms; None: not within `WITHIN_S`."""

    tradingsymbol: str
    quantity: int
    detected_ms: int | None
    safe_ms: int | None
    #: how the position ended up safe
    how: str


def why_not(account: Account) -> str:
    """Why there can be no drill now; empty when there can."""
    if account.mode != Mode.PAPER:
        return f"{account.name} is {account.mode}: a drill costs a position, and this one is real money."
    place = wiring.place()
    if place.name != environment.EXCHANGE.name:
        return f"Orders go to the {place.name}: a drill is only made at the paper exchange of `make paper`."
    if pictures.loop_states(account, MachineClocks().machine_now())[Loop.EXITS] != "ok":
        return "The exits' loop does not work now: that is no drill any more."
    if not candidates(account):
        return "No position is open whose stop rests at the exchange: there is nothing to lose it from."
    return ""


def candidates(account: Account) -> list[OcoGroup]:
    """Open groups whose stop rests, the smallest first: a drill closes one."""
    session = current.newest_session(account)
    rows = OcoGroup.objects.filter(session=session, state=GroupState.ARMED, closed_at=None, close_reason="")
    found = [row for row in rows.select_related("trade", "entry_order") if _stop_of(row) is not None]
    return sorted(found, key=lambda row: (row.entered_quantity * row.stop_price, row.pk))


def run(account: Account, group: OcoGroup) -> Drill:
    """Cancel the group's stop at the exchange and watch the rows. Raises CannotDrill."""
    subject = f"fire drill, account {account.name}"
    stop = _stop_of(group)
    why = why_not(account) or ("" if stop else f"{group} has no resting stop any more.")
    if stop is None or why:
        audit.refuse(AuditAction.PROBE, subject, account=account, words=why)
        raise CannotDrill(why)
    began = {"group": group.pk, "cancelled": stop.broker_order_id}
    audit.note(AuditAction.PROBE, subject, account=account, after=began, words="Begun.")
    try:
        _cancel(stop.broker_order_id)
    except (OSError, HTTPException) as error:
        told = _told(error)
        audit.note(AuditAction.PROBE, subject, account=account, words=f"Nothing was cancelled: {told}")
        raise CannotDrill(f"The exchange did not cancel the stop: {told}") from error
    drill = _watch(group, stop)
    audit.note(AuditAction.PROBE, subject, account=account, after=began | asdict(drill), words="Over.")
    return drill


def _stop_of(group: OcoGroup) -> Order | None:
    rows = Order.objects.filter(entry=group.entry_order_id, group_number=group.number, role=Role.STOP)
    return rows.filter(status=OrderStatus.ACCEPTED).exclude(broker_order_id="").order_by("-pk").first()


def _cancel(broker_order_id: str) -> None:
    request = urllib.request.Request(
        f"{settings.EXCHANGE_URL}/_exchange/cancel",
        data=json.dumps({"order_id": broker_order_id}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S).close()


def _told(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.read().decode(errors='replace')[:200]}"
    return str(error)


def _watch(group: OcoGroup, stop: Order) -> Drill:
    clocks, pause = MachineClocks(), Event()
    began_s = clocks.monotonic_s()
    detected_ms: int | None = None
    how, waited_ms = "", 0
    while not how and waited_ms < WITHIN_S * 1000:
        pause.wait(LOOK_EVERY_S)
        group.refresh_from_db()
        stop.refresh_from_db()
        waited_ms = int((clocks.monotonic_s() - began_s) * 1000)
        if detected_ms is None and (group.unprotected_since or stop.status in order_states.CLOSED):
            detected_ms = waited_ms
        if detected_ms is not None:
            how = _how_safe(group, stop)
    return Drill(
        tradingsymbol=group.trade.tradingsymbol,
        quantity=group.entered_quantity,
        detected_ms=detected_ms,
        safe_ms=waited_ms if how else None,
        how=how,
    )


def _how_safe(group: OcoGroup, stop: Order) -> str:
    """Flat, or covered by an order that works; empty while it is neither."""
    later = Order.objects.filter(entry=group.entry_order_id, group_number=group.number, pk__gt=stop.pk)
    newest = later.order_by("-pk").first()
    if group.closed_at or (newest and newest.status == OrderStatus.FILLED):
        return "the position was closed"
    if newest and newest.status in order_states.OPEN:
        return "a closing order works for all of it"
    return ""
