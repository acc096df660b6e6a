"""`make paper` under fire: every process is killed in turn in mid-day, and the day ends as it should."""

import time
from collections import Counter
from functools import partial

import psutil
import pytest

from tests.aitrapp_site.paper_process import PaperProcess, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

LOOPS = ("ENTRIES", "EXITS")
#: the leaders come first, while positions are open
KILLED = ("leader of EXITS", "leader of ENTRIES", "exchange", "PostgreSQL", "Valkey", "keeper", "web", "beat")
AT_WORK = "SELECT 1 FROM trading_lease WHERE expires_at >= now() AND pass_at > now() - interval '3 s'"
DONE = {"COMPLETE", "CANCELLED", "REJECTED"}


@pytest.fixture(scope="module")
def paper():
    process = PaperProcess()
    yield process
    process.close()


def victim_of(paper: PaperProcess, name: str) -> tuple[str, psutil.Process]:
    """Name and process of who is meant: a leader is whichever process leads now."""
    processes = paper.processes()
    if not name.startswith("leader of "):
        return name, processes[name]
    pid = int(paper.leader(name.removeprefix("leader of ")).rpartition(":")[2])
    return next((known, process) for known, process in processes.items() if process.pid == pid)


def kill(paper: PaperProcess, name: str) -> None:
    """Kill one process: it comes back, and where it led a loop, somebody else leads within ten seconds."""
    known, victim = victim_of(paper, name)
    led = [loop for loop in LOOPS if paper.leader(loop).endswith(f":{victim.pid}")]
    victim.kill()
    until_s = time.monotonic() + 10
    for loop in led:
        wait_for(
            partial(is_led_by_another, paper, loop, victim.pid),
            until_s - time.monotonic(),
            f"another leader of {loop} after {known} was killed",
        )
    wait_for(
        lambda: (now := paper.processes().get(known)) and now.pid != victim.pid, 20, f"{known} comes back"
    )
    wait_for(lambda: is_at_work(paper), 20, f"both loops work again after {known} was killed")


def is_led_by_another(paper: PaperProcess, loop: str, pid: int) -> bool:
    leader = paper.leader(loop)
    return bool(leader) and not leader.endswith(f":{pid}")


def is_at_work(paper: PaperProcess) -> bool:
    """Both loops are led, by processes whose passes work now."""
    return len(paper.rows(AT_WORK)) == len(LOOPS)


def test_a_day_in_which_every_process_is_killed_ends_flat_without_a_tag_twice(paper):
    paper.start("--from", "14:05", "--days", "1", "--seed", "3")
    wait_for(lambda: paper.rows("SELECT 1 FROM oco_ocogroup WHERE state = 'ARMED'"), 40, "an armed group")
    for name in KILLED:
        kill(paper, name)
    orders, positions = wait_for(lambda: books_after_square_off(paper), 150, "the square-off")
    tags = Counter(order["tag"] for order in orders if order["tag"])
    assert tags, "nothing was ordered: the day proves nothing"
    assert [tag for tag, count in tags.items() if count > 1] == []
    assert [order["order_id"] for order in orders if order["status"] not in DONE] == []
    assert [position for position in positions if position["quantity"]] == []
    assert paper.wait(90) == 0
    assert "passed  no_duplicate_orders" in paper.said
    assert "passed  no_orphan_sibling" in paper.said
    assert "passed  flat_at_broker" in paper.said
    assert wait_for(lambda: not paper.leftovers(), 10, "nothing left") is True


def books_after_square_off(paper: PaperProcess):
    """Order book and net positions once square-off is over, None before."""
    state = paper.exchange_says("/_exchange/state")
    if not state or state["market_time"][11:16] < "15:22":
        return None
    orders, positions = paper.exchange_says("/orders"), paper.exchange_says("/portfolio/positions")
    return None if orders is None or positions is None else (orders, positions["net"])
