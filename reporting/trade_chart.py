"""What a trade's chart shows: the minutes of its day and, over them, its entry, stop, target and fills.

Prices are rupees, times whole seconds since the epoch (UTC), as the charting library takes them; what happened is
listed once more with full times, for who does not see the picture. Nothing is made up: where no minutes were kept
there are none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from oco.models import OcoGroup
from trading import minutes
from trading.core.candles import Bars
from trading.core.enums import CommandKind, CommandOutcome, Role, Side
from trading.core.money import to_inr, to_paise
from trading.models import Command, Fill, Order, Trade

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A price that holds from a moment on; None: none from then on."""

    at: datetime
    price: Decimal | None


def chart(trade: Trade, now: datetime) -> Part:
    """Everything, ready to be written as JSON. `now` is market time: what is open is drawn up to it."""
    bars = minutes.bars_of(trade.session, trade.trading_date, trade.exchange, trade.tradingsymbol)
    until = trade.closed_at or max(now, trade.opened_at)
    fills = list(trade.fills.select_related("order").order_by("filled_at", "pk"))
    groups = list(trade.groups.select_related("entry_order").order_by("pk"))
    stops = {group: stop_steps(group) for group in groups}
    lines = [line("entry", [Step(trade.opened_at, average(trade))], until)]
    for group, steps in stops.items():
        ends = group.closed_at or until
        lines.append(line("stop", steps, ends))
        lines.append(line("target", [Step(group.first_filled_at, group.target_price)], ends))
    return {
        "candles": candles(bars),
        "lines": [one for one in lines if one["points"]],
        "marks": marks(fills, trade),
        "happened": happened(fills, trade, stops),
        "opened_s": seconds(trade.opened_at),
        "closed_s": seconds(trade.closed_at) if trade.closed_at else None,
        "is_open": trade.closed_at is None,
        "minutes_from": datetime.fromtimestamp(int(bars.opened_at_s[0]), now.tzinfo) if len(bars) else None,
        "minutes_until": datetime.fromtimestamp(int(bars.opened_at_s[-1]) + 60, now.tzinfo)
        if len(bars)
        else None,
        "market_time": now,
    }


def average(trade: Trade) -> Decimal | None:
    """The entry's average price."""
    return trade.entry_value_inr / trade.entered_quantity if trade.entered_quantity else None


def candles(bars: Bars) -> list[Part]:
    """One object a minute."""
    columns = (bars.opened_at_s, bars.open, bars.high, bars.low, bars.close)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        {"time": at_s} | dict(zip(("open", "high", "low", "close"), map(to_inr, prices), strict=True))
        for at_s, *prices in rows
    ]


def stop_steps(group: OcoGroup) -> list[Step]:
    """Where a group's stop rested from when on: what was asked for and taken, and when the book showed it."""
    orders = Order.objects.filter(entry=group.entry_order_id, group_number=group.number, role=Role.STOP)
    commands = Command.objects.filter(order__in=orders).select_related("order").order_by("intent_at", "pk")
    return steps_of(commands, group.initial_stop_price)


def steps_of(commands: Iterable[Command], initial_price: Decimal) -> list[Step]:
    """The commands of a group's stop orders, in time order, as steps."""
    steps: list[Step] = []
    price = initial_price
    for command in commands:
        if command.outcome not in (CommandOutcome.ACCEPTED, CommandOutcome.UNKNOWN):
            continue
        at = command.confirmed_at or command.intent_at
        if command.kind == CommandKind.PLACE:
            steps.append(Step(command.order.accepted_at or at, price))
        elif command.kind == CommandKind.CANCEL or command.purpose == "close":
            steps.append(Step(at, None))
        elif "trigger_price" in command.arguments:
            price = Decimal(command.arguments["trigger_price"])
            steps.append(Step(at, price))
    return steps


def line(kind: str, steps: Sequence[Step], until: datetime) -> Part:
    """Steps as the points of one line, a point a minute at most: the last price of a minute is drawn."""
    by_minute: dict[int, Decimal | None] = {}
    for step in steps:
        by_minute[minute_s(step.at)] = step.price
    last = steps[-1].price if steps else None
    if last is not None:
        by_minute[max(minute_s(until), *by_minute)] = last
    points = [
        {"time": at_s} | ({} if price is None else {"value": price})
        for at_s, price in sorted(by_minute.items())
    ]
    return {"kind": kind, "points": points}


def marks(fills: Iterable[Fill], trade: Trade) -> list[Part]:
    """Executions as arrows at their average price, those of one minute, side and kind together."""
    found: dict[tuple[int, str, str], list[Fill]] = {}
    for fill in fills:
        found.setdefault((minute_s(fill.filled_at), fill.side, word_of(fill, trade)), []).append(fill)
    return [
        {
            "time": at_s,
            "price": to_inr(round(sum(fill.quantity * to_paise(fill.price) for fill in mine) / units)),
            "side": side,
            "text": f"{word} {units}",
        }
        for (at_s, side, word), mine in sorted(found.items())
        if (units := sum(fill.quantity for fill in mine))
    ]


def word_of(fill: Fill, trade: Trade) -> str:
    return "entry" if fill.side == trade.side else "exit" if fill.order.role != Role.STOP else "exit (stop)"


def happened(fills: Iterable[Fill], trade: Trade, stops: dict[OcoGroup, list[Step]]) -> list[Part]:
    """Fills and moves of stops in time order."""
    rows = [
        {
            "at": fill.filled_at,
            "what": f"{word_of(fill, trade)}: {Side(fill.side).name.lower()} {fill.quantity}",
            "price": fill.price,
        }
        for fill in fills
    ]
    for group, steps in stops.items():
        before: Step | None = None
        for step in steps:
            what = "stop ends" if step.price is None else "stop rests" if before is None else "stop moves"
            if before is None or step.price != before.price:
                rows.append({"at": step.at, "what": f"{what} (group {group.number})", "price": step.price})
            before = step
    return sorted(rows, key=lambda row: row["at"])


def minute_s(at: datetime) -> int:
    return seconds(at) // 60 * 60


def seconds(at: datetime) -> int:
    return int(at.timestamp())
