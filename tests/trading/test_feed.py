"""A silent feed keeps entries off, and only the feed's own word lifts that."""

from datetime import datetime

import pytest

from risk import state
from trading import feed
from trading.core.enums import PauseReason
from trading.core.session import IST
from trading.models import Account

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=IST)


@pytest.fixture
def account_id() -> int:
    return Account.objects.create(name="feed", broker_user="AB1234").pk


def hear(account_id: int, silent_s: float) -> set[PauseReason]:
    feed.note_silence(account_id, silent_s, by="entries loop", now=TEN)
    return set(state.reasons_off(account_id))


def test_five_seconds_without_a_word_are_borne_and_more_keep_entries_off_until_the_next_word(account_id):
    assert hear(account_id, 5.0) == set()
    assert hear(account_id, 5.1) == {PauseReason.FEED}
    assert hear(account_id, 60) == {PauseReason.FEED}
    assert hear(account_id, 0.2) == set()


def test_a_word_of_the_market_lifts_nothing_of_the_operators(account_id):
    state.pause(account_id, by="operator", why="lunch", now=TEN)
    assert hear(account_id, 30) == {PauseReason.OPERATOR, PauseReason.FEED}
    assert hear(account_id, 0) == {PauseReason.OPERATOR}


def test_the_operators_resume_does_not_make_a_silent_feed_speak(account_id):
    hear(account_id, 30)
    assert state.resume(account_id, by="operator", now=TEN) == {PauseReason.FEED}
