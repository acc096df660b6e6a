import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.benchmarks import console, decode
from tests.benchmarks.console_clients import p99_ms
from trading.management.commands.bench import BENCHES


def test_the_decoding_bench_prints_ticks_a_second_of_both_and_their_ratio():
    said = StringIO()
    try:
        call_command("bench", "decode", "--packets", "50", "--json", stdout=said)
    except SystemExit as missed:
        assert missed.code == 3
    found = json.loads(said.getvalue())
    kinds = {"ltp", "quote", "full", "index", "mixed"}
    assert (found["ours"].keys(), found["client"].keys(), found["ratio"].keys()) == (kinds, kinds, kinds)
    assert (found["packets"], found["identical"]) == (50, True)
    assert found["ratio"]["full"] > 1


def test_a_person_reads_which_figure_must_be_reached():
    found = {"packets": 3000, "identical": False}
    found |= {"ours": {"full": 6000000}, "client": {"full": 50000}, "ratio": {"full": 120.0}}
    assert decode.told(found).splitlines() == [
        "frames of 3000 packets    ours, ticks/s    client, ticks/s    times",
        "    full                       6,000,000             50,000    120.0  (at least 300)",
        "every value the same: NO",
    ]


def test_an_unknown_bench_is_refused_with_the_known_ones():
    with pytest.raises(CommandError, match="invalid choice: 'sleep'"):
        call_command("bench", "sleep")
    assert "decode" in BENCHES


def test_the_feed_bench_hears_every_frame_of_every_client():
    said = StringIO()
    try:
        call_command("bench", "feed", "--instruments", "50", "--seconds", "4", "--json", stdout=said)
    except SystemExit as missed:
        assert missed.code == 3
    found = json.loads(said.getvalue())
    # Eight frames, of which four are for warming up, to three clients.
    assert (found["instruments"], found["frames"], found["missing"]) == (50, 12, 0)
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]


def test_the_console_bench_says_what_missed_its_bound_and_what_was_not_measured():
    found = {"positions": 200, "orders": 2000, "signals": 100_000, "rounds": 5, "load": 0.4}
    found |= {
        "page_p50_ms": 50.2,
        "page_p95_ms": 63.7,
        "page_cpu_ms": 39.1,
        "page_kb": 318,
        "page_queries": 16,
    }
    found |= {"first_paint_ms": None, "no_paint_because": "no chromium", "stuck_times": 1.01}
    found |= {"one_cpu_pct": 5.3, "one_p99_ms": 107.4, "one_came_p99_ms": 5.4, "one_messages_a_s": 12.0}
    found |= {"one_kb_a_s": 106.1, "many_p99_ms": 113.7, "many_cpu_pct": 13.6}
    assert console.missed(found) == ["page_queries"]
    said = console.told(found).splitlines()
    assert [line.split("  ")[-1] for line in said if "MISSED" in line] == ["MISSED"]
    assert "queries of the home page" in said[2]
    assert said[3].endswith("not measured: no chromium (at most 1000)")


def test_the_age_of_a_figure_is_the_one_that_all_but_a_hundredth_stay_below():
    assert p99_ms([float(age) for age in range(200)]) == 198.0
    with pytest.raises(ValueError, match="no figure came"):
        p99_ms([])
