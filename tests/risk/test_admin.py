"""The console pages of risk: how new limits are put in force, and what a burn-in day shows."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from aitrapp_site import lists
from risk.models import LIMIT_NAMES, AuditEntry, RiskLimits
from tests.audit_rows import unstamped
from tests.console_rows import build_day
from trading.core.session import IST
from trading.models import Account

pytestmark = pytest.mark.django_db

ADD = "/admin/risk/risklimits/add/"


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("asha"))
    return client


@pytest.fixture
def account() -> Account:
    account = Account.objects.create(name="paper", broker_user="AB1234")
    RiskLimits.objects.create(account=account, version=1, created_by="installer", why="the paper defaults")
    RiskLimits.objects.create(
        account=account,
        version=2,
        created_by="ravi",
        why="smaller",
        heat_pct=Decimal("1.500"),
        open_positions=3,
    )
    return account


def form_of(client: Client, address: str = ADD) -> dict[str, object]:
    """What the add form would send if the operator typed nothing but the reason."""
    initial = client.get(address).context["adminform"].form.initial
    return {**initial, "why": "after a quiet week"}


def newest(account: Account) -> RiskLimits:
    return RiskLimits.objects.filter(account=account)[0]


def test_the_add_form_starts_from_the_newest_numbers(operator, account):
    form = form_of(operator)
    assert form["heat_pct"] == Decimal("1.500")
    assert form["open_positions"] == 3
    assert form["daily_loss_pct"] == Decimal("2.500")
    assert set(LIMIT_NAMES) <= set(form)


def test_saving_adds_the_next_version_in_the_operators_name(operator, account):
    answer = operator.post(
        ADD, form_of(operator) | {"open_positions": "2", "version": "9", "created_by": "x"}
    )
    assert answer.status_code == 302
    added = newest(account)
    assert (added.version, added.created_by, added.why) == (3, "asha", "after a quiet week")
    assert (added.open_positions, added.heat_pct) == (2, Decimal("1.500"))
    assert RiskLimits.objects.filter(account=account, version=2).get().open_positions == 3


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("daily_loss_pct", "-2.50", "daily loss"),
        ("heat_pct", "0", "heat"),
        ("open_positions", "-4", "open positions"),
    ],
)
def test_a_wrong_sign_is_refused_in_the_operators_words(field, value, words, operator, account):
    answer = operator.post(ADD, form_of(operator) | {field: value})
    assert answer.status_code == 200
    said = answer.context["adminform"].form.non_field_errors()
    assert [words in text for text in said] == [True]
    assert said[0] in answer.content.decode()
    assert newest(account).version == 2


def test_limits_without_a_reason_are_not_saved(operator, account):
    answer = operator.post(ADD, form_of(operator) | {"why": ""})
    assert answer.context["adminform"].form.errors["why"] == ["This field is required."]
    assert newest(account).version == 2


def test_the_first_limits_of_an_account_are_version_one(operator):
    account = Account.objects.create(name="paper", broker_user="AB1234")
    form = form_of(operator)
    assert form["heat_pct"] == Decimal("2.000")
    operator.post(ADD, form)
    assert newest(account).version == 1


def test_with_two_accounts_the_numbers_are_those_of_the_one_asked_for(operator, account):
    other = Account.objects.create(name="second", broker_user="CD5678")
    RiskLimits.objects.create(account=other, version=5, created_by="ravi", why="x", heat_pct=Decimal("0.750"))
    assert form_of(operator)["heat_pct"] is None
    address = f"{ADD}?account={other.pk}"
    form = form_of(operator, address)
    assert form["heat_pct"] == Decimal("0.750")
    refused = operator.post(address, form | {"account": account.pk})
    assert "account" in refused.context["adminform"].form.errors
    operator.post(address, form)
    assert (newest(other).version, newest(account).version) == (6, 2)


def test_the_list_says_which_version_is_in_force_and_offers_the_next(operator, account):
    page = operator.get(reverse("admin:risk_risklimits_changelist"))
    assert [(row.version, row.superseded) for row in page.context["cl"].result_list] == [
        (2, False),
        (1, True),
    ]
    assert page.content.decode().count(f"{ADD}?account={account.pk}") == 1


def test_a_viewer_is_not_offered_a_new_version(account):
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    page = client.get(reverse("admin:risk_risklimits_changelist")).content.decode()
    assert ADD not in page


def test_a_stored_version_is_not_changed(operator, account):
    limits = newest(account)
    page = reverse("admin:risk_risklimits_change", args=[limits.pk])
    assert operator.post(page, form_of(operator) | {"heat_pct": "9"}).status_code == 403
    limits.refresh_from_db()
    assert limits.heat_pct == Decimal("1.500")


def test_a_burn_in_day_names_the_criteria_it_failed(operator):
    build_day()
    page = operator.get(reverse("admin:risk_burninday_changelist")).content.decode()
    assert "50 signals" in page
    assert "-₹3,753.75" in page
    assert "₹312.40" in page
    assert "-₹4,066.15" in page


@pytest.fixture
def entries() -> None:
    """One on New Year's Eve, one in the first minutes of the year after, one in April."""
    with unstamped():
        for moment in ("2020-12-31T23:59:00", "2021-01-01T00:01:00", "2021-04-30T12:00:00"):
            at = datetime.fromisoformat(moment).replace(tzinfo=IST)
            AuditEntry.objects.create(
                at=at, actor="ravi", action="changed", outcome="done", subject=f"account {moment[:4]}",
                before={"mode": "PAPER"}, after={"mode": "LIVE", "why": ""}, words="first\nsecond",
            )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("year", ["2020-01-01", "2021-01-01"]),
        ("month", ["2020-12-01", "2021-01-01", "2021-02-01", "2021-03-01", "2021-04-01"]),
    ],
)
def test_the_audits_calendar_runs_from_the_first_entry_to_the_last_in_ist(entries, kind, said):
    found = AuditEntry.objects.filter(actor="ravi").datetimes("at", kind)
    assert [f"{moment:%Y-%m-%d}" for moment in found] == said
    days = AuditEntry.objects.filter(subject="account 2021").datetimes("at", "day")
    assert (len(days), f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}") == (120, "2021-01-01", "2021-04-30")
    assert AuditEntry.objects.none().datetimes("at", kind) == []


def test_the_audits_list_says_what_changed_and_why(operator, entries):
    shown = operator.get("/admin/risk/auditentry/?q=account+2020").content.decode()
    assert "mode: PAPER → LIVE<br>why: –<br>first<br>second" in shown
    assert "2020-12-31 23:59:00.000" in shown


def test_the_audit_is_found_by_who_what_and_when(operator, entries):
    def found(query: str) -> int:
        return int(operator.get(f"/admin/risk/auditentry/?{query}").context["cl"].result_count)

    assert found("q=ravi") == 3
    assert found("q=account+2021") == 2
    assert found("at__year=2021") == 2
    assert found("at__year=2021&at__month=4&at__day=30") == 1
    assert found("q=ravi&action__exact=changed&outcome__exact=refused") == 0


def test_the_audits_list_counts_no_further_than_it_must(operator, entries, monkeypatch):
    monkeypatch.setattr(lists, "COUNTED", 2)
    assert operator.get("/admin/risk/auditentry/?q=ravi").context["cl"].result_count == 2


def test_the_audit_is_shown_to_those_alone_who_may_see_it(entries):
    client = Client()
    client.force_login(User.objects.create_user("viewer", is_staff=True))
    assert client.get("/admin/risk/auditentry/").status_code == 403
    permissions = Permission.objects.filter(content_type__model="auditentry")
    assert [permission.codename for permission in permissions] == ["view_auditentry"]
