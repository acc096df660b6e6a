"""How a defect is told from a bad seed, with made-up endings of seeds; and that each patch meets something real."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest

from tests.simulation import campaign, mutants

NAME = "two resting legs"
BROKEN = (("10:01:00", "I2", "75 rest against 0"),)


class MadeUpLane:
    """Seeds end as told: violations, an error, or (None) never. What is not told ends well."""

    def __init__(self, with_defect, without=()):
        self.endings = {(NAME, seed): end for seed, end in dict(with_defect).items()}
        self.endings |= {("", seed): end for seed, end in dict(without).items()}
        self.renewed = 0
        self.played = []

    def submit(self, job):
        self.played.append((job.mutant, job.seed))
        end, future = self.endings.get((job.mutant, job.seed), ()), Future()
        if isinstance(end, Exception):
            future.set_exception(end)
        elif end is not None:
            future.set_result(SimpleNamespace(result=SimpleNamespace(violations=end)))
        return future

    def renew(self):
        self.renewed += 1


def caught(*lanes, seeds=3):
    (found,) = campaign.catch_mutants([NAME], seeds, lanes, lambda one: None)
    return found


def test_a_defect_is_caught_at_the_first_seed_that_ends_well_without_it():
    lane = MadeUpLane({2: BROKEN})
    found = caught(lane)
    assert (found["caught"], found["seed"], found["by"], found["what"]) == (
        True,
        2,
        "I2",
        "75 rest against 0",
    )
    assert lane.played == [(NAME, 1), (NAME, 2), ("", 2)]


def test_a_seed_that_ends_badly_without_the_defect_shows_nothing():
    found = caught(MadeUpLane({1: BROKEN, 3: BROKEN}, without={1: BROKEN}))
    assert (found["caught"], found["seed"]) == (True, 3)


def test_a_defect_that_no_seed_shows_is_not_caught():
    found = caught(MadeUpLane({4: BROKEN}))
    assert (found["caught"], found["seed"]) == (False, None)


def test_a_process_that_dies_of_its_defect_is_replaced_and_counts():
    lane = MadeUpLane({1: BrokenProcessPool("it died")})
    found = caught(lane)
    assert (found["caught"], found["seed"], found["by"]) == (True, 1, "CRASHED")
    assert lane.renewed == 1


def test_a_process_that_dies_without_a_defect_as_well_shows_nothing():
    error = BrokenProcessPool("it died")
    lane = MadeUpLane({1: error}, without={1: error})
    assert caught(lane)["caught"] is False
    assert lane.renewed == 2


def test_a_seed_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(campaign, "SEED_LASTS_S", 0.01)
    lane = MadeUpLane({1: None})
    found = caught(lane)
    assert (found["by"], found["what"]) == ("CRASHED", "TimeoutError: no end within 0 s")
    assert lane.renewed == 1


def test_two_lanes_name_the_earlier_seed():
    assert caught(MadeUpLane({1: BROKEN}), MadeUpLane({2: BROKEN}))["seed"] == 1


def test_every_lesson_on_orders_and_exits_identity_and_money_has_a_defect():
    undone = {one.undoes for one in mutants.MUTANTS.values()}
    assert undone == {f"1.{row}" for row in range(1, 15)} | {"2", "3"}


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_defect_replaces_what_is_there_and_is_taken_away_again(name):
    patches = mutants.MUTANTS[name].patches
    before = [owner.__dict__[attribute] for owner, attribute, _ in patches]
    with mutants.applied(name):
        within = [owner.__dict__[attribute] for owner, attribute, _ in patches]
    assert all(broken is not real for broken, real in zip(within, before, strict=True))
    assert [owner.__dict__[attribute] for owner, attribute, _ in patches] == before
