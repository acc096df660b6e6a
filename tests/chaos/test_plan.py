"""What a seed decides, before anything runs."""

from itertools import pairwise

import pytest

from tests.chaos import plan
from tests.chaos.troubles import Kind

SEEDS = range(1, 60)


def test_the_same_seed_gives_the_same_faults_and_another_gives_others():
    assert plan.drawn(7, 60) == plan.drawn(7, 60)
    assert plan.drawn(7, 60) != plan.drawn(8, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_run_has_a_stop_at_a_command_a_kill_and_a_bad_wire(seed):
    kinds = {fault.kind for fault in plan.drawn(seed, 30)}
    assert Kind.STOP_AT_COMMAND in kinds
    assert Kind.KILL in kinds
    assert kinds & plan.WIRED


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_begin_within_the_time_asked_for_and_in_order(seed):
    times = [fault.at_s for fault in plan.drawn(seed, 60)]
    assert times == sorted(times)
    assert 0.5 <= times[0] <= 2.0
    assert times[-1] <= 60.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stop_at_a_command_lasts_thirty_seconds_and_other_stops_five_to_sixty(seed):
    for fault in plan.drawn(seed, 600):
        if fault.kind is Kind.STOP_AT_COMMAND:
            assert fault.lasts_s == 30.0
            assert fault.point is not None
        elif fault.kind is Kind.STOP and fault.at_s < 530:
            assert 5.0 <= fault.lasts_s <= 60.0


@pytest.mark.parametrize("seed", SEEDS)
def test_two_faults_of_the_wire_never_meet(seed):
    wired = [fault for fault in plan.drawn(seed, 600) if fault.kind in plan.WIRED]
    assert len(wired) >= 4
    for first, second in pairwise(wired):
        assert second.at_s > first.at_s + first.lasts_s


def test_a_long_run_has_every_kind_of_fault():
    kinds = {fault.kind for seed in (1, 2, 3, 4, 5) for fault in plan.drawn(seed, 600)}
    assert kinds == set(Kind)
