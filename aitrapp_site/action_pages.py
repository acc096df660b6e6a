"""Pages of what an operator does to the whole account: flatten with its consequences and progress, pause, resume;
and the one click that answers an entry or lets go of a lock.
"""

from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path

from aitrapp_site import consequences, drill_page, gate_page, levers, position_page
from aitrapp_site.ist_json import IstEncoder
from aitrapp_site.operator_page import may, name_of, of_operator, of_staff, show, wants_json
from aitrapp_site.safety_bar import bar_state
from oco.models import Flatten
from reporting import progress
from risk import state
from risk.locks import CannotBeLifted
from risk.models import Lock
from trading import current
from trading.approvals import TooLate
from trading.core.enums import ApprovalAnswer, Scope
from trading.models import Account, Approval

LIMITS_SHOWN: Final = {
    "risk of a trade (%)": "risk_per_trade_pct",
    "heat (%)": "heat_pct",
    "loss of a day (%)": "daily_loss_pct",
    "open positions": "open_positions",
    "trades a day": "trades_per_day",
}


def bar(request: HttpRequest, account: Account) -> HttpResponse:
    """What the bar on top of every page says, for its script."""
    return JsonResponse(bar_state())


def flatten(request: HttpRequest, account: Account) -> HttpResponse:
    """What a flatten would do; posted, it is asked for and its run is shown."""
    _needs(request, Scope.OPERATE)
    if request.method == "POST":
        return _flatten_now(request, account)
    newest = Flatten.objects.filter(account=account).order_by("-pk").first()
    return show(
        request,
        "admin/flatten.html",
        {
            "title": "Flatten",
            "account": account,
            "would": consequences.of_flatten(account),
            "has_traded": current.newest_session(account) is not None,
            "newest": newest.pk if newest else 0,
        },
    )


def _flatten_now(request: HttpRequest, account: Account) -> HttpResponse:
    try:
        row = levers.flatten(account, by=name_of(request))
    except levers.NothingToFlatten as error:
        if wants_json(request):
            return JsonResponse({"detail": str(error)}, status=409)
        messages.error(request, str(error))
        return redirect("flatten")
    if wants_json(request):
        return JsonResponse(progress.of_flatten(row), encoder=IstEncoder)
    return redirect("flatten-run", number=row.pk)


def flatten_run(request: HttpRequest, account: Account, number: int) -> HttpResponse:
    """One run, position by position, and its verdict."""
    row = get_object_or_404(Flatten, pk=number)
    if wants_json(request):
        return JsonResponse(progress.of_flatten(row), encoder=IstEncoder)
    context = {"title": "Flatten", "account": account, "run": progress.of_flatten(row)}
    return show(request, "admin/flatten_run.html", context)


def flatten_since(request: HttpRequest, account: Account, number: int) -> HttpResponse:
    """The run asked for after run `number`, so that a page sees its own begin before its answer comes."""
    row = Flatten.objects.filter(account=account, pk__gt=number).order_by("pk").first()
    return JsonResponse(progress.of_flatten(row) if row else {}, encoder=IstEncoder)


def pause(request: HttpRequest, account: Account) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _needs(request, Scope.OPERATE)
    levers.pause(account, by=name_of(request), why="console")
    messages.success(request, "Entries are paused; stops and exits go on.")
    return _back(request)


def resume(request: HttpRequest, account: Account) -> HttpResponse:
    """What a resume re-arms, said before it does; asked again while anything is unknown."""
    _needs(request, Scope.OPERATE)
    would = consequences.of_resume(account)
    asks_again = bool(would.unknowns) and request.POST.get("knowing") != "yes"
    if request.method == "POST" and not asks_again:
        levers.resume(account, by=name_of(request))
        left = ", ".join(sorted(state.reasons_off(account.pk)))
        said = f"Still off: {left}." if left else "Entries are on."
        (messages.warning if left else messages.success)(request, said)
        return redirect("resume")
    if request.method == "POST":
        messages.warning(request, "Nothing was resumed: read what is unknown, and ask again.")
    limits = would.limits
    shown = [(name, getattr(limits, field)) for name, field in LIMITS_SHOWN.items()]
    context = {"title": "Resume entries", "account": account, "would": would, "limits": shown}
    return show(request, "admin/resume.html", context | {"is_second": request.method == "POST"})


def lift_lock(request: HttpRequest, account: Account, number: int) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _needs(request, Scope.OPERATE)
    lock = get_object_or_404(Lock, pk=number)
    try:
        levers.lift_lock(lock, by=name_of(request))
    except CannotBeLifted as error:
        messages.error(request, f"Not lifted: {error}")
    else:
        messages.success(request, f"{lock} is lifted: the rule counts on from the next cause.")
    return redirect("admin:risk_lock_changelist")


def answer_approval(request: HttpRequest, account: Account, number: int, answer: str) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _needs(request, Scope.OPERATE)
    if answer.upper() not in ApprovalAnswer.__members__:
        raise Http404(answer)
    approval = get_object_or_404(Approval.objects.select_related("signal", "account"), pk=number)
    try:
        levers.answer_approval(approval, ApprovalAnswer[answer.upper()], by=name_of(request))
    except TooLate as error:
        messages.error(request, f"Not answered: {error}")
    else:
        meant = "it goes before all rules again" if answer == "yes" else "it is left"
        messages.success(request, f"{approval}: {answer}, {meant}.")
    return redirect("admin:trading_approval_changelist")


def _needs(request: HttpRequest, scope: Scope) -> None:
    if not may(request, scope):
        raise PermissionDenied(f"{name_of(request)} lacks the right: {scope}.")


def _back(request: HttpRequest) -> HttpResponse:
    """To the page that the bar was pressed on; never to another site."""
    came = request.headers.get("Referer", "")
    begin = request.build_absolute_uri("/admin/")
    return redirect(came if came.startswith(begin) else "admin:index")


URLS = [
    path("admin/bar/", of_staff(bar), name="bar"),
    path("admin/flatten/", of_operator(flatten), name="flatten"),
    path("admin/flatten/<int:number>/", of_operator(flatten_run), name="flatten-run"),
    path("admin/flatten/since/<int:number>/", of_operator(flatten_since), name="flatten-since"),
    path("admin/pause/", of_operator(pause), name="pause"),
    path("admin/resume/", of_operator(resume), name="resume"),
    path("admin/lock/<int:number>/lift/", of_operator(lift_lock), name="lift-lock"),
    path("admin/approval/<int:number>/<slug:answer>/", of_operator(answer_approval), name="answer-approval"),
    path("admin/position/<int:number>/", of_operator(position_page.page), name="position"),
    path("admin/gate/", of_staff(gate_page.page), name="gate"),
    path("admin/drill/", of_operator(drill_page.page), name="drill"),
]
