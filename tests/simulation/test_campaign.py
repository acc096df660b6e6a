"""Two seeds of the fault simulation in every test run; `.ci/run` plays forty, `manage.py simulate` any number."""

from dataclasses import replace
from functools import cache

import pytest

from tests.simulation import campaign
from tests.simulation.campaign import Answer, Job, Sheet
from tests.simulation.rates import Rates

pytestmark = pytest.mark.django_db(transaction=True)


@cache
def played(seed, *, is_healthy=False):
    """Each seed is played once for all tests that look at it."""
    return campaign.play(Job(seed=seed, is_healthy=is_healthy))


def test_no_fault_breaks_a_promise():
    result = played(4).result
    assert result.violations == ()
    assert result.entries >= 3
    assert sum(result.faults.values()) >= 3
    assert sum(result.faults_while_open.values()) >= 1


def test_without_faults_a_position_has_its_stop_within_five_seconds_and_a_flatten_takes_two():
    result = played(20, is_healthy=True).result
    assert result.violations == ()
    assert result.entries >= 4
    assert max(result.unprotected_s) <= 5
    assert max(result.flatten_s) <= 2


def test_of_each_hundred_seeds_one_is_played_twice_and_must_come_out_the_same():
    assert [job.seed for job in campaign.jobs_of(1, 300) if job.is_twice] == [1, 101, 201]


def test_one_stream_more_shifts_nothing_elsewhere():
    assert Rates.drawn(1) == Rates.drawn(1)
    assert Rates.drawn(1) != Rates.drawn(2)
    assert Rates.healthy(1).crash == 0


def test_a_deliberate_defect_is_seen():
    result = campaign.play(Job(seed=2, mutant="all orders share a tag")).result
    assert "I1" in {one[1] for one in result.violations}


def test_a_seed_whose_faults_met_no_open_position_is_named_for_it_proves_nothing():
    result = played(4).result
    thin = Answer(Job(seed=5), replace(result, seed=5, faults_while_open={}), [])
    few = Answer(Job(seed=3), replace(result, seed=3, faults={"crash": 2}), [])
    healthy = played(20, is_healthy=True)
    sheet = Sheet()
    for answer in (thin, few, healthy, played(4)):
        sheet.add(answer)
    assert sheet.as_json()["thin_seeds"] == [3, 5]


def test_a_sheet_adds_seeds_up_and_names_the_weakest():
    sheet = Sheet()
    sheet.add(played(4))
    sheet.add(played(20, is_healthy=True))
    shown = sheet.as_json()
    assert shown["seeds"] == 2
    assert shown["market_hours"] == 1.0
    assert shown["minima"]["entries"] == played(4).result.entries
    assert shown["violations"] == []
