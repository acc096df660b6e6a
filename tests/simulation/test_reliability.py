"""The page is made of figures alone, so a small made-up campaign shows it whole."""

from tests.simulation import reliability

SPANS = {"p50": 0.4, "p99": 3.1, "max": 12.5}
SHEET = {
    "seeds": 40,
    "healthy_seeds": 2,
    "market_hours": 24.0,
    "entries": 240,
    "fills": 700,
    "crashes": 31,
    "faults": {"crash": {"count": 31, "while_open": 12}},
    "minima": {"entries": 4, "faults_while_open": 1},
    "thin_seeds": [],
    "violations": [],
    "unprotected_s": SPANS | {"healthy_max": 1.2},
    "flatten_s": SPANS,
    "digest": "ab" * 32,
}
LEGS = {"name": "two resting legs", "undoes": "1.7", "caught": True, "seed": 3, "by": "I2", "what": "75 rest"}


SPOILT = {"name": "two resting legs", "seeds": 20, "spoilt": 7, "by": {"I1": 2, "I2": 5}}


def page(**changes):
    return reliability.page(SHEET | changes, [LEGS], SPOILT, commit="1a2b3c", start=1, seeds_each=200)


def test_the_sheet_names_commit_seeds_figures_and_the_commands_to_replay_them():
    text = page()
    assert "Commit `1a2b3c`" in text
    assert "Seeds 1 to 40" in text
    assert "| violations | 0 |" in text
    assert "| defects caught | 1 of 1 |" in text
    assert "| crash | 31 | 12 |" in text
    assert "python manage.py simulate --start 1 --seeds 40 --json" in text
    assert "each faulty seed at least | 4 entries, 1 faults while open |" in text


def test_the_sheet_compares_one_resting_order_with_two():
    text = page()
    assert "7 of 20 broke a promise (first broken: I1 in 2, I2 in 5)" in text
    assert "modified: 0 of 20." in text
    beyond = {"seed": 21, "at": "10:01:00", "invariant": "I4", "what": "bare"}
    assert "modified: 1 of 20." in page(violations=[beyond | {"seed": 9}, beyond])


def test_a_violation_is_shown_not_hidden():
    shown = page(violations=[{"seed": 9, "at": "10:01:00", "invariant": "I4", "what": "bare"}])
    assert "| violations | 1 |" in shown
    assert "| 9 | 10:01:00 | I4 | bare |" in shown
