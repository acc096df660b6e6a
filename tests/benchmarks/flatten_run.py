"""One flatten on a fresh account: the exchange's server, the watcher's loop, the positions, the lever."""

import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import django
import requests
from django.conf import settings
from django.db import connection
from kiteconnect.exceptions import NetworkException

from tests.trading.exchange.exchange_process import ExchangeProcess

django.setup()

from aitrapp_site import levers  # noqa: E402  # Django reads its settings above
from aitrapp_site.clocks import MachineClocks  # noqa: E402
from aitrapp_site.passes import StrategyWork, WatcherWork  # noqa: E402
from oco.models import OcoGroup  # noqa: E402
from risk import state  # noqa: E402
from trading import decisions, lease, looping, orders, signals  # noqa: E402
from trading.broker.base import BrokerUnavailable  # noqa: E402
from trading.broker.kite.client import KiteBroker  # noqa: E402
from trading.core.enums import GroupState, Loop, RiskReason, Side  # noqa: E402
from trading.core.money import to_inr  # noqa: E402
from trading.core.values import InstrumentSpec, Score, Setup  # noqa: E402
from trading.decisions import Market  # noqa: E402
from trading.exchange.synthetic import SHARES  # noqa: E402
from trading.lease import Held  # noqa: E402
from trading.models import Account, Trade  # noqa: E402
from trading.signals import Seen  # noqa: E402
from trading.wakeups import Bell  # noqa: E402

CAPITAL_INR = 40_000
WRITES = {"POST", "PUT", "DELETE"}
TOO_MANY = 429
SCORE = Score(momentum=0, trend=0, liquidity=0, regime=0, reward_risk=0, penalty=0, total=0)
_pause = Event()


class Calls:
    """What one broker asked over HTTP since `clear`, by method and status."""

    def __init__(self) -> None:
        self.count: Counter[tuple[str, int]] = Counter()

    def watch(self, broker: object) -> None:
        assert isinstance(broker, KiteBroker)
        broker._kite.reqsession.hooks["response"].append(self._note)

    def clear(self) -> None:
        self.count.clear()

    def copy(self) -> "Calls":
        """As they are now."""
        copied = Calls()
        copied.count = self.count.copy()
        return copied

    def total(self, fits: Callable[[str, int], bool]) -> int:
        return sum(count for (method, status), count in self.count.items() if fits(method, status))

    def _note(self, response: requests.Response, **_: Any) -> None:
        self.count[response.request.method or "", response.status_code] += 1


def one_run(folder: Path, number: int, positions: int) -> dict[str, Any]:
    """Open, wait until the last second holds no order any more, flatten; times in ms."""
    options = ("--from", "10:30", "--seed", str(number), "--capital", "100000000")
    with ExchangeProcess(folder / f"exchange-{number}", options) as exchange:
        settings.EXCHANGE_URL, settings.EXCHANGE_TICKER_URL = (
            exchange.first["url"],
            exchange.first["ticker_url"],
        )
        settings.KITE_API_KEY, settings.KITE_ACCESS_TOKEN = (
            exchange.first["api_key"],
            exchange.first["access_token"],
        )
        settings.INSTRUMENTS = list(SHARES)[:positions]
        account = Account.objects.create(
            name=f"run {number}", broker_user="AB1234", paper_capital_inr=Decimal(CAPITAL_INR)
        )
        calls = Calls()
        watcher = _leading_watcher(account, calls)
        try:
            _open(account, positions, watcher)
            _pause.wait(1.2)
            calls.clear()
            return _flatten(account, exchange, calls)
        finally:
            watcher.stop_and_join(10)
            connection.close()


def _flatten(account: Account, exchange: ExchangeProcess, calls: Calls) -> dict[str, Any]:
    began_s = monotonic()
    row = levers.flatten(account, by="benchmark")
    took_ms = round((monotonic() - began_s) * 1000)
    figures = calls.copy()
    client = exchange.client()
    left, book = _asked(client.positions)["net"], _asked(client.orders)
    left = [one for one in left if one["quantity"]]
    resting = [one for one in book if one["status"] in ("OPEN", "TRIGGER PENDING")]
    tags = Counter(one["tag"] for one in book)
    return {
        "verdict_ms": took_ms,
        "load": round(os.getloadavg()[0], 1),
        "took_ms": row.took_ms,
        "state": row.state,
        "positions": row.positions_at_start,
        "is_flat": row.state == "FLAT" and not left and not resting and max(tags.values()) == 1,
        "writes": figures.total(lambda method, _: method in WRITES),
        "reads": figures.total(lambda method, _: method not in WRITES),
        "too_many": figures.total(lambda _, status: status == TOO_MANY),
    }


def _asked(read: Callable[[], Any]) -> Any:
    """An answer of the exchange, asked again while it has been read too often."""
    for _ in range(10):
        try:
            return read()
        except NetworkException:
            _pause.wait(0.5)
    return read()


def _leading_watcher(account: Account, calls: Calls) -> looping.Loop:
    def make(held: Held, bell: Bell) -> WatcherWork:
        work = WatcherWork(held, bell)
        calls.watch(work.desk.broker)
        return work

    loop = looping.Loop(Loop.EXITS, find_account=lambda: account.pk, make_work=make, clocks=MachineClocks())
    loop.start()
    return loop


def _open(account: Account, positions: int, watcher: looping.Loop) -> None:
    """One unit of each share, so that each position has one exit."""
    held = lease.take_or_fail(account.pk, Loop.ENTRIES, "benchmark", 120)
    work: StrategyWork = _wait_for(lambda: _made(held), 60, lambda: "a strategy loop with a warm market")
    work.loop.strategies = []
    try:
        _wait_for(lambda: _is_quoted(work), 60, lambda: "a quote of every share and a watcher")
        _wait_for(lambda: _fill_up(work, positions), 180, partial(_states, account, positions, watcher))
    finally:
        work.close()
        lease.release(held)


def _states(account: Account, positions: int, watcher: looping.Loop) -> str:
    states = Counter(OcoGroup.objects.filter(account=account).values_list("state", "exit_reason", "problem"))
    return f"{positions} armed groups, only {dict(states)}; {watcher.report()}"


def _fill_up(work: StrategyWork, positions: int) -> bool:
    """Ask for one more share that is neither held nor asked for; whether every position has its stop."""
    account = work.desk.account
    work.run_pass([])
    trades = Trade.objects.filter(account=account, closed_at=None)
    waiting = orders.unresolved_entries(work.desk)
    taken = {
        *trades.values_list("tradingsymbol", flat=True),
        *waiting.values_list("tradingsymbol", flat=True),
    }
    slots = [
        slot for slot, spec in enumerate(work.market.specs[:positions]) if spec.tradingsymbol not in taken
    ]
    if slots:
        _enter(work, slots[0])
        # Kite answers ten reads a second, and each order is looked at four times in its first five.
        _pause.wait(1.2)
    return OcoGroup.objects.filter(account=account, state=GroupState.ARMED).count() == positions


def _made(held: Held) -> StrategyWork | None:
    """Two loops read history at once here, and Kite answers three times a second."""
    try:
        return StrategyWork(held, Bell())
    except BrokerUnavailable:
        return None


def _is_quoted(work: StrategyWork) -> bool:
    work.run_pass([])
    quotes = [work.market.quote(slot) for slot in range(len(work.market.specs))]
    return all(one.ask_paise for one in quotes) and not state.reasons_off(work.desk.account.pk)


def _enter(work: StrategyWork, slot: int) -> None:
    desk, spec = work.desk, work.market.specs[slot]
    last = int(work.market.last_price_paise[slot])
    _limit_to_one_unit(desk.account, last)
    setup = Setup(
        side=Side.BUY,
        entry_price=to_inr(last),
        stop_price=to_inr(_on_tick(last * 97 // 100, spec)),
        target_price=to_inr(_on_tick(last * 106 // 100, spec)),
        reason="benchmark",
    )
    now = desk.clocks.market_now()
    seen = Seen(strategy="benchmark", spec=spec, candle_at=now, setup=setup, score=SCORE)
    signal = signals.record(desk, seen)
    assert signal is not None
    market = Market(
        spec=spec,
        session=work.market.sessions[slot],
        quote=work.market.quote(slot),
        quotes=work.loop.quote,
    )
    sent = decisions.decide(desk, signal, market, seen_s=desk.clocks.monotonic_s())
    denials = {one["reason"] for one in signal.decision.reasons}
    # For a moment there may be no answer about margin, or no pass of the watcher; anything else is a mistake here.
    assert denials <= {RiskReason.MARGIN_SHORT, RiskReason.ENTRIES_OFF}, signal.decision.reasons
    assert {order.quantity for order in sent} <= {1}


def _limit_to_one_unit(account: Account, price_paise: int) -> None:
    """A new version of the limits under which a stop three per cent away is one unit's risk, and not two's."""
    budget_inr = to_inr(price_paise) * 3 / 100 * Decimal("1.5")
    limits = state.limits_in_force(account.pk)
    limits.pk, limits.version = None, limits.version + 1
    limits.risk_per_trade_pct = round(budget_inr / CAPITAL_INR * 100, 3)
    limits.open_positions, limits.trades_per_day, limits.reward_to_costs = 50, 100, Decimal(0)
    limits.heat_pct, limits.daily_loss_pct, limits.price_band_pct = Decimal(10), Decimal(10), Decimal(5)
    limits.save(force_insert=True)


def _on_tick(price_paise: int, spec: InstrumentSpec) -> int:
    return price_paise // spec.tick_size_paise * spec.tick_size_paise


def _wait_for(condition: Callable[[], Any], within_s: float, what: Callable[[], str]) -> Any:
    """The first true answer; AssertionError saying `what` did not come in time."""
    until_s = monotonic() + within_s
    while monotonic() < until_s:
        if found := condition():
            return found
        _pause.wait(0.05)
    raise AssertionError(f"not within {within_s:g} s: {what()}")
