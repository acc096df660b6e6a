"""What holds for every page of the console, those of models still to come included."""

import csv
import io
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aitrapp_site import console, lists
from tests.console_rows import build_chain, build_day

pytestmark = pytest.mark.django_db

OURS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in {"trading", "risk", "oco"}),
    key=lambda model: model._meta.label,
)
PAGES = [pytest.param(model, id=model._meta.label_lower) for model in OURS]
CHANGEABLE = {"Account", "Blackout", "MarketDay", "StrategySetting", "UniverseRow"}
ADDABLE = {"Blackout", "MarketDay", "RiskLimits", "UniverseRow"}
OFFERS_DELETE = re.compile("delete_selected|/delete/")


def page(model: type[models.Model], name: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def row_of(model: type[models.Model]) -> models.Model:
    row = model._default_manager.order_by("pk").first()
    assert row is not None, f"tests/console_rows.py builds no {model.__name__}"
    return row


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def viewer() -> Client:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", PAGES)
@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_every_list_and_page_opens_and_offers_no_delete(model, who, request):
    build_day()
    client = request.getfixturevalue(who)
    for address in (page(model, "changelist"), page(model, "change", row_of(model).pk)):
        answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200
        assert not OFFERS_DELETE.search(text)
        assert text.count('class="safety-bar paper"') == 1
        assert ('id="bar-flatten"' in text, "formaction=" in text and who == "viewer") == (
            who == "operator",
            False,
        )


@pytest.mark.parametrize("model", PAGES)
def test_every_list_can_be_searched_and_filtered_by_date(model, operator):
    build_day()
    field = admin.site._registry[model].date_hierarchy
    wanted = {"q": "nothing is called this"} | ({f"{field}__year": 2026} if field else {})
    found = operator.get(page(model, "changelist"), wanted)
    assert found.status_code == 200
    assert found.context["cl"].result_count == 0


@pytest.mark.parametrize("model", PAGES)
def test_even_a_superuser_adds_and_changes_only_what_is_the_operators_and_deletes_nothing(model, operator):
    build_day()
    pk = row_of(model).pk
    may_add = model.__name__ in ADDABLE
    assert operator.get(page(model, "add")).status_code == (200 if may_add else 403)
    assert operator.post(page(model, "add"), {}).status_code == (200 if may_add else 403)
    changed = operator.post(page(model, "change", pk), {})
    assert (changed.status_code != 403) == (model.__name__ in CHANGEABLE)
    assert_kept(model, pk, operator)


@pytest.mark.parametrize("model", [User, Group])
def test_people_and_groups_are_added_and_changed_but_not_deleted(model, operator):
    pk = Group.objects.create(name="viewers").pk if model is Group else User.objects.get().pk
    for address in (page(model, "changelist"), page(model, "add"), page(model, "change", pk)):
        answer = operator.get(address)
        assert answer.status_code == 200
        assert not OFFERS_DELETE.search(answer.content.decode())
    assert_kept(model, pk, operator)


def assert_kept(model: type[models.Model], pk: object, client: Client) -> None:
    """Neither of the two ways to delete a row works."""
    assert client.post(page(model, "delete", pk), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    client.post(page(model, "changelist"), chosen)
    assert model._default_manager.filter(pk=pk).exists()


@pytest.mark.parametrize("model", PAGES)
def test_a_viewer_can_change_nothing(model, viewer):
    build_day()
    row = row_of(model)
    before = model._default_manager.values().get(pk=row.pk)
    assert viewer.post(page(model, "change", row.pk), {"name": "x", "enabled": ""}).status_code == 403
    assert viewer.post(page(model, "add"), {}).status_code == 403
    assert model._default_manager.values().get(pk=row.pk) == before


def test_lists_of_thirty_rows_cost_no_more_queries_than_lists_of_three(operator):
    for number in range(1, 4):
        build_day(number)
    operator.get(page(OURS[0], "changelist"))
    few = {model.__name__: queries_of(operator, page(model, "changelist")) for model in OURS}
    for number in range(4, 31):
        build_day(number)
    many = {model.__name__: queries_of(operator, page(model, "changelist")) for model in OURS}
    assert many == few
    assert max(many.values()) <= 20


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(queries)


def test_times_are_ist_to_the_millisecond(operator):
    chain = build_day()
    assert "2026-11-23 10:31:05.123" in operator.get(page(type(chain.entry), "changelist")).content.decode()
    one = operator.get(page(type(chain.entry), "change", chain.entry.pk)).content.decode()
    assert "2026-11-23 10:31:05.123" in one
    assert "Asked at (IST)" in one


def test_rupees_are_grouped_the_indian_way(operator):
    chain = build_day()
    assert "₹25,00,000.00" in operator.get(page(type(chain.account), "changelist")).content.decode()
    assert "-₹4,066.15" in operator.get(page(type(chain.trade), "changelist")).content.decode()


def test_headings_say_the_unit_and_json_is_readable(operator):
    chain = build_day()
    limits = operator.get("/admin/risk/risklimits/add/").content.decode()
    for label in ("Heat (%)", "Cooldown (min)", "Stale price (s)", "Entries per s"):
        assert label in limits
    assert "Net (₹)" in operator.get(page(type(chain.trade), "changelist")).content.decode()
    chain.decision.reasons = [{"reason": "HEAT_LIMIT", "text": "₹52,300.00 & more"}]
    chain.decision.save()
    decision = operator.get(page(type(chain.decision), "change", chain.decision.pk)).content.decode()
    assert "&quot;text&quot;: &quot;₹52,300.00 &amp; more&quot;" in decision


def test_no_list_counts_the_whole_table(operator, monkeypatch):
    assert {admin.site._registry[model].show_full_result_count for model in OURS} == {False}
    assert {admin.site._registry[model].paginator for model in OURS} == {lists.FirstPages}
    monkeypatch.setattr(lists, "COUNTED", 2)
    chain = build_chain()
    build_chain(2)
    with CaptureQueriesContext(connection) as queries:
        shown = operator.get(page(type(chain.entry), "changelist"))
    counting = [one["sql"] for one in queries if "COUNT(" in one["sql"] and "trading_order" in one["sql"]]
    assert ["LIMIT 3)" in sql for sql in counting] == [True]
    assert shown.context["cl"].result_count == 2
    assert "there are more" in shown.content.decode()


def export_of(client: Client, model: type[models.Model], **wanted: str) -> list[list[str]]:
    answer: Any = client.get(page(model, "export"), wanted)
    assert answer.status_code == 200

    async def read() -> str:
        return "".join([part.decode() async for part in answer])

    return list(csv.reader(io.StringIO(async_to_sync(read)())))


@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_every_list_leaves_as_csv_without_what_its_page_does_not_show(who, request):
    build_day()
    for model in OURS:
        head, *rows = export_of(request.getfixturevalue(who), model)
        assert len(rows) == model._default_manager.count(), model
        assert not {"sealed_token", "digest"} & set(head) - (
            {"digest"} if model.__name__ == "BurninDay" else set()
        )


def test_an_export_is_filtered_ordered_and_safe_to_open_in_a_spreadsheet(operator):
    for number in (1, 2, 3):
        chain = build_chain(number)
    signals = type(chain.signal).objects
    signals.filter(account__name="paper-2").update(tradingsymbol="TCS")
    signals.filter(pk=chain.signal.pk).update(reason="=HYPERLINK(1)", score=-0.5)
    head, *rows = export_of(operator, type(chain.signal), q="NIFTY", o="-1")
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert [row["tradingsymbol"] for row in found] == ["NIFTY26NOVFUT"] * 2
    last = next(row for row in found if row["id"] == str(chain.signal.pk))
    assert last["reason"] == "'=HYPERLINK(1)"
    assert (last["score"], last["entry_price"], last["score_parts"]) == ("-0.5", "24500.05", "{}")
    assert last["seen_at"] == "2026-11-23T10:31:05.123000+05:30"
    assert last["account_id"] == str(chain.account.pk)


def test_who_may_not_see_a_list_gets_no_export_of_it(viewer):
    user = User.objects.get(username="viewer")
    user.user_permissions.remove(Permission.objects.get(codename="view_order"))
    assert viewer.get("/admin/trading/order/export/").status_code == 403
    assert viewer.get("/admin/trading/signal/export/?seen_at__gte=never").status_code == 400
    assert viewer.get("/admin/trading/signal/export/").status_code == 200


def test_the_header_says_which_mode_and_how_many_reasons_keep_entries_off(operator):
    chain = build_day()
    index = operator.get(reverse("admin:index"))
    assert index.context["environment"] == ["PAPER", "success"]
    assert badge_of(index) == 1
    chain.account.mode = "LIVE"
    chain.account.save()
    assert operator.get(reverse("admin:index")).context["environment"] == ["LIVE", "danger"]


def badge_of(index) -> object:
    items = [item for group in index.context["sidebar_navigation"] for item in group["items"]]
    return next(item.get("badge") for item in items if item["title"] == "Entries off")


def test_the_sidebar_names_every_page_and_shows_only_what_one_may_see(operator):
    named = {label for pages in console.SIDEBAR.values() for label, _icon in pages}
    assert {model._meta.label_lower for model in OURS} <= named
    client = Client()
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_trade"))
    client.force_login(user)
    groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
    assert [(group["title"], [item["title"] for item in group["items"]]) for group in groups] == [
        ("The day", ["Trades", "Results"])
    ]


def test_a_visitor_is_asked_to_sign_in_and_told_no_mode(client):
    answer = client.get(reverse("admin:index"), follow=True)
    assert answer.redirect_chain[0][0].startswith("/admin/login/")
    assert answer.context["environment"] is None


def test_a_browser_that_asks_for_the_icon_gets_one_without_logging_in(client):
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert answer.content.startswith(b"<svg")
