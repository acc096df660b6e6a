"""What an operator needs to see of an account at one moment, from rows and the newest prices.

One picture for the console, its WebSocket and the REST API, so that they cannot differ. Money and prices are
Decimal rupees, times aware; whoever sends it writes them down. It takes three statements, however much is open.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile

from django.db.models import QuerySet

from oco.models import Flatten
from reporting import day_rows, standing
from reporting.day_rows import DayRows
from reporting.positions import PAISA, Part, day_book, heat, position, quotes_of, without_prices
from reporting.standing import BurninRow, FlattenRow, LeaseRow, Standing
from risk import halt
from risk.limits import Limits, effective
from risk.live_gate import DAYS_NEEDED
from trading.account import DayBook
from trading.core.enums import Loop, Mode, PauseReason
from trading.core.session import IST, DayTimes, at
from trading.core.sizing import risk_budget_inr
from trading.lease import DEFAULT_TTL_S
from trading.models import Account, Decision, Signal, VenueSession
from trading.tick_bus import TickSnapshot

NEWEST_SIGNALS = 12
#: a loop that led but has not finished a pass for this long is late
PASS_LATE = timedelta(seconds=20)
#: two renewals of a lease were missed: a leader that was killed is seen before its lease runs out
RENEWED_WITHIN = timedelta(seconds=3.5)
#: what of the day moves with the prices
PRICED_OF_DAY = frozenset({"pnl_inr", "open_inr", "is_priced"})


def picture(
    account: Account, session: VenueSession | None, market_now: datetime, ticks: TickSnapshot | None
) -> Part:
    """Everything, part by part; a part that is equal to the last one need not be sent again."""
    trading_date = market_now.astimezone(IST).date()
    stands = standing.read(account, session, market_now)
    rows = day_rows.read(session, trading_date, market_now) if session else day_rows.NOTHING
    found = list(newest_signals(session, trading_date)) if session else []
    book = day_book(rows, trading_date)
    held = zip(rows.open_trades, book.open_trades, strict=True)
    limits = limits_in_force(account, stands, trading_date)
    return {
        **_whose(account, session, trading_date),
        "entries": entries(stands, market_now),
        "day": day(book, rows, ticks),
        "limits": limits_part(limits, stands.limits_version, capital_inr(account, found)),
        "rate": rate(rows, limits),
        "positions": [position(trade, booked, ticks) for trade, booked in held],
        "orders": [order._asdict() for order in rows.working],
        "signals": [signal(row) for row in found],
        "flatten": flatten(stands.flatten),
        "loops": loops(stands.leases, stands.read_at),
        "burnin": burnin(stands.burnin),
        "feed": feed(trading_date, market_now, ticks),
    }


def unpriced(whole: Part) -> Part:
    """The same picture for a browser that hears every price: its parts change only when rows do."""
    stable = {name: value for name, value in whole["day"].items() if name not in PRICED_OF_DAY}
    return {
        **whole,
        "day": stable,
        "positions": without_prices(whole["positions"]),
        "feed": {"is_expected": whole["feed"]["is_expected"]},
    }


def entries(stands: Standing, market_now: datetime) -> Part:
    """Whether entries are on, every reason why not, and what protections have locked."""
    reasons = [row._asdict() for row in stands.off]
    if halt.stands() and not any(row.reason == PauseReason.FLATTEN for row in stands.off):
        why = "the file HALT lies in the program's folder; resume takes it away"
        reasons.append({"reason": PauseReason.FLATTEN.value, "why": why, "set_by": "file", "set_at": None})
    times, today = DayTimes(), market_now.astimezone(IST).date()
    opens_at, until = at(today, times.entries_from), at(today, times.entries_until)
    return {
        "are_on": not reasons,
        "off_because": reasons,
        "locks": [row._asdict() for row in stands.locks],
        "is_time": opens_at <= market_now < until,
        "from_at": opens_at,
        "until_at": until,
    }


def day(book: DayBook, rows: DayRows, ticks: TickSnapshot | None) -> Part:
    """The day's result and what is at risk now. `is_priced` False: open trades count at their entry price."""
    quote = quotes_of(ticks)
    result = book.result_inr(quote).quantize(PAISA)
    return {
        "pnl_inr": result,
        "realised_inr": book.realised_inr,
        "open_inr": result - book.realised_inr,
        "is_priced": all(quote(trade.exchange, trade.tradingsymbol) for trade in rows.open_trades),
        "heat_inr": heat(rows),
        "trades_closed": len(rows.closed),
        "positions_open": len(rows.open_trades),
        "curve": curve(rows.closed),
        "newest_closed": [trade._asdict() for trade in rows.newest_closed],
    }


def curve(closed: Iterable[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    """(closed at, realised so far) after the last close of each minute in which a trade closed."""
    points: dict[datetime, tuple[datetime, Decimal]] = {}
    total = Decimal(0)
    for closed_at, net_inr in closed:
        total += net_inr
        points[closed_at.replace(second=0, microsecond=0)] = (closed_at, total)
    return list(points.values())


def limits_in_force(account: Account, stands: Standing, trading_date: date) -> Limits:
    """The limits of this day: on the first LIVE day the stricter of each and its cap."""
    return effective(stands.limits, is_first_live_day=account.is_first_live_day(trading_date))


def capital_inr(account: Account, newest: Iterable[Signal]) -> Decimal | None:
    """What percentages are of: the paper setting, or in LIVE what the newest decision was made with.

    Only the broker knows the LIVE capital, and a page asks no broker; None before the day's first decision.
    """
    if account.mode == Mode.PAPER:
        return Decimal(account.paper_capital_inr)
    decided = (decision for row in newest if (decision := _decision_of(row)) is not None)
    return next((decision.capital_inr for decision in decided), None)


def limits_part(limits: Limits, version: int, capital: Decimal | None) -> Part:
    """What the gauges end at. Rupees are None where the capital is not known."""
    return {
        "version": version,
        "capital_inr": capital,
        "heat_inr": _share(capital, limits.heat_pct),
        "daily_loss_inr": _share(capital, limits.daily_loss_pct),
        "open_positions": limits.open_positions,
        "trades_per_day": limits.trades_per_day,
    }


def rate(rows: DayRows, limits: Limits) -> Part:
    """Orders sent, and how many may be: in the last second, the last minute and the day."""
    return {
        "last_s": rows.orders_last_s,
        "last_min": rows.orders_last_min,
        "today": rows.orders_today,
        "per_s": limits.orders_per_s,
        "per_min": limits.orders_per_min,
        "per_day": limits.orders_per_day,
    }


def burnin(newest: list[BurninRow]) -> Part:
    """How many of the days that the LIVE gate needs have passed in a row, on live prices and with the same code.

    The gate asks besides that this code and these limits are still those of now.
    """
    good = [row for row in takewhile(lambda row: row.passed, newest) if row.evidence == newest[0].evidence]
    return {
        "passed": len(good),
        "needed": DAYS_NEEDED,
        "days": [{"trading_date": row.trading_date, "passed": row.passed} for row in newest],
    }


def feed(trading_date: date, market_now: datetime, ticks: TickSnapshot | None) -> Part:
    """The newest prices: of which market time, published when by the machine's clock, how old the newest tick is.

    `is_expected`: the market is open, so prices that do not come are missing.
    """
    times = DayTimes()
    ages_ms = [age_ms for *_, age_ms in ticks.rows.values() if age_ms >= 0] if ticks else []
    return {
        "ticks_at": ticks.at if ticks else None,
        "sent_at": ticks.sent_at if ticks else None,
        "age_ms": min(ages_ms, default=None),
        "is_expected": at(trading_date, times.opens) <= market_now < at(trading_date, times.closes),
    }


def newest_signals(session: VenueSession, trading_date: date) -> QuerySet[Signal]:
    day_signals = Signal.objects.filter(session=session, trading_date=trading_date)
    return day_signals.select_related("decision")[:NEWEST_SIGNALS]


def signal(row: Signal) -> Part:
    """A signal and its answer; `why_not` holds every reason of a refusal."""
    decision = _decision_of(row)
    answer = "undecided" if decision is None else "approved" if decision.approved else "refused"
    return {
        "id": row.pk,
        "seen_at": row.seen_at,
        "strategy": row.strategy,
        "side": row.side,
        "tradingsymbol": row.tradingsymbol,
        "entry_price": row.entry_price,
        "stop_price": row.stop_price,
        "target_price": row.target_price,
        "score": round(row.score, 3),
        "reason": row.reason,
        "answer": answer,
        "quantity": decision.quantity if decision else 0,
        "why_not": [str(one.get("text") or one.get("reason")) for one in decision.reasons]
        if decision
        else [],
    }


def flatten(row: Flatten | FlattenRow | None) -> Part | None:
    """The newest run of the kill switch: a request, or a verdict once `finished_at` stands."""
    return {name: getattr(row, name) for name in FlattenRow._fields} if row else None


def loops(leases: Iterable[LeaseRow], now: datetime) -> list[Part]:
    """Who leads each loop, and whether its passes work. Times are the database's.

    `since` is from when on nothing was done, where the state is not ok; None where nobody ever led.
    """
    by_loop = {row.loop: row for row in leases}
    return [
        _loop(by_loop.get(loop.value) or LeaseRow(loop.value, "", 0, None, None), now)
        for loop in sorted(Loop)
    ]


def loop_states(account: Account, now: datetime) -> dict[str, str]:
    """Each loop's state in a word or two, "ok" where it works."""
    stands = standing.read(account, None, now)
    return {loop["loop"]: loop["state"] for loop in loops(stands.leases, stands.read_at)}


def _loop(row: LeaseRow, now: datetime) -> Part:
    state, since = "ok", None
    renewed_at = row.expires_at - timedelta(seconds=DEFAULT_TTL_S) if row.expires_at else None
    if row.expires_at is None or row.expires_at < now:
        state, since = "nobody leads", renewed_at or row.pass_at
    elif renewed_at is not None and now - renewed_at > RENEWED_WITHIN:
        state, since = "silent", renewed_at
    elif row.pass_at is None or now - row.pass_at > PASS_LATE:
        state, since = "late", row.pass_at
    return {
        "loop": row.loop,
        "state": state,
        "since": since,
        "holder": row.holder if state != "nobody leads" else "",
        "fence": row.fence,
        "pass_at": row.pass_at,
    }


def _decision_of(row: Signal) -> Decision | None:
    return getattr(row, "decision", None)


def _share(capital: Decimal | None, per_cent: Decimal) -> Decimal | None:
    return None if capital is None else risk_budget_inr(capital, per_cent).quantize(PAISA)


def _whose(account: Account, session: VenueSession | None, trading_date: date) -> Part:
    return {
        "account": account.name,
        "mode": account.mode,
        "trading_date": trading_date,
        "venue_session": session.key if session else None,
        "market": session.market if session else None,
    }
