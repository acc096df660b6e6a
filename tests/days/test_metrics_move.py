"""Lessons section 6, 18: each number moves when its event happens, and a heartbeat goes stale when the work fails."""

from threading import Event

import pytest

from aitrapp_site.clocks import MachineClocks
from reporting.metrics import exposition
from tests.days.broker import Trouble
from tests.days.desk import Day
from tests.days.market import NIFTY, STEEL
from trading import looping
from trading.broker.base import BrokerUnavailable
from trading.core.enums import Loop, Role
from trading.looping import Timing
from trading.models import Account

QUICK = Timing(lease_s=3.0, renew_every_s=0.05, idle_s=0.05, try_every_s=0.05, breath_s=0.02)


def numbers() -> dict[str, float]:
    """Ours, by name and labels as the exposition writes them."""
    lines = exposition("")[0].decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("trader_"))
    return {name: float(value) for name, value in pairs}


def moved(before: dict[str, float]) -> dict[str, float]:
    """What grew or shrank since `before` among counts and open positions, by how much."""
    names = ("signals", "decisions", "orders_placed", "orders_filled", "oco_children_created", "risk_blocks")
    counts = [f"trader_{name}_total" for name in (*names, "retries")]
    counts += ["trader_positions_open", "trader_order_latency_ms_count", "trader_tick_to_decision_ms_count"]
    now = numbers()
    return {name: now[name] - before[name] for name in counts if now[name] != before[name]}


@pytest.mark.django_db
def test_18_each_number_moves_when_its_event_happens_and_no_other_does(settings):
    settings.ACCOUNT_NAME = "desk"
    day = Day.opens(NIFTY, STEEL)
    before = numbers()
    signal = day.sees(stop="24900", target="25300")
    assert moved(before) == {"trader_signals_total": 1}

    before = numbers()
    day.decides(signal)
    sent = {"trader_decisions_total": 1, "trader_tick_to_decision_ms_count": 1}
    placed = {"trader_orders_placed_total": 1, "trader_order_latency_ms_count": 1}
    assert moved(before) == sent | placed

    before = numbers()
    day.run_for(6)
    filled = {
        "trader_orders_filled_total": 1,
        "trader_positions_open": 1,
        "trader_oco_children_created_total": 2,
    }
    assert moved(before) == filled | placed
    # One lot of 75 at 25,000.10 with its stop at 24,900.
    assert numbers()["trader_portfolio_heat_rupees"] == 7507.5

    before = numbers()
    day.decides(day.sees(stop="24890", target="25300", strategy="another"))
    assert moved(before) == sent | {"trader_signals_total": 1, "trader_risk_blocks_total": 1}

    before = numbers()
    day.broker.will(Trouble.REFUSED, Role.STOP, "modify")
    day.presses_flatten()
    day.run_for(9)
    assert moved(before) == {
        "trader_orders_filled_total": 1,
        "trader_positions_open": -1,
        "trader_retries_total": 1,
    }
    assert numbers()["trader_portfolio_heat_rupees"] == 0
    assert numbers()['trader_entries_off{reason="flatten"}'] == 1


class Work:
    """Passes that work or fail as told; each sets `passed`."""

    def __init__(self) -> None:
        self.fails = False
        self.passed = Event()

    def run_pass(self, rung: list[str]) -> None:
        self.passed.set()
        if self.fails:
            raise BrokerUnavailable("no connection")

    def wait_s(self) -> float:
        return 0.01

    def close(self) -> None:
        return


def age_s() -> float:
    return numbers()['trader_heartbeat_age_seconds{loop="EXITS"}']


@pytest.mark.django_db(transaction=True)
def test_18_a_heartbeat_goes_stale_while_the_work_fails_though_the_lease_is_held(settings):
    settings.ACCOUNT_NAME = "beats"
    account = Account.objects.create(name="beats", broker_user="AB1234")
    work, pause = Work(), Event()
    loop = looping.Loop(
        Loop.EXITS,
        find_account=lambda: account.pk,
        make_work=lambda held, bell: work,
        clocks=MachineClocks(),
        timing=QUICK,
    )
    loop.start()
    try:
        assert work.passed.wait(10)
        while 'trader_heartbeat_age_seconds{loop="EXITS"}' not in numbers():
            pause.wait(0.02)
        work.fails = True
        pause.wait(0.3)  # what worked before may be noted once more
        first = age_s()
        pause.wait(0.7)
        assert age_s() - first >= 0.7
        assert numbers()['trader_lease_held{loop="EXITS"}'] == 1
        stale = age_s()
        work.fails = False
        while age_s() >= stale:
            pause.wait(0.02)
    finally:
        assert loop.stop_and_join(10)
