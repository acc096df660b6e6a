"""The pre-trade rules: each is a function, the table of them is the policy. Pure; now comes in the context.

A new rule is one function, its place in RULES, a RiskReason with its sentence, and a row in the test's table.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from risk import protections
from risk.values import AccountSnapshot, Denial, EntryRequest, EntryWindow, Instrument, RiskContext
from trading.core.enums import RiskReason, Side
from trading.core.money import format_inr, to_inr
from trading.core.sizing import risk_budget_inr

__all__ = [
    "RULES",
    "SENTENCES",
    "AccountSnapshot",
    "Denial",
    "EntryRequest",
    "EntryWindow",
    "Instrument",
    "RiskContext",
    "check",
    "denial",
]

SENTENCES: dict[RiskReason, str] = {
    RiskReason.ENTRIES_OFF: "Entries are off: {reasons}.",
    RiskReason.MODE_NOT_ALLOWED: "The mode does not allow it: {problem}.",
    RiskReason.EXCLUDED: "{instrument} is watched and not entered: {why}.",
    RiskReason.SESSION_CLOSED: "It is {now}; entries are allowed {window}.",
    RiskReason.STALE_PRICE: "By exchange time the last price is {age}; {limit} s is the most.",
    RiskReason.NO_QUOTE: "There is no usable quote: {missing}.",
    RiskReason.PRICE_BAND: "The entry at {entry} is {problem}.",
    RiskReason.BELOW_ONE_LOT: "{quantity} units are not whole lots of {lot}; one trade may risk {budget}.",
    RiskReason.HEAT_LIMIT: "{what} would be {heat} of {limit}.",
    RiskReason.DAILY_LOSS_REACHED: "The day's result is {pnl}; the limit is {limit}.",
    RiskReason.OPEN_POSITIONS_LIMIT: "{count} positions are open or on their way; {limit} is the most.",
    RiskReason.TRADES_PER_DAY_LIMIT: "{count} trades were made today; {limit} is the most.",
    RiskReason.ORDER_RATE: "{count} {what} were sent {window}; {limit} is the most.",
    RiskReason.COSTS_TOO_HIGH: "The reward of {reward} is below {multiple} times the costs of {costs}.",
    RiskReason.COOLDOWN: "The last trade here lost {age} ago; the pause is {limit} min.",
    RiskReason.LOSSES_IN_A_ROW: "{count} trades in a row lost; {limit} end the day's entries.",
    RiskReason.INSTRUMENT_BUSY: "{instrument} already has an open trade or entry.",
    RiskReason.MARGIN_SHORT: "The entry needs a margin of {required}; {available} is available.",
    RiskReason.SPREAD_TOO_WIDE: "The spread of {spread} is {pct} % of the price; {limit} % is the most.",
    RiskReason.EVENT_BLACKOUT: "No entry during {event}.",
    RiskReason.EXPIRY_DAY: "{instrument} expires today: {why}.",
    RiskReason.REJECTIONS_IN_A_ROW: "The last {count} entries were refused; the pause is {limit} min.",
    RiskReason.ORDERS_SLOW: "Entries are answered after {latency} ms; {most} ms is the most, the pause is {limit} min.",
    RiskReason.NOT_RANKED: "Place {place} of this pass; {limit} are entered at most.",
    RiskReason.NOT_AGREED: "{who} did not agree to {quantity} at {limit}.",
    RiskReason.SIGNAL_TOO_OLD: "The signal is {age} old; {limit} s is the most.",
}


def denial(reason: RiskReason, **figures: object) -> Denial:
    """A reason with its sentence filled in; KeyError when the sentence wants a figure that is not given."""
    return Denial(reason=reason, text=SENTENCES[reason].format(**figures))


def entries_off(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Every standing reason keeps entries off."""
    if not context.entries_off:
        return None
    return denial(RiskReason.ENTRIES_OFF, reasons=", ".join(sorted(context.entries_off)))


def mode_allowed(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The account's mode and the venue must belong together."""
    if not context.mode_problem:
        return None
    return denial(RiskReason.MODE_NOT_ALLOWED, problem=context.mode_problem)


def not_excluded(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The account's universe may keep an instrument out: a ban list, trade-to-trade, its price or turnover."""
    if not context.excluded:
        return None
    return denial(RiskReason.EXCLUDED, instrument=":".join(request.instrument[:2]), why=context.excluded)


def session_open(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Entries only between the opening range and the last hour of the day."""
    window, now = context.window, context.now
    if window is None:
        return denial(RiskReason.SESSION_CLOSED, now=f"{now:%H:%M:%S}", window="on trading days only")
    if window.entries_from <= now < window.entries_until:
        return None
    hours = f"{window.entries_from:%H:%M}–{window.entries_until:%H:%M}"
    return denial(RiskReason.SESSION_CLOSED, now=f"{now:%H:%M:%S}", window=hours)


def quote_known(request: EntryRequest, context: RiskContext) -> Denial | None:
    """A last price, its exchange time and a price on the far side, where the entry would fill."""
    quote = context.quote
    if quote is None or quote.last_price_paise <= 0:
        return denial(RiskReason.NO_QUOTE, missing="no last price")
    if quote.exchange_time is None:
        return denial(RiskReason.NO_QUOTE, missing="no exchange time")
    if request.side is Side.BUY and quote.ask_paise <= 0:
        return denial(RiskReason.NO_QUOTE, missing="nobody offers")
    if request.side is Side.SELL and quote.bid_paise <= 0:
        return denial(RiskReason.NO_QUOTE, missing="nobody bids")
    return None


def price_fresh(request: EntryRequest, context: RiskContext) -> Denial | None:
    """A price stamped too far ahead is as bad as an old one: one of the two clocks is wrong."""
    if context.quote is None or context.quote.exchange_time is None:
        return None
    age = context.now - context.quote.exchange_time
    limit = context.limits.stale_price_s
    if abs(age) <= timedelta(seconds=limit):
        return None
    words = f"{_span(age)} old" if age > timedelta(0) else f"{_span(-age)} ahead of our clock"
    return denial(RiskReason.STALE_PRICE, age=words, limit=limit)


def price_band(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The limit price is near the last price, and not beyond its own stop."""
    entry = format_inr(request.entry_price)
    ahead = (request.entry_price - request.stop_price) * request.side.sign
    if ahead <= 0:
        problem = f"not on the right side of its stop at {format_inr(request.stop_price)}"
        return denial(RiskReason.PRICE_BAND, entry=entry, problem=problem)
    if context.quote is None or context.quote.last_price_paise <= 0:
        return None
    last_price = to_inr(context.quote.last_price_paise)
    band_pct = context.limits.price_band_pct
    away_pct = abs(request.entry_price - last_price) * 100 / last_price
    if away_pct <= band_pct:
        return None
    problem = f"{away_pct:.3f} % from the last price {format_inr(last_price)}; {band_pct} % is the most"
    return denial(RiskReason.PRICE_BAND, entry=entry, problem=problem)


def at_least_one_lot(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Below one lot there is no trade: rounding up would break the budget."""
    if request.quantity >= request.lot_size and request.quantity % request.lot_size == 0:
        return None
    budget = risk_budget_inr(context.account.capital_inr, context.limits.risk_per_trade_pct)
    return denial(
        RiskReason.BELOW_ONE_LOT, quantity=request.quantity, lot=request.lot_size, budget=format_inr(budget)
    )


def heat(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Rupees lost if every stop fills at its trigger: of this trade, and of all together."""
    capital, limits = context.account.capital_inr, context.limits
    for what, heat_inr, limit_pct in (
        ("The risk of this trade", request.risk_inr, limits.risk_per_trade_pct),
        ("Heat", context.account.open_heat_inr + request.risk_inr, limits.heat_pct),
    ):
        limit_inr = risk_budget_inr(capital, limit_pct)
        if heat_inr > limit_inr:
            figures = {"heat": format_inr(heat_inr), "limit": format_inr(limit_inr)}
            return denial(RiskReason.HEAT_LIMIT, what=what, **figures)
    return None


def daily_loss(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The day's realised and open result, charges included, has not reached the limit."""
    limit_inr = risk_budget_inr(context.account.capital_inr, context.limits.daily_loss_pct)
    pnl_inr = context.account.day_pnl_inr
    if pnl_inr > -limit_inr:
        return None
    return denial(RiskReason.DAILY_LOSS_REACHED, pnl=format_inr(pnl_inr), limit=format_inr(-limit_inr))


def open_positions(request: EntryRequest, context: RiskContext) -> Denial | None:
    count, limit = context.account.open_positions, context.limits.open_positions
    return denial(RiskReason.OPEN_POSITIONS_LIMIT, count=count, limit=limit) if count >= limit else None


def trades_per_day(request: EntryRequest, context: RiskContext) -> Denial | None:
    count, limit = context.account.trades_today, context.limits.trades_per_day
    return denial(RiskReason.TRADES_PER_DAY_LIMIT, count=count, limit=limit) if count >= limit else None


def order_rate(request: EntryRequest, context: RiskContext) -> Denial | None:
    """One budget for all processes of an account, below the broker's own."""
    account, limits = context.account, context.limits
    for count, limit, what, window in (
        (account.entries_last_s, limits.entries_per_s, "entries", "in the last second"),
        (account.orders_last_s, limits.orders_per_s, "orders", "in the last second"),
        (account.orders_last_min, limits.orders_per_min, "orders", "in the last minute"),
        (account.orders_today, limits.orders_per_day, "orders", "today"),
    ):
        if count >= limit:
            return denial(RiskReason.ORDER_RATE, count=count, what=what, window=window, limit=limit)
    return None


def costs(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The reward at the target pays charges and slippage several times over."""
    costs_inr = request.charges_inr + request.slippage_inr
    multiple = context.limits.reward_to_costs
    if request.quantity == 0 or request.reward_inr >= multiple * costs_inr:
        return None
    return denial(
        RiskReason.COSTS_TOO_HIGH,
        reward=format_inr(request.reward_inr),
        multiple=multiple,
        costs=format_inr(costs_inr),
    )


def cooldown(request: EntryRequest, context: RiskContext) -> Denial | None:
    """After a loss an instrument is left alone for a while."""
    lock = protections.cooldown(context.account, context.limits, request.instrument, context.now)
    if lock is None:
        return None
    age = _span(context.now - lock.cause_at)
    return denial(RiskReason.COOLDOWN, age=age, limit=context.limits.cooldown_min)


def losses_in_a_row(request: EntryRequest, context: RiskContext) -> Denial | None:
    """A series of losses ends the day's entries, unless an operator lets it pass."""
    if protections.losses_in_a_row(context.account, context.limits, context.now) is None:
        return None
    count, limit = context.account.losses_in_a_row, context.limits.losses_in_a_row
    return denial(RiskReason.LOSSES_IN_A_ROW, count=count, limit=limit)


def rejections_in_a_row(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Who is refused again and again does something wrong; each try counts against the broker's quota."""
    if protections.rejections_in_a_row(context.account, context.limits, context.now) is None:
        return None
    count, limit = context.account.rejections_in_a_row, context.limits.rejections_pause_min
    return denial(RiskReason.REJECTIONS_IN_A_ROW, count=count, limit=limit)


def orders_slow(request: EntryRequest, context: RiskContext) -> Denial | None:
    """Where answers take seconds, a price is old when its order arrives, and so would its stop be."""
    if protections.orders_slow(context.account, context.limits, context.now) is None:
        return None
    limits, latency_ms = context.limits, context.account.order_latency_ms
    figures = {"latency": f"{latency_ms:.0f}", "most": limits.order_latency_ms}
    return denial(RiskReason.ORDERS_SLOW, **figures, limit=limits.latency_pause_min)


def spread(request: EntryRequest, context: RiskContext) -> Denial | None:
    """A wide spread is paid twice, and a stop fills far from its trigger."""
    quote = context.quote
    if quote is None or quote.bid_paise <= 0 or quote.ask_paise <= 0:
        return None
    spread_paise = quote.ask_paise - quote.bid_paise
    pct = to_inr(spread_paise) * 200 / to_inr(quote.ask_paise + quote.bid_paise)
    if pct <= context.limits.spread_pct:
        return None
    spread_inr = format_inr(to_inr(spread_paise))
    return denial(
        RiskReason.SPREAD_TOO_WIDE, spread=spread_inr, pct=f"{pct:.3f}", limit=context.limits.spread_pct
    )


def no_event(request: EntryRequest, context: RiskContext) -> Denial | None:
    """The operator's table of dated events: a budget, a rate decision, a company's results."""
    if not context.blackout:
        return None
    return denial(RiskReason.EVENT_BLACKOUT, event=context.blackout)


def not_expiring(request: EntryRequest, context: RiskContext) -> Denial | None:
    """On its last day a contract jumps about its strike; one that is settled in shares is not touched at all."""
    if request.expires_on != context.now.date():
        return None
    last_hour = context.limits.expiry_day_until_h
    if request.is_delivered:
        why = "who holds it at the end takes or gives shares"
    elif context.now.hour >= last_hour:
        why = f"no entry from {last_hour}:00"
    else:
        return None
    return denial(RiskReason.EXPIRY_DAY, instrument=":".join(request.instrument), why=why)


def instrument_free(request: EntryRequest, context: RiskContext) -> Denial | None:
    """One trade an instrument; an opposite signal waits until it is closed."""
    if request.instrument not in context.account.busy:
        return None
    return denial(RiskReason.INSTRUMENT_BUSY, instrument=":".join(request.instrument))


def margin(request: EntryRequest, context: RiskContext) -> Denial | None:
    """What the broker asks is there, where the broker was asked."""
    required, available = request.required_margin_inr, context.account.available_margin_inr
    if required is None or available is None or required <= available:
        return None
    return denial(RiskReason.MARGIN_SHORT, required=format_inr(required), available=format_inr(available))


def signal_age(request: EntryRequest, context: RiskContext) -> Denial | None:
    """After a stall or a restart an old setup is history, not a trade."""
    age, limit = context.now - request.signal_at, context.limits.signal_age_s
    if age <= timedelta(seconds=limit):
        return None
    return denial(RiskReason.SIGNAL_TOO_OLD, age=_span(age), limit=limit)


Rule = Callable[[EntryRequest, RiskContext], Denial | None]

#: each rule under the one reason it gives, in the order in which reasons are told
RULES: Mapping[RiskReason, Rule] = {
    RiskReason.ENTRIES_OFF: entries_off,
    RiskReason.MODE_NOT_ALLOWED: mode_allowed,
    RiskReason.EXCLUDED: not_excluded,
    RiskReason.SESSION_CLOSED: session_open,
    RiskReason.NO_QUOTE: quote_known,
    RiskReason.STALE_PRICE: price_fresh,
    RiskReason.PRICE_BAND: price_band,
    RiskReason.BELOW_ONE_LOT: at_least_one_lot,
    RiskReason.HEAT_LIMIT: heat,
    RiskReason.DAILY_LOSS_REACHED: daily_loss,
    RiskReason.OPEN_POSITIONS_LIMIT: open_positions,
    RiskReason.TRADES_PER_DAY_LIMIT: trades_per_day,
    RiskReason.ORDER_RATE: order_rate,
    RiskReason.COSTS_TOO_HIGH: costs,
    RiskReason.COOLDOWN: cooldown,
    RiskReason.LOSSES_IN_A_ROW: losses_in_a_row,
    RiskReason.REJECTIONS_IN_A_ROW: rejections_in_a_row,
    RiskReason.ORDERS_SLOW: orders_slow,
    RiskReason.SPREAD_TOO_WIDE: spread,
    RiskReason.EVENT_BLACKOUT: no_event,
    RiskReason.EXPIRY_DAY: not_expiring,
    RiskReason.INSTRUMENT_BUSY: instrument_free,
    RiskReason.MARGIN_SHORT: margin,
    RiskReason.SIGNAL_TOO_OLD: signal_age,
}

#: what another process may have used up since an entry was checked; rates are counted by who writes an intent
COUNTED: Final = (
    RiskReason.HEAT_LIMIT,
    RiskReason.DAILY_LOSS_REACHED,
    RiskReason.OPEN_POSITIONS_LIMIT,
    RiskReason.TRADES_PER_DAY_LIMIT,
    RiskReason.COOLDOWN,
    RiskReason.LOSSES_IN_A_ROW,
    RiskReason.REJECTIONS_IN_A_ROW,
    RiskReason.ORDERS_SLOW,
    RiskReason.INSTRUMENT_BUSY,
)


def check(request: EntryRequest, context: RiskContext) -> tuple[Denial, ...]:
    """Every reason against this entry; empty when there is none."""
    return tuple(found for rule in RULES.values() if (found := rule(request, context)))


def check_counts(request: EntryRequest, context: RiskContext) -> tuple[Denial, ...]:
    """Every reason against this entry that lies in the account's counts."""
    return tuple(found for reason in COUNTED if (found := RULES[reason](request, context)))


def _span(span: timedelta) -> str:
    """Seconds up to two minutes, minutes beyond."""
    seconds = span / timedelta(seconds=1)
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
