"""An account that asks first: nothing is entered without a yes, and a yes is no way round the rules."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from risk import state
from tests.days.desk import Day
from tests.live_prices import newest, snapshot
from trading import approvals
from trading.approvals import TooLate
from trading.core.enums import ApprovalAnswer, Role
from trading.models import Account, Approval, Decision, Signal

pytestmark = pytest.mark.django_db

YES, NO = ApprovalAnswer


@pytest.fixture
def day():
    day = Day.opens()
    Account.objects.filter(pk=day.account.pk).update(asks_first=True)
    return day


def sees(day: Day) -> Signal:
    """A setup that every rule lets pass: it is shown and waits."""
    signal = day.sees(stop="24900", target="25300")
    assert signal is not None
    day.asks(signal)
    return signal


def says(day: Day, given: ApprovalAnswer) -> None:
    approvals.answer(Approval.objects.get(), given, by="asha", now=day.now)


def reasons() -> list[str]:
    return [one["reason"] for one in Decision.objects.get().reasons]


def test_an_entry_waits_with_its_figures_and_nothing_is_sent(day):
    sees(day)
    day.run_for(30)
    asked = Approval.objects.get()
    assert (asked.quantity, asked.limit_price, asked.risk_inr) == (
        75,
        Decimal("25000.30"),
        Decimal("7522.50"),
    )
    assert asked.until == asked.signal.seen_at + timedelta(seconds=60)
    assert not Decision.objects.exists()
    assert day.broker.asked == []


def test_a_yes_enters_it_at_the_prices_of_then(day):
    sees(day)
    day.price_goes_to("25010")
    day.run_for(10)
    says(day, YES)
    day.run_for(6)
    assert Decision.objects.get().limit_price == Decimal("25010.30")
    assert day.net() == 75
    assert len(day.broker_orders(Role.ENTRY)) == 1
    day.run_for(60)
    assert len(day.broker_orders(Role.ENTRY)) == 1


def test_a_no_is_its_decision_and_says_whose(day):
    sees(day)
    says(day, NO)
    day.run_for(3)
    assert reasons() == ["NOT_AGREED"]
    assert Decision.objects.get().reasons[0]["text"] == "asha did not agree to 75 at ₹25,000.30."
    assert day.broker.asked == []


def test_without_an_answer_it_ends_with_the_signals_age(day):
    sees(day)
    day.run_for(63)
    assert reasons() == ["NOT_AGREED"]
    text = Decision.objects.get().reasons[0]["text"]
    assert text == "Nobody answered in time, so an operator did not agree to 75 at ₹25,000.30."
    with pytest.raises(TooLate, match="could be entered until"):
        says(day, YES)
    assert day.broker.asked == []


def test_a_yes_is_no_way_round_a_rule(day):
    sees(day)
    says(day, YES)
    state.pause(day.account.pk, by="ravi", why="no", now=day.now)
    day.run_for(3)
    assert reasons() == ["ENTRIES_OFF"]
    assert day.broker.asked == []


def test_what_a_rule_refuses_is_not_asked(day):
    state.pause(day.account.pk, by="ravi", why="no", now=day.now)
    sees(day)
    assert not Approval.objects.exists()
    assert reasons() == ["ENTRIES_OFF"]


def test_a_question_survives_a_restart_and_is_answered_once(day):
    sees(day)
    day.restarts()
    says(day, YES)
    day.run_for(6)
    assert day.net() == 75
    with pytest.raises(TooLate, match="is answered: YES, by asha"):
        says(day, NO)


def test_an_account_that_no_longer_asks_enters_the_next_one_at_once(day):
    Account.objects.filter(pk=day.account.pk).update(asks_first=False)
    assert day.enters().approved
    assert not Approval.objects.exists()


def test_the_api_shows_and_answers_what_waits(day, client, settings):
    settings.ACCOUNT_NAME = day.account.name
    sees(day)
    with newest(snapshot(at=day.now)):
        (asked,) = client.get("/approvals").json()
        assert (asked["quantity"], asked["limit_price"], asked["side"]) == (75, "25000.30", "BUY")
        path = f"/approvals/{asked['id']}"
        answer = client.post(path, {"answer": "YES"}, content_type="application/json")
        assert (answer.status_code, answer.json()["answered_by"]) == (200, "local operator")
        again = client.post(path, {"answer": "NO"}, content_type="application/json")
        assert again.status_code == 409
        assert client.get("/approvals").json() == []
    assert client.post("/approvals/0", {"answer": "YES"}, content_type="application/json").status_code == 404


def test_the_console_answers_too(day, client):
    sees(day)
    client.force_login(User.objects.create_superuser("asha"))
    action = {"action": "refuse", "_selected_action": [Approval.objects.get().pk]}
    with newest(snapshot(at=day.now)):
        client.post(reverse("admin:trading_approval_changelist"), action)
    asked = Approval.objects.get()
    assert (asked.answer, asked.answered_by) == (NO, "asha")
