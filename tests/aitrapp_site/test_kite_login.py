"""The operator's login over real HTTP: our console, the exchange's own login page, and back."""

import stat
from datetime import datetime, timedelta
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from aitrapp_site import kite_token, wiring
from risk import state
from tests.trading.exchange.exchange_process import ExchangeProcess
from trading import logins
from trading.broker.base import SessionExpired
from trading.core.enums import PauseReason
from trading.core.holidays import default_calendar
from trading.core.session import IST
from trading.exchange.markets import Market
from trading.models import Account, KiteLogin

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=IST)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    # A token dies the next morning, and the console asks the computer's clock whether it has.
    today = Market(name="synthetic", calendar=default_calendar()).first_day(datetime.now(IST).date())
    words = ("--from", "10:00", "--speed", "20", "--redirect", "http://testserver/kite/callback")
    words += ("--date", today.isoformat())
    with ExchangeProcess(tmp_path_factory.mktemp("exchange"), words) as running:
        yield running


@pytest.fixture
def account(exchange, settings, tmp_path):
    settings.EXCHANGE_URL, settings.EXCHANGE_TICKER_URL = exchange.first["url"], exchange.first["ticker_url"]
    settings.KITE_API_KEY, settings.KITE_API_SECRET = exchange.first["api_key"], exchange.first["api_secret"]
    settings.KITE_ACCESS_TOKEN, settings.VAR_DIR = "", tmp_path
    return Account.objects.create(name="paper", broker_user="AB1234")


@pytest.fixture
def operator(client):
    client.force_login(User.objects.create_superuser("operator"))
    return client


def goes_through_the_login_page(client) -> str:
    """The path and query that Kite sends the browser back to."""
    sent = client.get("/kite/login")
    assert sent.status_code == 302, sent.content
    page = requests.get(sent["Location"], headers={"Accept": "text/html"}, timeout=5)
    assert "Log in" in page.text
    query = parse_qs(urlsplit(sent["Location"]).query)
    form = {"api_key": query["api_key"][0], "redirect_params": query["redirect_params"][0]}
    root = "{0.scheme}://{0.netloc}".format(urlsplit(sent["Location"]))
    answer = requests.post(f"{root}/connect/login", data=form, allow_redirects=False, timeout=5)
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def messages(client) -> str:
    return str(client.get("/admin/kite/").content.decode())


def test_an_operator_logs_in_and_every_process_reads_by_the_new_token(account, operator):
    state.turn_off(account.pk, PauseReason.LOGIN, by="exits loop", why="the token is dead", now=NOW)
    answer = operator.get(goes_through_the_login_page(operator))
    assert (answer.status_code, answer["Location"]) == (302, "/admin/kite/")
    login = KiteLogin.objects.get()
    assert (login.place, login.broker_user, login.asked_by) == ("exchange", "AB1234", "operator")
    assert login.dies_at.astimezone(IST).strftime("%H:%M") == "06:00"
    assert login.dies_at - login.logged_in_at < timedelta(days=1)
    assert wiring.broker_at(wiring.place(), wiring.clocks_now()).user_id() == "AB1234"
    assert PauseReason.LOGIN not in state.reasons_off(account.pk)
    page = messages(operator)
    assert "Logged in as AB1234." in page
    assert "alive" in page


def test_the_token_is_nowhere_in_plain_text_and_works_without_the_database(account, operator):
    operator.get(goes_through_the_login_page(operator))
    login = KiteLogin.objects.get()
    token = logins.token_of(login)
    kept = kite_token._path()
    assert token not in login.sealed_token
    assert token not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kite_token.without_database("exchange") == token
    assert kite_token.without_database("production") == ""


def test_with_another_secret_key_somebody_must_log_in_again(account, operator, settings):
    operator.get(goes_through_the_login_page(operator))
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(SessionExpired, match="sealed with another SECRET_KEY"):
        kite_token.of_account(account.pk, "exchange")


def test_a_second_login_takes_the_place_of_the_first(account, operator):
    operator.get(goes_through_the_login_page(operator))
    operator.get(goes_through_the_login_page(operator))
    first, second = KiteLogin.objects.order_by("pk")
    assert first.ended_why == "a newer login took its place"
    assert second.ended_at is None
    assert wiring.broker_at(wiring.place(), wiring.clocks_now()).user_id() == "AB1234"


def test_a_callback_that_no_login_of_this_browser_asked_for_is_not_believed(account, operator):
    path = goes_through_the_login_page(operator)
    operator.get("/kite/callback?request_token=stolen&state=guessed")
    assert "not begun here, or twice" in messages(operator)
    # The word was good for one answer, whatever it was.
    operator.get(path)
    assert "not begun here, or twice" in messages(operator)
    assert not KiteLogin.objects.exists()


def test_a_used_request_token_is_refused_with_what_to_do(account, operator):
    path = goes_through_the_login_page(operator)
    operator.get(path)
    query = parse_qs(urlsplit(path).query)
    session = operator.session
    session["kite_state"] = "again"
    session.save()
    operator.get(f"/kite/callback?request_token={query['request_token'][0]}&state=again")
    assert "open the login page again" in messages(operator)
    assert KiteLogin.objects.count() == 1


def test_somebody_elses_login_is_not_kept(account, operator):
    Account.objects.update(broker_user="ZZ9999")
    operator.get(goes_through_the_login_page(operator))
    assert "This login is AB1234&#x27;s; paper trades as ZZ9999" in messages(operator)
    assert not KiteLogin.objects.exists()


def test_without_keys_it_says_which_and_where_they_are(account, operator, settings):
    settings.KITE_API_KEY = settings.KITE_API_SECRET = ""
    answer = operator.get("/kite/login")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Set KITE_API_KEY and KITE_API_SECRET first")


def test_a_viewer_sees_the_page_and_no_button_and_may_not_begin(account, client):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(viewer)
    assert "Log in at Kite" not in client.get("/admin/kite/").content.decode()
    assert client.get("/kite/login").status_code == 403


def test_a_shell_is_told_to_use_a_browser(account, client, settings):
    settings.EMBEDDED = True
    answer = client.get("/kite/login")
    assert answer.status_code == 409
    assert "manage.py kite_login" in answer.json()["detail"]


def test_the_command_line_logs_in_too(account):
    told = StringIO()
    call_command("kite_login", stdout=told)
    answer = requests.get(told.getvalue().strip(), timeout=5)
    token = answer.json()["data"]["request_token"]
    told = StringIO()
    call_command("kite_login", request_token=token, stdout=told)
    assert told.getvalue().strip() == "Logged in as AB1234 at exchange."
    with pytest.raises(CommandError) as refused:
        call_command("kite_login", request_token=token)
    assert refused.value.returncode == 3


def test_a_login_that_died_at_six_asks_for_another(account, operator):
    operator.get(goes_through_the_login_page(operator))
    KiteLogin.objects.update(dies_at=NOW - timedelta(days=400))
    assert "ended at 06:00. Log in again" in messages(operator)
