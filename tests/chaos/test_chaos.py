"""Half a minute of the kill test: the whole program, its processes killed, stopped and cut off."""

import pytest

from tests.chaos import run
from tests.chaos.troubles import Kind

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_half_a_minute_of_faults_breaks_no_promise():
    told: list[str] = []
    sheet = run.run(run.Asked(seed=109, minutes=0.45), told.append)
    story = "\n".join(told)
    assert sheet["violations"] == [], story
    kinds = {fault["kind"] for fault in sheet["faults"]}
    assert {str(Kind.STOP_AT_COMMAND), str(Kind.KILL)} <= kinds, story
    assert any(fault["while_open"] for fault in sheet["faults"]), story
    assert sheet["entries"] > 0
    assert sheet["traded_again_s"] is not None
    assert sheet["flatten_s"]["max"] <= 30.0
