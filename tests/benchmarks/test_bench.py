import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.benchmarks import decode
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
