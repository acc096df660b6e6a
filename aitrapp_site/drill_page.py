"""The fire drill as a page: what it will do, one button, and the two times it took."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from aitrapp_site import fire_drill
from aitrapp_site.operator_page import may, name_of, show
from oco.models import OcoGroup
from risk.models import AuditEntry
from trading.core.enums import AuditAction, Scope
from trading.models import Account

DRILLS_SHOWN = 10


def page(request: HttpRequest, account: Account) -> HttpResponse:
    """GET says what it would do; POST does it and waits for the end, at most half a minute."""
    if not may(request, Scope.OPERATE):
        raise PermissionDenied(f"{name_of(request)} lacks the right: {Scope.OPERATE}.")
    candidates = fire_drill.candidates(account)
    if request.method == "POST":
        chosen = next((one for one in candidates if str(one.pk) == request.POST.get("group")), None)
        _run(request, account, chosen)
        return redirect("drill")
    done = AuditEntry.objects.filter(
        action=AuditAction.PROBE, account=account, subject__startswith="fire drill", after__has_key="how"
    )
    context = {
        "title": "Fire drill",
        "account": account,
        "why_not": fire_drill.why_not(account),
        "candidates": candidates,
        "done": done[:DRILLS_SHOWN],
    }
    return show(request, "admin/drill.html", context)


def _run(request: HttpRequest, account: Account, chosen: OcoGroup | None) -> None:
    if chosen is None:
        why = fire_drill.why_not(account) or "That position's stop does not rest any more: choose again."
        messages.error(request, f"No drill: {why}")
        return
    try:
        drill = fire_drill.run(account, chosen)
    except fire_drill.CannotDrill as error:
        messages.error(request, f"No drill: {error}")
        return
    if drill.safe_ms is None:
        seen = f"seen after {drill.detected_ms} ms" if drill.detected_ms is not None else "not seen"
        messages.error(
            request, f"{drill.tradingsymbol}: the lost stop was {seen}, and nothing was safe within 30 s."
        )
        return
    messages.success(
        request,
        f"{drill.tradingsymbol} {drill.quantity}: detected after {drill.detected_ms} ms, "
        f"safe after {drill.safe_ms} ms: {drill.how}.",
    )
