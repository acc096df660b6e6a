"""Who may call: every way in, and every denial."""

import pytest
from django.contrib.auth.models import Permission, User
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client

from risk.models import EntriesOff
from tests.console_rows import build_chain
from trading import keys
from trading.core.enums import Scope
from trading.models import ApiKey

pytestmark = pytest.mark.django_db

HOW_TO_CALL = "Send `Authorization: Bearer <key>`"


@pytest.fixture(autouse=True)
def own_account(settings):
    settings.ACCOUNT_NAME = "paper-1"
    settings.EMBEDDED = True
    return build_chain().account


@pytest.fixture
def shell() -> Client:
    """curl on the machine itself."""
    return Client(enforce_csrf_checks=True)


def post(client: Client, path: str, **options):
    """A POST without a body or a content type, as `curl -X POST` sends it."""
    return client.generic("POST", path, content_type="", **options)


def browser(user: User) -> tuple[Client, dict[str, str]]:
    """A signed-in browser and the headers its console page sends."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    token = _get_new_csrf_string()
    client.cookies["csrftoken"] = token
    return client, {"X-CSRFToken": token, "Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}


def user_with(*permissions: str, is_staff: bool = True) -> User:
    user = User.objects.create_user("someone", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def detail(answer) -> str:
    return str(answer.json()["detail"])


def test_on_the_newcomers_machine_a_shell_may_look_and_operate(shell):
    assert shell.get("/state").status_code == 200
    assert post(shell, "/pause").status_code == 200
    assert EntriesOff.objects.get().set_by == "local operator"


@pytest.mark.parametrize(
    "header",
    [
        "Origin", "Sec-Fetch-Site", "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Real-Ip",
    ],
)  # fmt: skip
def test_a_call_from_a_browser_or_through_a_proxy_is_nobodys(shell, header):
    answer = post(shell, "/flatten", headers={header: "null"})
    assert answer.status_code == 401
    assert detail(answer).startswith(
        f"A call with {header} comes from a browser or through a proxy. {HOW_TO_CALL}"
    )


@pytest.mark.parametrize("address", ["192.168.1.7", "203.0.113.9", "::ffff:10.0.0.1", "", "not an address"])
def test_a_call_from_another_machine_is_nobodys(shell, address):
    answer = post(shell, "/pause", REMOTE_ADDR=address)
    assert (answer.status_code, EntriesOff.objects.count()) == (401, 0)
    assert "another machine" in detail(answer)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_every_loopback_address_is_this_machine(shell, address):
    assert shell.get("/state", REMOTE_ADDR=address).status_code == 200


def test_a_name_that_is_not_ours_for_this_machine_is_refused(shell, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    assert post(shell, "/pause", headers={"Host": "rebound.example"}).status_code == 400
    assert EntriesOff.objects.count() == 0


def test_with_servers_of_ones_own_even_a_local_shell_needs_a_key(shell, settings):
    settings.EMBEDDED = False
    answer = shell.get("/state")
    assert answer.status_code == 401
    assert detail(answer).startswith("This installation takes no calls without a key.")


def test_once_an_account_is_live_even_a_local_shell_needs_a_key(shell, own_account):
    own_account.mode = "LIVE"
    own_account.save()
    assert post(shell, "/pause").status_code == 401
    assert shell.get("/state").status_code == 401


def test_the_local_shell_is_told_that_it_may_not_go_live(shell):
    body = {"mode": "LIVE", "confirm": "CONFIRM LIVE TRADING"}
    answer = shell.post("/mode", body, content_type="application/json")
    assert answer.status_code == 403
    assert any("scope live" in sentence for sentence in answer.json()["missing"])


@pytest.mark.parametrize(
    ("scopes", "looks", "operates"), [(["read"], 200, 403), (["operate"], 403, 200), (["live"], 403, 403)]
)
def test_a_key_may_what_its_scopes_say(shell, settings, scopes, looks, operates):
    settings.EMBEDDED = False
    key = keys.create_key("script", [Scope(word) for word in scopes])
    headers = {"Authorization": f"Bearer {key}"}
    assert shell.get("/state", headers=headers).status_code == looks
    assert post(shell, "/pause", headers=headers).status_code == operates


@pytest.mark.parametrize(
    "header", ["Bearer aitrapp_wrong", "Bearer ", "Bearer", "Basic b3BlcmF0b3I6eA==", "token a:b"]
)
def test_a_wrong_key_is_refused_even_from_the_local_shell(shell, header):
    answer = post(shell, "/pause", headers={"Authorization": header})
    assert (answer.status_code, EntriesOff.objects.count()) == (401, 0)


def test_a_revoked_key_is_refused_at_once(shell):
    key = keys.create_key("script", [Scope.READ])
    assert shell.get("/state", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    ApiKey.objects.update(revoked_at="2026-11-23T10:00:00+05:30")
    assert shell.get("/state", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_a_key_shown_through_a_proxy_is_taken(shell):
    key = keys.create_key("script", [Scope.OPERATE])
    headers = {"Authorization": f"bearer {key}", "X-Forwarded-For": "203.0.113.9"}
    assert post(shell, "/pause", headers=headers).status_code == 200
    assert EntriesOff.objects.get().set_by == "key script"


def test_an_operator_at_the_console_may_operate_with_the_csrf_token(settings):
    settings.EMBEDDED = False
    client, headers = browser(user_with("operate"))
    assert post(client, "/pause", headers=headers).status_code == 200
    assert EntriesOff.objects.get().set_by == "someone"


@pytest.mark.parametrize("is_embedded", [True, False])
def test_a_session_without_the_csrf_token_is_refused_and_never_taken_for_the_local_shell(
    settings, is_embedded
):
    settings.EMBEDDED = is_embedded
    client, headers = browser(User.objects.create_superuser("operator"))
    for sent in ({}, {"X-CSRFToken": "x" * 32}, {**headers, "X-CSRFToken": ""}):
        assert post(client, "/flatten", headers=sent).status_code == 403
    foreign = {**headers, "Origin": "http://evil.example"}
    assert post(client, "/pause", headers=foreign).status_code == 403
    assert EntriesOff.objects.count() == 0


def test_a_viewer_may_look_and_nothing_else():
    client, headers = browser(user_with())
    assert client.get("/state").status_code == 200
    answer = post(client, "/pause", headers=headers)
    assert answer.status_code == 403
    assert detail(answer) == "someone lacks the scope operate. Ask with a key or a user that has it."


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_a_user_who_may_not_enter_the_console_may_not_call(settings, change):
    settings.EMBEDDED = False
    user = user_with("operate", "live")
    client, headers = browser(user)
    User.objects.filter(pk=user.pk).update(**change)
    assert client.get("/state").status_code in {401, 403}
    assert post(client, "/pause", headers=headers).status_code in {401, 403}


@pytest.mark.parametrize(
    "path",
    [
        "state",
        "positions",
        "orders",
        "signals",
        "decisions",
        "trades",
        "oco",
        "risk",
        "burnin",
        "gate",
        "metrics",
        "audit",
    ],
)
def test_nothing_can_be_read_by_a_stranger(shell, path):
    assert shell.get(f"/{path}", REMOTE_ADDR="203.0.113.9").status_code == 401


@pytest.mark.parametrize("path", ["mode", "pause", "resume", "flatten"])
def test_nothing_can_be_done_by_a_stranger(shell, path):
    body = {"mode": "PAPER"}
    answer = shell.post(f"/{path}", body, content_type="application/json", REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == 401


def test_health_is_told_to_everybody_without_a_secret(shell):
    answer = shell.get("/health", REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {
        "database": "ok", "redis": "ok", "entries": "nobody leads", "exits": "nobody leads",
    }  # fmt: skip
