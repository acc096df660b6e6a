"""What the pages of an operator's actions share: who may open them, for which account, and how they look."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from aitrapp_site.callers import scopes_of_user
from trading import current
from trading.core.enums import Scope

Page = Callable[..., HttpResponse]

METHODS: Final = frozenset({"GET", "HEAD", "POST"})


def of_operator(page: Page) -> Page:
    """A page for staff with the right to operate; others are refused, and the audit has it."""
    return _guarded(page, may_look=False)


def of_staff(page: Page) -> Page:
    """A page that everybody on the staff may read; to press something takes the right to operate or to go live."""
    return _guarded(page, may_look=True)


def _guarded(page: Page, *, may_look: bool) -> Page:
    @wraps(page)
    def guarded(request: HttpRequest, **where: Any) -> HttpResponse:
        if request.method not in METHODS:
            return HttpResponse(status=405, headers={"Allow": ", ".join(sorted(METHODS))})
        scopes = scopes_of_user(request.user)
        if request.method == "POST" or not may_look:
            _check(request, scopes)
        try:
            account = current.account_named(request.GET.get("account", ""))
        except current.NoAccount as error:
            return show(request, "admin/no_account.html", {"title": "No account", "words": str(error)})
        return page(request, account, **where)

    return admin.site.admin_view(guarded)


def _check(request: HttpRequest, scopes: frozenset[Scope]) -> None:
    if not scopes & {Scope.OPERATE, Scope.LIVE}:
        raise PermissionDenied(f"{request.user.get_username()} lacks the right to operate.")


def may(request: HttpRequest, scope: Scope) -> bool:
    return scope in scopes_of_user(request.user)


def name_of(request: HttpRequest) -> str:
    return str(request.user.get_username())


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's own script asks, rather than a form."""
    return "application/json" in request.headers.get("Accept", "")


def show(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, admin.site.each_context(request) | context)
