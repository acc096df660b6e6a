"""The books of a very full day, for `bench console`: open positions with their groups, orders, signals with answers.

Rows are written in bulk and linked as a trading day links them. The market is SHARE1, SHARE2 and so on at the NSE,
every price near 1,000 rupees.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from oco.models import OcoGroup
from risk.models import RiskLimits
from tests.benchmarks.console_feed import DAY
from tests.trading.market_builders import moment, share
from trading.models import Account, Decision, Fill, Instrument, Lease, Order, Signal, Trade, VenueSession

BEGINS = moment("09:20", DAY)
GROUPS, UNITS = 2, 10
BATCH = 5000
PRICE, STOP, TARGET = Decimal("1000.00"), Decimal("990.00"), Decimal("1030.00")
WHY_NOT = [{"reason": "HEAT_LIMIT", "text": "Open heat would be 2.31 % of capital, above 2.00 %."}]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much of everything the books hold, beside what an open position brings with it."""

    instruments: int = 250
    positions: int = 200
    orders: int = 2000
    signals: int = 100_000


class Books:
    """One account's day. Trades come first in every list: the first `positions` of them are open."""

    def __init__(self, size: Size, account_name: str) -> None:
        self.size = size
        self.account = Account.objects.create(name=account_name, broker_user="AB1234")
        self.session = VenueSession.objects.create(
            account=self.account, key="bench", market="synthetic", started_at=moment("09:00", DAY)
        )
        self.day = {"account": self.account, "session": self.session, "trading_date": DAY}
        # An open position has an entry and a stop for each group; a closed trade an entry and an exit.
        resting = size.positions * (1 + GROUPS)
        self.trades = size.positions + max((size.orders - resting) // 2, 0)

    def write(self) -> None:
        account = self.account
        RiskLimits.objects.create(account=account, version=1, created_by="bench", why="the paper defaults")
        for loop in ("ENTRIES", "EXITS"):
            until = Now() + timedelta(days=1)
            Lease.objects.create(
                account=account, loop=loop, holder=f"{loop} bench:1", fence=1, expires_at=until, pass_at=until
            )
        Instrument.objects.bulk_create(_instrument(n) for n in range(1, self.size.instruments + 1))
        decisions = self._decisions(self._signals())
        entries = self._entries(decisions[: self.trades])
        trades = self._trades(entries)
        groups = self._groups(entries, trades)
        self._exits(groups)
        with connection.cursor() as cursor:
            # A server that runs has done so by itself; here the rows came all at once.
            cursor.execute("ANALYZE")

    def _signals(self) -> list[Signal]:
        rows = (
            Signal(
                **self.day, **self._what(n), strategy="ORB", candle_at=BEGINS + timedelta(milliseconds=40 * n),
                seen_at=BEGINS + timedelta(milliseconds=40 * n), entry_price=PRICE, stop_price=STOP,
                target_price=TARGET, reason="broke the range", score=0.625, plan_id=f"{n:024x}",
            )
            for n in range(self.size.signals)
        )  # fmt: skip
        return Signal.objects.bulk_create(rows, batch_size=BATCH)

    def _decisions(self, signals: list[Signal]) -> list[Decision]:
        rows = (
            Decision(
                signal=signal, approved=n < self.trades, quantity=GROUPS * UNITS if n < self.trades else 0,
                reasons=[] if n < self.trades else WHY_NOT, decided_at=signal.seen_at, mode="PAPER",
                limits_version=1, capital_inr=Decimal(2_500_000), risk_inr=Decimal(200),
            )
            for n, signal in enumerate(signals)
        )  # fmt: skip
        return Decision.objects.bulk_create(rows, batch_size=BATCH)

    def _entries(self, decisions: list[Decision]) -> list[Order]:
        return Order.objects.bulk_create(
            self._order(n, "E", GROUPS * UNITS, True, role="ENTRY", decision=one, order_type="LIMIT")
            for n, one in enumerate(decisions)
        )

    def _trades(self, entries: list[Order]) -> list[Trade]:
        trades = Trade.objects.bulk_create(self._trade(n, entry) for n, entry in enumerate(entries))
        Fill.objects.bulk_create(
            Fill(
                **self.day, order=entry, trade=trade, exchange="NSE", broker_order_id=entry.broker_order_id,
                broker_trade_id=f"T{entry.broker_order_id}", side="BUY", quantity=GROUPS * UNITS, price=PRICE,
                filled_at=trade.opened_at, applied_at=trade.opened_at,
            )
            for entry, trade in zip(entries, trades, strict=True)
        )  # fmt: skip
        return trades

    def _trade(self, n: int, entry: Order) -> Trade:
        won = Decimal(30) if n % 2 else Decimal(-10)
        result = {
            "closed_at": entry.asked_at + timedelta(minutes=9), "exited_quantity": GROUPS * UNITS,
            "exit_value_inr": GROUPS * UNITS * (PRICE + won), "gross_inr": GROUPS * UNITS * won,
            "charges_inr": Decimal("40.00"), "net_inr": GROUPS * UNITS * won - 40,
        }  # fmt: skip
        return Trade(
            **self.day, **self._what(n), decision=entry.decision, product="MIS", strategy="ORB",
            opened_at=entry.asked_at, entered_quantity=GROUPS * UNITS, entry_value_inr=GROUPS * UNITS * PRICE,
            risk_inr=Decimal(200), **(result if n >= self.size.positions else {}),
        )  # fmt: skip

    def _groups(self, entries: list[Order], trades: list[Trade]) -> list[OcoGroup]:
        return OcoGroup.objects.bulk_create(
            OcoGroup(
                account=self.account, session=self.session, trade=trade, entry_order=entry, number=number + 1,
                side="BUY", state="CLOSED" if trade.closed_at else "ARMED", planned_quantity=quantity,
                entered_quantity=quantity, exited_quantity=quantity if trade.closed_at else 0,
                initial_stop_price=STOP, stop_price=STOP, target_price=TARGET, first_filled_at=trade.opened_at,
                time_stop_at=trade.opened_at + timedelta(minutes=40), armed_at=trade.opened_at,
                closed_at=trade.closed_at, close_reason="TARGET" if trade.closed_at else "",
            )
            for entry, trade in zip(entries, trades, strict=True)
            for number, quantity in enumerate([GROUPS * UNITS] if trade.closed_at else [UNITS] * GROUPS)
        )  # fmt: skip

    def _exits(self, groups: list[OcoGroup]) -> None:
        """Stops that rest for what is open, executed ones for what is over."""
        Order.objects.bulk_create(
            self._order(
                n, "S", group.entered_quantity, group.closed_at is not None, role="STOP", order_type="SL",
                entry=group.entry_order, group_number=group.number, trigger_price=STOP,
                what={"tradingsymbol": group.entry_order.tradingsymbol, "side": "SELL"},
            )
            for n, group in enumerate(groups)
        )  # fmt: skip

    def _order(self, n: int, letter: str, quantity: int, is_done: bool, **fields: Any) -> Order:
        at = BEGINS + timedelta(seconds=n)
        what = {**self._what(n), **fields.pop("what", {})}
        return Order(
            **self.day, **what, **fields, mode="PAPER", client_order_id=f"{letter}{n:023}", tag=f"{letter}{n:019}",
            broker_order_id=f"{letter}{n}", product="MIS", quantity=quantity, price=PRICE,
            status="FILLED" if is_done else "ACCEPTED", filled_quantity=quantity if is_done else 0,
            average_price=PRICE if is_done else 0, asked_at=at, asked_machine_at=at, updated_at=at,
            closed_at=at if is_done else None,
        )  # fmt: skip

    def _what(self, n: int) -> dict[str, str]:
        return {"exchange": "NSE", "tradingsymbol": f"SHARE{n % self.size.instruments + 1}", "side": "BUY"}


def _instrument(number: int) -> Instrument:
    spec = share(number)
    return Instrument(
        exchange=spec.exchange, tradingsymbol=spec.tradingsymbol, instrument_token=spec.instrument_token,
        name=spec.name, instrument_type=spec.instrument_type, segment=spec.segment, lot_size=spec.lot_size,
        tick_size_paise=spec.tick_size_paise, read_on=DAY,
    )  # fmt: skip
