"""The console's page about the broker: how it is set up, whether we are logged in, what a person must do now."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from aitrapp_site import kite_login
from aitrapp_site.callers import scopes_of_user
from aitrapp_site.web_clocks import WebClocks
from trading import current
from trading.core.enums import Scope
from trading.models import KiteLogin

SHOWN = 10


def page(request: HttpRequest) -> HttpResponse:
    """Status, set-up and the last logins; a viewer sees no button."""
    context = admin.site.each_context(request) | {"title": "Kite connection"}
    try:
        account = current.account_named()
    except current.NoAccount as error:
        return render(request, "admin/kite.html", context | {"no_account": str(error)})
    clocks = WebClocks(account)
    redirect = request.build_absolute_uri("/kite/callback")
    return render(
        request,
        "admin/kite.html",
        context
        | {
            "account": account,
            "state": kite_login.state_of(account, clocks.market_now()),
            "logins": KiteLogin.objects.filter(account=account).order_by("-pk")[:SHOWN],
            "token_is_given": bool(settings.KITE_ACCESS_TOKEN),
            "redirect": redirect,
            "postback": request.build_absolute_uri("/kite/postback"),
            "postback_needs_https": urlsplit(redirect).scheme != "https",
            "login": reverse("api:login") if Scope.OPERATE in scopes_of_user(request.user) else "",
        },
    )
