"""`make paper` under fire: every process is killed in turn in mid-day, and the day ends as it should."""

import time
from collections import Counter
from functools import partial

import pytest

from aitrapp_site.settings import BASE_DIR
from aitrapp_site.supervisor import read_procfile
from tests.aitrapp_site.book_watch import DONE, BookWatch
from tests.aitrapp_site.paper_process import DAY, PaperProcess, wait_for
from tests.aitrapp_site.screen_watch import ScreenWatch

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

#: No entry opens after 14:30 of market time, so a later start would kill a day without positions.
BEGIN = "14:05"
#: Who is killed, in turn, and which loops it leads then. The worker is the standby of both loops: it leads when the
#: dedicated ones are dead, and is killed as leader and as standby.
KILLED: list[tuple[str, set[str]]] = [
    ("watcher", {"EXITS"}),
    ("strategy", {"ENTRIES"}),
    ("worker", {"ENTRIES", "EXITS"}),
    ("worker", set()),
    ("exchange", set()),
    ("PostgreSQL", set()),
    ("Valkey", set()),
    ("keeper", set()),
    ("web", set()),
    ("beat", set()),
    ("dead_man", set()),
]
#: these protect positions or carry the orders: killing them without a position proves nothing
NEEDS_POSITIONS = ("watcher", "worker", "exchange", "PostgreSQL")
LEADS_WITHIN_S = 10
#: the operator's screen, from the kill on
SHOWN_WITHIN_S = 6.0
#: I4 under one fault
BARE_AT_MOST_S = 30.0
AT_WORK = "SELECT 1 FROM trading_lease WHERE expires_at >= now() AND pass_at > to_timestamp({since})"


@pytest.fixture(scope="module")
def paper():
    process = PaperProcess()
    yield process
    process.close()


def test_every_process_of_the_procfile_and_of_the_private_servers_is_killed():
    ours = {process.name for process in read_procfile(BASE_DIR / "Procfile")}
    assert {name for name, _ in KILLED} == ours | {"PostgreSQL", "Valkey", "keeper"}


def test_a_day_in_which_every_process_is_killed_ends_flat_without_a_tag_twice(paper):
    paper.start("--from", BEGIN, "--days", "1", *DAY)
    wait_for(lambda: paper.rows("SELECT 1 FROM oco_ocogroup WHERE state = 'ARMED'"), 40, "an armed group")
    with BookWatch(paper) as watch, ScreenWatch(paper) as screen:
        wait_for(lambda: watch.held_now and screen.looks, 5, "a position at the exchange, and a screen")
        held = [(name, kill(paper, watch, screen, name, leads)) for name, leads in KILLED]
        orders, positions = wait_for(lambda: books_after_square_off(paper), 150, "the square-off")
    assert [name for name, count in held if name in NEEDS_POSITIONS and not count] == [], held
    tags = Counter(order["tag"] for order in orders if order["tag"])
    assert tags, "nothing was ordered: the day proves nothing"
    assert [tag for tag, count in tags.items() if count > 1] == []
    assert [order["order_id"] for order in orders if order["status"] not in DONE] == []
    assert [position for position in positions if position["quantity"]] == []
    assert watch.looks > 100
    assert watch.worst_bare_s <= BARE_AT_MOST_S, sorted(watch.bare, key=lambda one: -one[1])[:5]
    judged = paper.verdict()
    print(held, judged, "bare at the exchange, s:", sorted(round(s, 1) for _, s in watch.bare)[-8:])
    assert judged["trades"] >= 1
    assert [problem for problem in judged["problems"] if not problem.startswith("I4")] == []
    assert max(judged["unprotected_ms"]) <= BARE_AT_MOST_S * 1000
    assert paper.wait(90) == 0
    assert "passed  no_duplicate_orders" in paper.said
    assert "passed  no_orphan_sibling" in paper.said
    assert "passed  flat_at_broker" in paper.said
    assert wait_for(lambda: not paper.leftovers(), 10, "nothing left") is True


def kill(paper: PaperProcess, watch: BookWatch, screen: ScreenWatch, name: str, leads: set[str]) -> int:
    """Kill one process that leads these loops: it comes back, and somebody else leads within ten seconds.

    The operator's screen shows it within six seconds, and by itself that all is well again.

    Returns how many positions were open at that moment.
    """
    victim = paper.processes()[name]
    for loop in leads:
        assert paper.leader(loop).endswith(f":{victim.pid}"), f"{name} does not lead {loop}"
    held = watch.held_now
    killed_at = time.time()
    victim.kill()
    began_s = time.monotonic()
    for loop in leads:
        wait_for(
            partial(is_led_by_another, paper, loop, victim.pid),
            began_s + LEADS_WITHIN_S - time.monotonic(),
            f"another leader of {loop} after {name} was killed",
        )
    led_s = time.monotonic() - began_s
    shown = [shown_after(screen, loop, victim.pid, killed_at) for loop in sorted(leads)]
    wait_for(lambda: (now := paper.processes().get(name)) and now.pid != victim.pid, 20, f"{name} comes back")
    wait_for(lambda: is_at_work(paper, killed_at), 20, f"both loops work again after {name} was killed")
    took_s = time.monotonic() - began_s
    print(f"{name} {sorted(leads)}: led {led_s:.2f} s, at work {took_s:.2f} s, {held} positions open")
    print(*shown, sep="\n")
    return held


def shown_after(screen: ScreenWatch, loop: str, pid: int, killed_at: float) -> str:
    """When the screen no longer called the dead process a leader, and when another one, and well."""
    trouble = wait_for(
        lambda: screen.trouble(loop, pid, killed_at), LEADS_WITHIN_S, f"{loop} in trouble on the screen"
    )
    assert trouble.at_s - killed_at <= SHOWN_WITHIN_S, trouble
    well = wait_for(
        lambda: screen.recovery(loop, pid, killed_at), LEADS_WITHIN_S, f"{loop} well again on the screen"
    )
    return (
        f"  {loop}: {trouble.state} on the screen after {trouble.at_s - killed_at:.2f} s, "
        f"{well.holder} well after {well.at_s - killed_at:.2f} s"
    )


def is_led_by_another(paper: PaperProcess, loop: str, pid: int) -> bool:
    leader = paper.leader(loop)
    return bool(leader) and not leader.endswith(f":{pid}")


def is_at_work(paper: PaperProcess, since: float) -> bool:
    """Both loops are led, and have run passes that worked after `since`, seconds since the epoch.

    A leader notes them with its renewal every 1.5 s, so a note so soon after may be of a pass before.
    """
    return len(paper.rows(AT_WORK.format(since=since + 1.5))) == 2


def books_after_square_off(paper: PaperProcess):
    """Order book and net positions once square-off is over, None before."""
    state = paper.exchange_says("/_exchange/state")
    if not state or state["market_time"][11:16] < "15:22":
        return None
    orders, positions = paper.exchange_says("/orders"), paper.exchange_says("/portfolio/positions")
    return None if orders is None or positions is None else (orders, positions["net"])
