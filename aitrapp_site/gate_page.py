"""The gate to real money as a page: every condition met or missing, what the burn-in brought, and the phrase.

Nothing here sets the mode: `risk.live_gate` does, through `levers.ask_for_mode`.
"""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from aitrapp_site import levers
from aitrapp_site.operator_page import may, name_of, show
from risk import live_gate
from trading.core.enums import Mode, Scope
from trading.models import Account


def page(request: HttpRequest, account: Account) -> HttpResponse:
    """GET shows the gate; POST asks for LIVE with what was typed, or for PAPER."""
    phrase, accept = request.POST.get("phrase", ""), request.POST.get("accept", "")
    missing: list[str] = []
    if request.method == "POST":
        wanted = Mode.PAPER if request.POST.get("mode") == Mode.PAPER else Mode.LIVE
        missing = _ask(request, account, wanted, phrase, accept)
        if not missing:
            return redirect("gate")
    may_go_live = may(request, Scope.LIVE)
    conditions = levers.conditions_for_live(account, phrase=phrase, may_go_live=may_go_live, accept=accept)
    results = live_gate.burnin_results(account)
    context = {
        "title": "LIVE gate",
        "account": account,
        # While nobody typed anything the phrase is no finding: it is asked for below.
        "conditions": conditions if request.method == "POST" else conditions[1:],
        "refused": missing,
        "results": results,
        "phrase": live_gate.PHRASE,
        "acceptance": live_gate.acceptance_of(results.net_inr) if results.net_inr < 0 else "",
        "is_live": account.mode == Mode.LIVE,
        "may_go_live": may_go_live,
        "may_operate": may(request, Scope.OPERATE),
    }
    return show(request, "admin/gate.html", context)


def _ask(request: HttpRequest, account: Account, wanted: Mode, phrase: str, accept: str) -> list[str]:
    """What is missing for the mode; empty when the account has it now."""
    may_go_live = may(request, Scope.LIVE)
    if wanted is Mode.PAPER and not may(request, Scope.OPERATE):
        raise PermissionDenied(f"{name_of(request)} lacks the right: {Scope.OPERATE}.")
    missing = levers.ask_for_mode(account, wanted, phrase=phrase, accept=accept, may_go_live=may_go_live)
    account.refresh_from_db()
    if not missing:
        messages.success(request, f"{account.name} is {account.mode} now.")
    return missing
