"""Every way to real money that there is, by name; all but the gate are refused, and no other code could open one."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client

from aitrapp_site.api import api
from aitrapp_site.settings import BASE_DIR
from tests.console_rows import build_chain
from trading import keys
from trading.core.enums import Scope
from trading.models import Account

PRODUCT = ("aitrapp_site", "trading", "risk", "oco", "reporting")
GATE = "risk/live_gate.py"


@pytest.fixture
def account(settings) -> Account:
    settings.ACCOUNT_NAME = "paper-1"
    account: Account = build_chain().account
    return account


def superuser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def ask_the_api(account: Account) -> int:
    bearer = {"Authorization": f"Bearer {keys.create_key('script', [Scope.LIVE, Scope.OPERATE])}"}
    body = {"mode": "LIVE", "confirm": "CONFIRM LIVE TRADING"}
    return Client().post("/mode", body, content_type="application/json", headers=bearer).status_code


def ask_the_console(account: Account) -> int:
    chosen = {"action": "ask_for_live", "_selected_action": [account.pk], "confirm": "CONFIRM LIVE TRADING"}
    return superuser().post("/admin/trading/account/", chosen, follow=True).status_code


def type_it_into_the_accounts_form(account: Account) -> int:
    form = {
        "name": account.name,
        "paper_capital_inr": "100000.00",
        "mode": "LIVE",
        "live_since": "2026-11-23",
    }
    return superuser().post(f"/admin/trading/account/{account.pk}/change/", form).status_code


def add_an_account_that_is_live(account: Account) -> int:
    form = {"name": "second", "broker_user": "AB1234", "paper_capital_inr": "100000.00", "mode": "LIVE"}
    return superuser().post("/admin/trading/account/add/", form).status_code


def edit_it_in_the_list(account: Account) -> int:
    row = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": account.pk, "form-0-mode": "LIVE"}
    return superuser().post("/admin/trading/account/", row | {"_save": "Save"}).status_code


#: what an operator, a script or a hand at the console may try, and how it is answered
WAYS: dict[str, tuple[Callable[[Account], int], int]] = {
    "the API's POST /mode": (ask_the_api, 409),
    "the console's action": (ask_the_console, 200),
    "the account's form in the console": (type_it_into_the_accounts_form, 302),
    "a new account in the console": (add_an_account_that_is_live, 403),
    "the console's list of accounts": (edit_it_in_the_list, 200),
}


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_no_way_but_the_gate_leads_to_live(way, account):
    take, answered = WAYS[way]
    assert take(account) == answered
    assert [(one.mode, one.live_since) for one in Account.objects.all()] == [("PAPER", None)]


@pytest.mark.django_db
def test_an_account_begins_on_paper_whatever_the_settings_say(settings):
    settings.KITE_ENVIRONMENT = "production"
    made, _ = Account.objects.get_or_create(name="new", defaults={"broker_user": "AB1234"})
    assert (made.mode, made.live_since) == ("PAPER", None)
    assert [name for name in dir(django_settings) if name.isupper() and name.endswith("MODE")] == []


def test_no_other_route_takes_a_mode():
    takes = [
        path
        for path, routes in api.get_openapi_schema()["paths"].items()
        for route in routes.values()
        if "mode" in _properties(route.get("requestBody"))
        or any(one["name"] == "mode" for one in route.get("parameters", ()))
    ]
    assert takes == ["/mode"]


def test_no_other_code_writes_a_mode():
    """Whoever adds a way to LIVE has to pass by here."""
    writers = {
        str(path.relative_to(BASE_DIR)): lines
        for folder in PRODUCT
        for path in sorted((BASE_DIR / folder).rglob("*.py"))
        if "migrations" not in path.parts and (lines := _writes(path))
    }
    assert list(writers) == [GATE], writers
    assert "held.mode, held.live_since = (Mode.LIVE, asked.today)" in writers[GATE]


def _properties(body: dict[str, Any] | None) -> set[str]:
    if body is None:
        return set()
    schemas = api.get_openapi_schema()["components"]["schemas"]
    found: set[str] = set()
    for content in body["content"].values():
        schema = content["schema"]
        named = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        found |= set(named.get("properties", ()))
    return found


def _writes(path: Path) -> list[str]:
    """Assignments to an attribute `mode`, and writes of rows of accounts that name one."""
    text = path.read_text()
    found = ["SQL"] if "update trading_account" in text.lower() else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = [one for target in targets for one in ast.walk(target) if isinstance(one, ast.Attribute)]
            if any(one.attr == "mode" for one in named):
                found.append(ast.unparse(node))
        if isinstance(node, ast.Call) and "Account.objects" in ast.unparse(node.func):
            writes = ast.unparse(node.func).endswith(
                (".create", ".update", ".update_or_create", ".get_or_create")
            )
            if writes and "mode" in ast.unparse(node).partition(ast.unparse(node.func))[2]:
                found.append(ast.unparse(node))
    return found
