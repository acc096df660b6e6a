"""REST of risk: pause, resume, limits, the gate to real money."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from risk import live_gate, state
from risk.models import BurninDay, EntriesOff
from tests.console_rows import DAY, MORNING, build_chain, build_day, build_open
from tests.live_prices import newest, snapshot
from trading import keys, lease
from trading.core.enums import Loop, PauseReason, Scope
from trading.models import Account, Trade

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(settings):
    settings.ACCOUNT_NAME = "paper-1"
    return build_chain()


def post(client, path, body=None, **options):
    return client.post(path, body or {}, content_type="application/json", **options)


def bearer(*scopes: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.create_key('script', scopes)}"}


def test_pause_and_resume_are_rows_with_who_and_why(chain, client):
    answer = post(client, "/pause", {"why": "lunch"})
    assert answer.json()["entries_on"] is False
    assert answer.json()["off_because"][0]["why"] == "lunch"
    assert answer.json()["off_because"][0]["set_by"] == "local operator"
    assert post(client, "/resume").json()["entries_on"] is True
    assert EntriesOff.objects.get().lifted_by == "local operator"


def test_a_pause_carries_market_time_as_the_newest_tick_knows_it(chain, client):
    with newest(snapshot(at=MORNING.replace(hour=11))):
        post(client, "/pause")
    assert EntriesOff.objects.get().set_at == MORNING.replace(hour=11)


def test_ticks_left_by_an_earlier_run_say_nothing_of_the_time(chain, client):
    with newest(snapshot(at=MORNING.replace(year=2025))):
        post(client, "/pause")
    assert EntriesOff.objects.get().set_at == MORNING


def test_resume_lifts_the_operators_reasons_and_says_what_stays(chain, client):
    for reason in (PauseReason.OPERATOR, PauseReason.FLATTEN, PauseReason.RISK):
        state.turn_off(chain.account.pk, reason, by="somebody", why="test", now=MORNING)
    answer = post(client, "/resume").json()
    assert (answer["entries_on"], [one["reason"] for one in answer["off_because"]]) == (False, ["risk"])


def test_the_limits_in_force_are_told_with_their_version(chain, client):
    answer = client.get("/risk").json()
    assert answer["limits_version"] == 1
    assert answer["limits"]["heat_pct"] == "2.000"
    assert answer["limits"]["orders_per_s"] == 10


def test_live_is_refused_with_everything_that_is_missing(chain, client):
    answer = post(client, "/mode", {"mode": "LIVE"}, headers=bearer(Scope.LIVE))
    assert answer.status_code == 409
    assert answer.json()["detail"] == "paper-1 stays PAPER: 4 conditions are not met."
    assert answer.json()["missing"] == [
        'The phrase is missing: send "confirm": "CONFIRM LIVE TRADING".',
        "This program sends its orders to the exchange: start it with KITE_ENVIRONMENT=production.",
        "There is no Kite login of today.",
        "3 passed burn-in days in a row on live prices are needed; there are 0.",
    ]
    assert Account.objects.get().mode == "PAPER"


def test_the_phrase_alone_does_not_open_the_gate(chain, client):
    body = {"mode": "LIVE", "confirm": "CONFIRM LIVE TRADING"}
    answer = post(client, "/mode", body, headers=bearer(Scope.LIVE, Scope.OPERATE))
    assert answer.status_code == 409
    assert not any("phrase" in sentence for sentence in answer.json()["missing"])
    assert Account.objects.get().mode == "PAPER"


def test_asking_for_paper_on_paper_is_no_error(chain, client):
    answer = post(client, "/mode", {"mode": "PAPER"})
    assert (answer.status_code, answer.json()) == (200, {"account": "paper-1", "mode": "PAPER"})


def test_back_to_paper_is_given_when_flat_and_refused_when_not(settings, client):
    settings.ACCOUNT_NAME = "paper-1"
    chain = build_open()
    Account.objects.update(mode="LIVE")
    answer = post(client, "/mode", {"mode": "PAPER"}, headers=bearer(Scope.OPERATE))
    assert answer.status_code == 409
    assert answer.json()["missing"] == ["The account is not flat: 1 open. Flatten first."]
    Trade.objects.filter(pk=chain.trade.pk).update(closed_at=MORNING)
    assert post(client, "/mode", {"mode": "PAPER"}, headers=bearer(Scope.OPERATE)).json()["mode"] == "PAPER"
    assert Account.objects.get().mode == "PAPER"


@pytest.mark.parametrize("body", [{}, {"mode": "paper"}, {"mode": "REAL"}, {"mode": None}])
def test_a_mode_that_is_none_is_refused(chain, client, body):
    assert post(client, "/mode", body).status_code == 422


def test_the_gate_tells_what_is_missing_whoever_asks(chain, client):
    answer = client.get("/gate").json()
    assert answer["is_open"] is False
    assert answer["missing"][1] == "There is no Kite login of today."


def asked(**changes) -> live_gate.Asked:
    well = live_gate.Asked(
        phrase="CONFIRM LIVE TRADING", accept="", may_go_live=True, place="production", is_real_money=True,
        evidence="e" * 64, positions_open=0, books=(), alarms=(), is_probed=True, logged_in_on=DAY, today=DAY,
    )  # fmt: skip
    return replace(well, **changes)


def days(account, *verdicts: bool, market: str = "kite", evidence: str = "e" * 64) -> None:
    first = build_day(len(verdicts) + 10)
    row = BurninDay.objects.get(session=first.session)
    BurninDay.objects.all().delete()
    for number, passed in enumerate(verdicts, start=1):
        row.pk, row.account, row.passed, row.market, row.evidence = None, account, passed, market, evidence
        row.gross_inr, row.charges_inr, row.net_inr = "900.00", "300.00", "600.00"
        row.trading_date = DAY.replace(day=number)
        row.session = build_chain(20 + number).session
        row.save()


def test_three_passed_days_on_live_prices_and_all_else_open_the_gate(chain):
    days(chain.account, False, True, True, True)
    assert live_gate.missing(chain.account, asked()) == ()
    assert live_gate.go_live(chain.account, asked()) == ()
    chain.account.refresh_from_db()
    assert (chain.account.mode, chain.account.live_since) == ("LIVE", DAY)


def test_a_burn_in_that_lost_money_wants_a_second_phrase_with_the_loss_in_rupees(chain):
    days(chain.account, True, True, True)
    BurninDay.objects.update(gross_inr="-100.00", charges_inr="33.50", net_inr="-133.50")
    (said,) = live_gate.go_live(chain.account, asked())
    assert "gross ₹-300.00, charges ₹100.50, net ₹-400.50" in said
    assert '"accept": "I ACCEPT A NET OF -400.50 RUPEES"' in said
    assert live_gate.go_live(chain.account, asked(accept="I ACCEPT A NET OF -400.00 RUPEES")) == (said,)
    assert Account.objects.get(pk=chain.account.pk).mode == "PAPER"
    assert live_gate.go_live(chain.account, asked(accept="I ACCEPT A NET OF -400.50 RUPEES")) == ()
    assert Account.objects.get(pk=chain.account.pk).mode == "LIVE"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"verdicts": (True, True)}, "there are 2"),
        ({"verdicts": (True, True, True), "market": "synthetic"}, "there are 0"),
        ({"verdicts": (True, False, True, True)}, "2026-11-02"),
        ({"verdicts": (True, True, True), "evidence": "f" * 64}, "changed since"),
    ],
)
def test_days_that_do_not_count_are_named(chain, made, said):
    days(chain.account, *made.pop("verdicts"), **made)
    found = live_gate.go_live(chain.account, asked())
    assert len(found) == 1
    assert said in found[0]
    assert Account.objects.get(pk=chain.account.pk).mode == "PAPER"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phrase": "confirm live trading"}, "phrase"),
        ({"may_go_live": False}, "scope live"),
        ({"positions_open": 2}, "not flat: 2 open"),
        ({"logged_in_on": None}, "Kite login"),
        ({"logged_in_on": DAY.replace(day=22)}, "Kite login"),
        ({"is_probed": False}, "one-share probe"),
        ({"place": "rehearsal"}, "start it with ACCOUNT_NAME=rehearsal"),
        ({"is_real_money": False, "place": "exchange"}, "start it with KITE_ENVIRONMENT=production"),
        ({"books": ("The broker holds positions: INFY +5.",)}, "INFY +5"),
        ({"alarms": ("Entries are off (feed): nothing was heard.",)}, "nothing was heard"),
    ],
)
def test_each_condition_of_the_gate_stands_alone(chain, change, said):
    days(chain.account, True, True, True)
    found = live_gate.go_live(chain.account, asked(**change))
    assert len(found) == 1
    assert said in found[0]
    assert Account.objects.get(pk=chain.account.pk).mode == "PAPER"


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def act(client, action, chain):
    chosen = {"action": action, "_selected_action": [chain.account.pk]}
    return client.post("/admin/trading/account/", chosen, follow=True)


def test_the_console_pauses_and_resumes_an_account(chain, operator):
    assert "Entries are paused" in act(operator, "pause", chain).content.decode()
    assert EntriesOff.objects.get().set_by == "operator"
    asked_again = act(operator, "resume", chain).content.decode()
    assert "nothing was resumed. The exits&#x27; loop: nobody leads." in asked_again
    held = lease.take_or_fail(chain.account.pk, Loop.EXITS, "watcher host:1")
    lease.renew(held, pass_worked=True)
    assert "entries are on" in act(operator, "resume", chain).content.decode()
    assert EntriesOff.objects.get().lifted_by == "operator"


def test_the_console_refuses_live_and_gives_paper(chain, operator):
    assert "burn-in days in a row" in act(operator, "ask_for_live", chain).content.decode()
    assert "paper-1 is PAPER" in act(operator, "return_to_paper", chain).content.decode()
    assert Account.objects.get().mode == "PAPER"


def test_who_may_not_operate_is_offered_no_action(chain):
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set([*_permissions("view_account")])
    client = Client()
    client.force_login(user)
    act(client, "pause", chain)
    assert EntriesOff.objects.count() == 0
    assert "Pause entries" not in client.get("/admin/trading/account/").content.decode()


def _permissions(*names):
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


def test_the_audit_is_told_newest_first_and_paged_by_id(chain, client):
    key = bearer(Scope.OPERATE)
    for why in ("one", "two", "three"):
        post(client, "/pause", {"why": why}, headers=key)
    (newest, *_) = client.get("/audit?action=pause&limit=1", headers=key).json()
    assert (newest["words"], newest["actor"], newest["account"]) == ("three", "key script", "paper-1")
    older = client.get(f"/audit?action=pause&before_id={newest['id']}", headers=key).json()
    assert [entry["words"] for entry in older] == ["two", "one"]


def test_the_audit_can_be_asked_for_one_account(chain, client):
    build_chain(2)
    post(client, "/pause", {"why": "lunch"})
    assert {entry["account"] for entry in client.get("/audit?account=paper-2").json()} == {"paper-2"}
    assert client.get("/audit?account=nobody").status_code == 404


def test_the_audit_is_not_for_keys_that_only_read(chain, client):
    assert client.get("/audit", headers=bearer(Scope.READ)).status_code == 403


@pytest.mark.parametrize("query", ["limit=501", "limit=0", "before_id=-1", "action=nothing"])
def test_a_page_of_the_audit_that_makes_no_sense_is_refused(chain, client, query):
    assert client.get(f"/audit?{query}").status_code == 422
