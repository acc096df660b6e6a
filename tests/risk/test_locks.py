"""Locks as rows: written once for a cause, lifted once by a person, and what the console and the API say of them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from risk import locks, self_test, state
from risk.locks import CannotBeLifted
from risk.models import Blackout, Lock, RuleTally
from risk.protections import Standing
from tests.console_rows import MORNING, build_chain
from trading.core.enums import Exchange, Protection, RiskReason
from trading.core.session import IST
from trading.models import Account

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=IST)
NIFTY = (Exchange.NFO, "NIFTY26NOVFUT")
COOLDOWN = Standing(
    protection=Protection.COOLDOWN,
    instrument=NIFTY,
    cause_at=MORNING,
    until=MORNING + timedelta(minutes=5),
    why="the trade lost",
)
TRADES = Standing(
    protection=Protection.TRADES_PER_DAY,
    cause_at=MORNING.replace(hour=0, minute=0, second=0),
    why="20 trades",
)


@pytest.fixture
def chain(settings):
    settings.ACCOUNT_NAME = "paper-1"
    return build_chain()


def keep(chain, *standing: Standing) -> None:
    locks.keep(chain.account.pk, chain.session.pk, standing, MORNING)


def in_force(chain, now: datetime = MORNING) -> list[str]:
    return sorted(str(lock) for lock in locks.in_force(chain.account.pk, chain.session.pk, now))


def test_a_cause_is_written_once_whoever_sees_it(chain):
    keep(chain, COOLDOWN, TRADES)
    keep(chain, COOLDOWN, TRADES)
    assert Lock.objects.count() == 2
    keep(chain, replace(COOLDOWN, cause_at=MORNING + timedelta(minutes=1)))
    assert Lock.objects.count() == 3


def test_a_lock_is_in_force_until_its_time_or_until_the_day_ends(chain):
    keep(chain, COOLDOWN, TRADES)
    assert in_force(chain) == ["COOLDOWN NIFTY26NOVFUT", "TRADES_PER_DAY"]
    assert in_force(chain, MORNING + timedelta(minutes=5)) == ["TRADES_PER_DAY"]
    assert in_force(chain, MORNING + timedelta(days=1)) == []


def test_what_a_person_lifts_the_rules_are_told_and_who_it_was_stays(chain):
    keep(chain, COOLDOWN)
    assert locks.lifted(chain.session.pk) == frozenset()
    locks.lift(Lock.objects.get(), by="asha", now=MORNING)
    let_go = {(Protection.COOLDOWN, NIFTY, MORNING)}
    assert locks.lifted(chain.session.pk) == let_go
    assert state.in_force(chain.account.pk, chain.session.pk, "NIFTY", MORNING).lifted == let_go
    assert in_force(chain) == []
    with pytest.raises(CannotBeLifted, match="asha lifted it"):
        locks.lift(Lock.objects.get(), by="ravi", now=MORNING)


def test_the_days_own_limits_and_what_is_over_are_not_lifted(chain):
    keep(chain, COOLDOWN, TRADES)
    trades = Lock.objects.get(protection="TRADES_PER_DAY")
    with pytest.raises(CannotBeLifted, match="only another version of the limits"):
        locks.lift(trades, by="asha", now=MORNING)
    with pytest.raises(CannotBeLifted, match="was over"):
        locks.lift(Lock.objects.get(protection="COOLDOWN"), by="asha", now=MORNING + timedelta(minutes=5))


def test_the_api_names_locks_and_lifts_them(chain, client):
    keep(chain, COOLDOWN, TRADES)
    told = {one["protection"]: one for one in client.get("/locks").json()}
    assert told["COOLDOWN"]["why"] == "the trade lost"
    assert told["TRADES_PER_DAY"]["until"] is None
    answer = client.post(f"/locks/{told['COOLDOWN']['id']}/lift")
    assert (answer.status_code, answer.json()["lifted_by"]) == (200, "local operator")
    refused = client.post(f"/locks/{told['TRADES_PER_DAY']['id']}/lift")
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "TRADES_PER_DAY ends with the day: only another version of the limits can raise it.",
    )
    assert client.post("/locks/999999/lift").status_code == 404
    assert [one["protection"] for one in client.get("/locks").json()] == ["TRADES_PER_DAY"]


def test_the_console_lifts_for_who_may_and_shows_it_to_who_may_not(chain):
    keep(chain, COOLDOWN)
    page, lock = reverse("admin:risk_lock_changelist"), Lock.objects.get()
    action = {"action": "lift", "_selected_action": [lock.pk]}
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(viewer)
    assert "the trade lost" in client.get(page).content.decode()
    client.post(page, action)
    lock.refresh_from_db()
    assert lock.lifted_at is None
    client.force_login(User.objects.create_superuser("asha"))
    client.post(page, action)
    lock.refresh_from_db()
    assert lock.lifted_by == "asha"


def event_now(name, now):
    account, _ = Account.objects.get_or_create(name="events")
    return state.in_force(account.pk, 0, name, now).event


def test_an_event_keeps_one_name_or_all_out_while_it_lasts():
    Blackout.objects.create(event="RBI policy", starts_at=NOW, ends_at=NOW + timedelta(minutes=45))
    Blackout.objects.create(event="Results", name="INFY", starts_at=NOW, ends_at=NOW + timedelta(hours=2))
    assert event_now("NIFTY", NOW - timedelta(seconds=1)) == ""
    assert event_now("NIFTY", NOW) == "RBI policy, until 10:45"
    assert event_now("INFY", NOW) == "Results, until 12:00"
    assert event_now("NIFTY", NOW + timedelta(minutes=45)) == ""


def test_an_event_that_ends_before_it_starts_is_refused(client):
    client.force_login(User.objects.create_superuser("asha"))
    form = {
        "event": "Budget", "name": "", "starts_at_0": "2027-02-01", "starts_at_1": "11:00:00",
        "ends_at_0": "2027-02-01", "ends_at_1": "10:00:00",
    }  # fmt: skip
    answer = client.post(reverse("admin:risk_blackout_add"), form)
    assert answer.context["adminform"].form.non_field_errors() == [
        "It ends before it starts: write a later end."
    ]
    assert not Blackout.objects.exists()


def test_each_rule_counts_what_it_said_and_one_that_is_not_asked_is_named(chain, client):
    asked = [reason for reason in self_test.EXPECTED if reason != RiskReason.HEAT_LIMIT]
    for refused in ({RiskReason.COOLDOWN}, set()):
        self_test.count(chain.session.pk, MORNING.date(), asked, refused)
    rows = {row.rule: (row.passes, row.refusals) for row in RuleTally.objects.all()}
    assert rows["COOLDOWN"] == (1, 1)
    assert rows["PRICE_BAND"] == (2, 0)
    assert self_test.unasked(chain.session.pk, MORNING.date()) == {RiskReason.HEAT_LIMIT}
    told = client.get("/rules").json()
    assert told["unasked"] == ["HEAT_LIMIT"]
    assert {"rule": "COOLDOWN", "passes": 1, "refusals": 1} in told["rules"]


def test_a_day_without_an_entry_to_look_at_is_no_alarm(chain, client):
    assert self_test.unasked(chain.session.pk, MORNING.date()) == frozenset()
    assert client.get("/rules").json() == {
        "account": "paper-1", "trading_date": None, "rules": [], "unasked": [],
    }  # fmt: skip
