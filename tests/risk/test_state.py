"""Entries are off for a set of reasons, each lifted only by its own role; limits are rows with versions."""

from datetime import datetime
from decimal import Decimal

import pytest

from risk import state
from risk.models import EntriesOff, RiskLimits
from trading.core.enums import PauseReason
from trading.core.session import IST
from trading.models import Account

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 11, 3, 10, 0, tzinfo=IST)


@pytest.fixture
def account() -> Account:
    return Account.objects.create(name="desk", broker_user="AB1234")


def off(account: Account, reason: PauseReason, by: str = "watcher") -> bool:
    return state.turn_off(account.pk, reason, by=by, why="because", now=NOW)


def test_entries_are_on_while_nothing_stands_against_them(account):
    assert state.reasons_off(account.pk) == frozenset()


def test_reasons_are_a_set_and_each_is_lifted_alone(account):
    assert off(account, PauseReason.FEED)
    assert off(account, PauseReason.RISK)
    assert state.lift(account.pk, PauseReason.FEED, by="feed", now=NOW)
    assert state.reasons_off(account.pk) == {PauseReason.RISK}
    assert not state.lift(account.pk, PauseReason.FEED, by="feed", now=NOW)


def test_the_first_words_of_a_standing_reason_are_kept(account):
    assert off(account, PauseReason.RISK, by="daily loss")
    assert not off(account, PauseReason.RISK, by="somebody else")
    assert [row.set_by for row in EntriesOff.objects.all()] == ["daily loss"]


def test_a_reason_may_come_again_after_it_was_lifted(account):
    off(account, PauseReason.FEED)
    state.lift(account.pk, PauseReason.FEED, by="feed", now=NOW)
    assert off(account, PauseReason.FEED)
    assert EntriesOff.objects.count() == 2


def test_resume_lifts_the_operators_pause_and_the_flatten_latch_and_names_what_stands(account):
    state.pause(account.pk, by="operator", why="lunch", now=NOW)
    off(account, PauseReason.FLATTEN)
    off(account, PauseReason.RISK)
    assert state.resume(account.pk, by="operator", now=NOW) == {PauseReason.RISK}


def test_a_role_lifts_only_what_it_put_up_itself(account):
    off(account, PauseReason.RECONCILIATION, by="watcher")
    assert not state.lift_own(account.pk, PauseReason.RECONCILIATION, by="reconciliation", now=NOW)
    assert state.lift_own(account.pk, PauseReason.RECONCILIATION, by="watcher", now=NOW)


def test_another_accounts_reasons_do_not_count(account):
    other = Account.objects.create(name="other", broker_user="CD5678")
    off(other, PauseReason.OPERATOR)
    assert state.reasons_off(account.pk) == frozenset()


def test_the_first_look_puts_the_paper_defaults_in_force(account):
    limits = state.limits_in_force(account.pk)
    assert (limits.version, limits.risk_per_trade_pct, limits.daily_loss_pct) == (
        1,
        Decimal("0.500"),
        Decimal("2.500"),
    )
    assert (limits.open_positions, limits.trades_per_day, limits.losses_in_a_row) == (4, 20, 6)
    assert state.limits_in_force(account.pk).pk == limits.pk


def test_the_newest_version_is_in_force(account):
    state.limits_in_force(account.pk)
    RiskLimits.objects.create(account=account, version=3, created_by="op", why="less", open_positions=2)
    RiskLimits.objects.create(account=account, version=2, created_by="op", why="more", open_positions=5)
    assert state.limits_in_force(account.pk).open_positions == 2
