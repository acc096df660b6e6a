"""What reaches the audit from outside: requests, refusals, logins; and in whose name."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path

from aitrapp_site import audit as web
from aitrapp_site import levers, wiring
from risk import audit, state
from risk.models import AuditEntry, RiskLimits
from tests.console_rows import MORNING, build_chain, build_open
from trading import keys
from trading.broker.base import BrokerUnavailable
from trading.core.enums import AuditAction, Mode, Scope
from trading.models import Account, Instrument, KiteLogin

pytestmark = pytest.mark.django_db

LIMITS = "/admin/risk/risklimits/add/"
WRONG = "Name and password do not belong together, or the user is not active."


@pytest.fixture(autouse=True)
def account(settings, monkeypatch) -> Account:
    settings.ACCOUNT_NAME = "paper-1"
    settings.EMBEDDED = False
    monkeypatch.setattr(web, "strangers", web.Ration(web.STRANGERS_A_MINUTE))
    return build_chain().account


@pytest.fixture
def operator() -> Client:
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.force_login(User.objects.create_superuser("asha", password="a long secret word"))
    return client


@pytest.fixture
def viewer() -> Client:
    user = User.objects.create_user("ravi", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client(REMOTE_ADDR="203.0.113.8")
    client.force_login(user)
    return client


@pytest.fixture
def since() -> int:
    return int(AuditEntry.objects.order_by("-id").values_list("id", flat=True)[0])


def entries(since: int, *names: str) -> list[tuple[object, ...]]:
    wanted = names or ("actor", "address", "action", "outcome", "subject", "words")
    return list(AuditEntry.objects.filter(pk__gt=since).order_by("id").values_list(*wanted))


def post(client: Client, address: str, *scopes: Scope, body: object = None) -> int:
    headers = {"Authorization": f"Bearer {keys.create_key('script', scopes)}"} if scopes else {}
    return client.post(address, body or {}, content_type="application/json", headers=headers).status_code


def test_a_lever_and_the_rows_it_moved_are_the_api_keys(client, account):
    keys.create_key("script", [Scope.READ])
    begin = AuditEntry.objects.latest("id").pk
    assert post(client, "/pause", Scope.OPERATE, body={"why": "lunch"}) == 200
    assert entries(begin, "actor", "address", "action", "subject", "words")[1:] == [
        ("key script", "127.0.0.1", "added", f"entries off operator {standing(account)}", ""),
        ("key script", "127.0.0.1", "pause", "account paper-1", "lunch"),
    ]
    assert post(client, "/resume", Scope.OPERATE) == 200
    assert entries(begin, "actor", "action", "words")[-2:] == [
        ("key script", "changed", ""),
        ("key script", "resume", "Entries are on."),
    ]


def standing(account: Account) -> int:
    return int(account.entriesoff_set.latest("id").pk)


def test_a_pause_that_changes_no_row_is_told_as_well(operator, account):
    for _ in range(2):
        levers.pause(account, by="asha", why="lunch")
    assert AuditEntry.objects.filter(action="pause").count() == 2
    assert AuditEntry.objects.filter(action="added", subject__startswith="entries off").count() == 1


def test_a_refused_gate_is_one_entry_with_every_sentence(client, since):
    assert post(client, "/mode", Scope.LIVE, body={"mode": "LIVE"}) == 409
    (entry,) = AuditEntry.objects.filter(pk__gt=since, action="mode")
    assert (entry.actor, entry.outcome, entry.subject) == ("key script", "refused", "account paper-1")
    assert entry.after == {"mode": "LIVE"}
    assert entry.words.splitlines() == [
        'The phrase is missing: send "confirm": "CONFIRM LIVE TRADING".',
        "This program sends its orders to the exchange: start it with KITE_ENVIRONMENT=production.",
        "There is no Kite login of today.",
        "3 passed burn-in days in a row on live prices are needed; there are 0.",
    ]


def test_a_gate_refused_for_want_of_the_scope_is_one_entry_not_two(client, since):
    assert post(client, "/mode", Scope.OPERATE, body={"mode": "LIVE"}) == 403
    assert [one for one in entries(since, "outcome", "action") if one[0] == "refused"] == [
        ("refused", "mode")
    ]


def test_a_mode_that_is_given_is_told(account, since):
    assert levers.ask_for_mode(account, Mode.PAPER, phrase="", may_go_live=False) == []
    assert entries(since, "action", "outcome", "subject", "after") == [
        ("mode", "done", "account paper-1", {"mode": "PAPER"})
    ]


def test_nothing_to_flatten_is_told_with_the_sentence(client, settings, since):
    settings.ACCOUNT_NAME = Account.objects.create(name="idle", broker_user="AB9999").name
    assert post(client, "/flatten", Scope.OPERATE) == 409
    (entry,) = AuditEntry.objects.filter(action="flatten")
    assert (entry.actor, entry.outcome, entry.words) == (
        "key script",
        "refused",
        "idle has never traded, so there is nothing to close.",
    )


def test_a_flatten_is_told_with_its_run(client, monkeypatch, account):
    monkeypatch.setattr(levers, "VERDICT_WITHIN_S", 0.0)
    assert post(client, "/flatten", Scope.OPERATE) in {200, 202}
    (asked,) = AuditEntry.objects.filter(action="flatten")
    assert (asked.actor, asked.outcome) == ("key script", "done")
    (row,) = AuditEntry.objects.filter(action="added", subject__startswith="flatten OPERATOR")
    assert (row.actor, asked.after) == ("key script", {"flatten": row.after["id"]})


def test_a_call_without_the_scope_is_refused_in_the_keys_name(client, since):
    assert post(client, "/pause", Scope.READ) == 403
    assert entries(since)[1:] == [
        (
            "key script", "127.0.0.1", "call", "refused", "POST /pause",
            "key script lacks the scope operate. Ask with a key or a user that has it.",
        ),
    ]  # fmt: skip


def test_a_key_that_nobody_knows_is_told_without_the_key(client, since):
    answer = client.get(
        "/state", headers={"Authorization": "Bearer aitrapp_guess"}, REMOTE_ADDR="203.0.113.7"
    )
    assert answer.status_code == 401
    (entry,) = AuditEntry.objects.filter(pk__gt=since)
    assert (entry.actor, entry.address, entry.subject) == ("nobody signed in", "203.0.113.7", "GET /state")
    assert entry.words.startswith("This API key is unknown or revoked.")
    assert "guess" not in entry.words


def test_strangers_cannot_fill_the_disk(client, monkeypatch, since):
    monkeypatch.setattr(web, "strangers", web.Ration(3))
    for _ in range(5):
        assert client.get("/state").status_code == 401
    assert len(entries(since)) == 3
    assert post(client, "/pause", Scope.READ) == 403
    assert entries(since, "actor")[-1] == ("key script",)


def test_a_ration_is_given_again_after_a_minute():
    ration = web.Ration(2)
    assert [ration.take(now_s) for now_s in (0, 30, 59, 60, 61, 90)] == [True, True, False, True, False, True]


def test_reading_leaves_no_entry(operator, account):
    state.limits_in_force(account.pk)
    since = AuditEntry.objects.latest("id").pk
    for address in ("/state", "/risk", "/gate", "/admin/", "/admin/risk/auditentry/", "/audit"):
        assert operator.get(address).status_code == 200
    assert entries(since) == []


def test_a_console_page_that_is_forbidden_is_told(viewer, since):
    assert viewer.post(LIMITS, {}).status_code == 403
    assert entries(since) == [("ravi", "203.0.113.8", "call", "refused", f"POST {LIMITS}", "403 Forbidden")]


def test_a_change_in_the_console_is_the_operators(operator, account, since):
    page = f"/admin/trading/account/{account.pk}/change/"
    operator.post(page, {"name": "paper-1", "paper_capital_inr": "900000.00"})
    (entry,) = AuditEntry.objects.filter(pk__gt=since)
    assert (entry.actor, entry.address, entry.action) == ("asha", "203.0.113.9", "changed")
    assert (entry.before, entry.after) == (
        {"paper_capital_inr": 2500000},
        {"paper_capital_inr": 900000},
    )


def test_limits_that_are_refused_are_told_with_what_was_typed_and_why(operator, account, since):
    form = operator.get(LIMITS).context["adminform"].form.initial | {"why": "more", "heat_pct": "-2"}
    answer = operator.post(LIMITS, form)
    said = [str(text) for texts in answer.context["adminform"].form.errors.values() for text in texts]
    (entry,) = AuditEntry.objects.filter(pk__gt=since)
    assert (entry.actor, entry.action, entry.outcome, entry.subject) == (
        "asha",
        "added",
        "refused",
        "risk limits",
    )
    assert said
    assert entry.words.splitlines() == said
    assert entry.after["heat_pct"] == "-2"
    assert RiskLimits.objects.count() == 0


def test_coming_going_and_failing_to_come_in_are_told(operator, since):
    operator.post("/admin/logout/")
    operator.post("/admin/login/", {"username": "asha", "password": "wrong"})
    operator.post("/admin/login/", {"username": "asha", "password": "a long secret word"})
    assert entries(since) == [
        ("asha", "203.0.113.9", "logout", "done", "user asha", ""),
        ("nobody signed in", "203.0.113.9", "login", "failed", "user asha", WRONG),
        ("asha", "203.0.113.9", "login", "done", "user asha", ""),
    ]


def test_a_name_that_nobody_has_is_not_kept_as_it_may_be_a_password(client, since):
    client.post("/admin/login/", {"username": "a long secret word", "password": "asha"})
    assert entries(since, "subject", "outcome") == [("user unknown", "failed")]


def test_a_login_at_kite_that_cannot_be_used_is_told(operator, since):
    session = operator.session
    session["kite_state"] = "word"
    session.save()
    operator.get("/kite/callback?state=word")
    operator.get("/kite/callback?state=word&request_token=stolen")
    assert entries(since, "actor", "action", "outcome", "subject", "words") == [
        (
            "asha", "kite login", "refused", "account paper-1",
            "The login page sent no request_token back. Begin again.",
        ),
        (
            "asha", "kite login", "refused", "a browser that was not sent to Kite",
            "That login was not begun here, or twice. Begin again.",
        ),
    ]  # fmt: skip


class Silent:
    """A broker that answers nothing."""

    def quotes(self, names: list[str]) -> dict[str, object]:
        raise BrokerUnavailable("no route to host")


def test_a_probe_that_fails_is_told_with_the_step(account, monkeypatch, since):
    build_open(2)
    Instrument.objects.update(exchange="NSE", instrument_type="EQ")
    KiteLogin.objects.create(
        account=account, place="exchange", broker_user="AB0001", sealed_token="x", logged_in_at=MORNING,
        dies_at=MORNING, asked_by="asha", stored_at=MORNING,
    )  # fmt: skip
    monkeypatch.setattr(wiring, "broker_at", lambda *parts: Silent())
    with pytest.raises(CommandError, match="no route to host"):
        call_command("kite_probe")
    assert entries(since, "action", "outcome", "subject", "words")[-1] == (
        "probe",
        "failed",
        "account paper-1",
        "no route to host",
    )


def refuse_and_fail(request: HttpRequest) -> HttpResponse:
    Account.objects.update(paper_capital_inr="1.00")
    audit.refuse(AuditAction.MODE, "account paper-1", words="Not today.")
    raise PermissionDenied


urlpatterns = [path("refuse-and-fail", refuse_and_fail), path("", include("aitrapp_site.urls"))]


@pytest.mark.django_db(transaction=True)
def test_a_refusal_stays_where_each_request_is_one_transaction(operator, settings, monkeypatch, since):
    settings.ROOT_URLCONF = __name__
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert operator.get("/refuse-and-fail").status_code == 403
    assert entries(since, "actor", "action", "words") == [("asha", "mode", "Not today.")]
    assert not Account.objects.filter(paper_capital_inr="1.00").exists()


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_caller_is_named_too_and_the_next_one_is_not(settings, since):
    key = keys.create_key("script", [Scope.OPERATE])
    headers = {"Authorization": f"Bearer {key}"}
    answer = async_to_sync(AsyncClient().post)("/pause", {}, "application/json", headers=headers)
    assert answer.status_code == 200
    assert entries(since, "actor", "action")[-2:] == [("key script", "added"), ("key script", "pause")]
    Account.objects.update(mode="LIVE")
    assert entries(since, "actor", "action")[-1] == (own_name(), "changed")


def own_name() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT substr(current_setting('application_name'), 10)")
        return str(cursor.fetchone()[0])
