"""The pages of an operator's actions, and the bar on top of every page."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from oco.models import Flatten, StopMove
from risk import state
from risk.models import AuditEntry, EntriesOff, Lock
from tests.aitrapp_site.test_console import page
from tests.console_rows import MORNING, Chain, build_day, build_open
from tests.live_prices import newest, snapshot
from trading import keys, lease
from trading.core.enums import AuditOutcome, Loop, PauseReason, Scope
from trading.models import Approval, Instrument, Order, Trade

pytestmark = pytest.mark.django_db

ACTIONS = ("flatten", "resume", "drill", "gate")
#: posting needs the right to operate
PRESSED = re.compile(r'id="bar-flatten"|id="bar-pause"|formaction=|<form method="post"')


@pytest.fixture(autouse=True)
def own_account(settings):
    settings.ACCOUNT_NAME = "paper-1"


def client_of(*codenames: str) -> Client:
    user = User.objects.create_user("somebody", is_staff=True)
    may = Permission.objects.filter(codename__startswith="view_")
    user.user_permissions.set([*may, *Permission.objects.filter(codename__in=codenames)])
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return client_of("operate")


def pages_of(chain: Chain) -> list[str]:
    """Those that are not of one model: test_console looks at these."""
    actions = [reverse(name) for name in ACTIONS]
    own = [reverse("admin:index"), reverse("kite"), reverse("admin:app_list", args=["trading"])]
    history = page(type(chain.trade), "history", chain.trade.pk)
    return [*actions, *own, history, reverse("position", args=[chain.trade.pk])]


@pytest.mark.parametrize("mode", ["PAPER", "LIVE"])
def test_every_page_has_the_mode_and_the_kill_switch_for_who_may_press_it(mode, operator):
    chain = build_day()
    type(chain.account).objects.update(mode=mode)
    for address in pages_of(chain):
        answer = operator.get(address)
        text = answer.content.decode()
        assert answer.status_code == 200, address
        assert text.count(f'class="safety-bar {mode.lower()}"') == 1, address
        assert ('id="bar-flatten"' in text) == (address != reverse("flatten")), address
        assert "Entries <b>OFF</b> <small>risk: daily loss</small>" in text


def test_a_viewer_sees_the_mode_on_every_page_and_nothing_to_press():
    chain = build_day()
    viewer = client_of()
    operators_own = {reverse(name) for name in ("flatten", "resume", "drill")}
    operators_own.add(reverse("position", args=[chain.trade.pk]))
    for address in pages_of(chain):
        answer = viewer.get(address)
        if address in operators_own:
            assert answer.status_code == 403, address
            continue
        text = answer.content.decode()
        assert (answer.status_code, 'class="safety-bar paper"' in text) == (200, True), address
        assert not PRESSED.search(text.replace('<form id="logout-form" method="post"', "")), address
    for name in ("flatten", "resume", "pause", "gate"):
        assert viewer.post(reverse(name)).status_code == 403
    assert not EntriesOff.objects.exclude(reason="risk").exists()
    assert Flatten.objects.count() == 1


def test_flatten_says_what_it_would_close_and_cancel_before_anything_is_asked(operator):
    chain = build_open()
    Order.objects.filter(pk=chain.entry.pk).update(status="ACCEPTED", filled_quantity=0)
    with newest(snapshot(2_452_005)):
        text = operator.get(reverse("flatten")).content.decode()
    assert "NIFTY26NOVFUT<td>75<td>₹24,500.05<td>₹24,520.05<td>" in text
    assert "BUY 75 NIFTY26NOVFUT at ₹24,500.05: accepted" in text
    assert "carried from" not in text
    Trade.objects.update(trading_date="2026-11-20")
    assert (
        "NIFTY26NOVFUT, carried from 2026-11-20<td>BUY 75"
        in operator.get(reverse("flatten")).content.decode()
    )
    assert not Flatten.objects.exists()


def test_resume_says_what_it_lifts_and_asks_again_while_something_is_unknown(operator):
    chain = build_open()
    account = chain.account
    for reason in (PauseReason.OPERATOR, PauseReason.FLATTEN, PauseReason.RECONCILIATION):
        state.turn_off(account.pk, reason, by="asha", why=f"why {reason}", now=MORNING)
    Order.objects.filter(pk=chain.entry.pk).update(status="LOST")
    lease.renew(lease.take_or_fail(account.pk, Loop.EXITS, "watcher host:1"), pass_worked=True)
    text = operator.get(reverse("resume")).content.decode()
    lifts, stays = text.split('id="lifts"')[1].split('id="stays"')
    assert [word in lifts for word in ("why operator", "why flatten", "why reconciliation")] == [
        True,
        True,
        False,
    ]
    assert "why reconciliation" in stays
    again = operator.post(reverse("resume")).content.decode()
    assert "Order NIFTY26NOVFUT (ENTRY) is LOST: it may still fill." in again
    assert "Positions are not reconciled (reconciliation): why reconciliation." in again
    assert len(state.reasons_off(account.pk)) == 3
    done = operator.post(reverse("resume"), {"knowing": "yes"}, follow=True).content.decode()
    assert "Still off: reconciliation." in done
    assert state.reasons_off(account.pk) == {PauseReason.RECONCILIATION}


def test_one_click_lifts_a_lock_and_answers_an_entry_and_each_says_what_happened(operator):
    build_day()
    lock, approval = Lock.objects.get(), Approval.objects.get()
    lifting, saying_no = (
        reverse("lift-lock", args=[lock.pk]),
        reverse("answer-approval", args=[approval.pk, "no"]),
    )
    assert f'formaction="{lifting}"' in operator.get(page(Lock, "changelist")).content.decode()
    assert f'formaction="{saying_no}"' in operator.get(page(Approval, "changelist")).content.decode()
    assert operator.get(lifting).status_code == 405
    assert "is lifted: the rule counts on" in operator.post(lifting, follow=True).content.decode()
    assert "Not lifted: somebody lifted it at" in operator.post(lifting, follow=True).content.decode()
    assert "no, it is left." in operator.post(saying_no, follow=True).content.decode()
    assert "Not answered:" in operator.post(saying_no, follow=True).content.decode()
    assert (Lock.objects.get().lifted_by, Approval.objects.get().answer) == ("somebody", "NO")
    changed = AuditEntry.objects.filter(actor="somebody", address="203.0.113.9", action="changed")
    assert {entry.subject.split()[0] for entry in changed} == {"lock", "approval"}


def test_the_gate_names_what_is_met_and_missing_and_a_refusal_names_all_of_it():
    build_open()
    client = client_of("operate", "live")
    text = client.get(reverse("gate")).content.decode()
    assert "<b>Met</b> The right to go live" in text
    assert "<b>Missing</b> Flat<br><span>The account is not flat: 1 open. Flatten first.</span>" in text
    refused = client.post(reverse("gate"), {"phrase": "go", "mode": "LIVE"}).content.decode()
    assert "paper-1 stays PAPER: 5 conditions are not met." in refused
    for sentence in ("The phrase is missing", "KITE_ENVIRONMENT=production", "no Kite login", "there are 0"):
        assert sentence in refused.split('id="conditions"')[0]
    entry = AuditEntry.objects.filter(action="mode").latest("id")
    assert (entry.outcome, len(entry.words.splitlines())) == (AuditOutcome.REFUSED, 5)


def test_a_stop_that_may_not_move_is_refused_with_the_reason_and_a_drill_too(operator):
    chain = build_open()
    where = reverse("position", args=[chain.trade.pk])
    Order.objects.filter(pk=chain.stop.pk).update(trigger_price="24450.00", price="24376.60")
    for typed, why in (
        ("24449.90", "A stop only tightens: it is at ₹24,450.00, ask for a higher one than that."),
        ("abc", "&#x27;abc&#x27; is no price. Write it like 24500.50."),
        ("NaN", "&#x27;NaN&#x27; is no price."),
    ):
        said = operator.post(where, {"group": chain.group.pk, "price": typed}, follow=True).content.decode()
        assert f"Not moved: {why}" in said
    assert not StopMove.objects.exists()
    refused = AuditEntry.objects.get(action="call", outcome=AuditOutcome.REFUSED)
    assert refused.subject == "stop of NIFTY26NOVFUT to 24449.90"
    drill = operator.post(reverse("drill"), {"group": chain.group.pk}, follow=True).content.decode()
    assert "No drill: The exits&#x27; loop does not work now" in drill
    type(chain.account).objects.update(mode="LIVE")
    assert "paper-1 is LIVE: a drill costs a position" in operator.get(reverse("drill")).content.decode()


def test_the_api_closes_a_position_and_moves_a_stop_with_the_same_answers(operator):
    chain = build_day()
    stop, close = f"/oco/{chain.group.pk}/stop", f"/positions/{chain.trade.pk}/close"

    def asked(address: str, client: Client = operator) -> tuple[int, str]:
        answer = client.post(address, {"price": "24460"}, content_type="application/json")
        return answer.status_code, answer.json()["detail"]

    chain.group.refresh_from_db()
    type(chain.group).objects.update(state="ARMED", exited_quantity=0)
    Instrument.objects.update(tradingsymbol="NIFTY26NOVFUT")
    assert asked(stop) == (409, "The position is being closed: its stop is not moved any more.")
    assert asked(close) == (409, "NIFTY26NOVFUT is closed since 10:40:05.")
    assert asked("/oco/999/stop")[0] == asked("/positions/999/close")[0] == 404
    key = keys.create_key("reader", [Scope.READ])
    reader = Client(headers={"Authorization": f"Bearer {key}"})
    assert asked(stop, reader) == (
        403,
        "key reader lacks the scope operate. Ask with a key or a user that has it.",
    )


def test_a_closed_position_is_not_closed_again(operator):
    chain = build_day()
    said = operator.post(reverse("position", args=[chain.trade.pk]), {"close": "yes"}, follow=True)
    assert "Not closed: NIFTY26NOVFUT is closed since 10:40:05." in said.content.decode()
    assert Flatten.objects.count() == 1
    assert MORNING + timedelta(minutes=9) == chain.trade.closed_at
