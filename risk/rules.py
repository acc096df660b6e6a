"""The pre-trade rules: each is a function, the tuple of them is the policy. Pure; now comes in the context.

A new rule is one function, its place in RULES, a RiskReason with its sentence, and a row in the test's table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from risk.limits import Limits
from trading.core.enums import Exchange, PauseReason, Product, RiskReason, Side
from trading.core.money import format_inr, to_inr
from trading.core.sizing import risk_budget_inr
from trading.core.values import Quote

#: exchange and tradingsymbol
Instrument = tuple[Exchange, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryRequest:
    """A sized entry that asks to be sent. Prices per unit in rupees; size it with the same `entry_price`."""

    strategy: str
    exchange: Exchange
    tradingsymbol: str
    product: Product
    side: Side
    #: the limit price
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    #: 0 where one lot risks too much
    quantity: int
    lot_size: int
    #: expected, of the whole round trip
    charges_inr: Decimal
    slippage_inr: Decimal
    #: aware; when the setup was confirmed
    signal_at: datetime
    #: None: the broker was not asked yet
    required_margin_inr: Decimal | None = None

    @property
    def instrument(self) -> Instrument:
        return (self.exchange, self.tradingsymbol)

    @property
    def risk_inr(self) -> Decimal:
        """Rupees lost if the entry fills at its limit and the stop at its trigger."""
        return abs(self.entry_price - self.stop_price) * self.quantity

    @property
    def reward_inr(self) -> Decimal:
        """Rupees won at the target; negative when the target is on the wrong side."""
        return (self.target_price - self.entry_price) * self.side.sign * self.quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountSnapshot:
    """The account at one moment, the other entries of the same pass included."""

    capital_inr: Decimal
    #: realised and open, less charges
    day_pnl_inr: Decimal = Decimal(0)
    #: open trades, resting entries and entries in flight or unknown (`trading.core.sizing.heat_inr`)
    open_heat_inr: Decimal = Decimal(0)
    #: open trades, and entries that may still become one
    open_positions: int = 0
    trades_today: int = 0
    losses_in_a_row: int = 0
    #: aware market time of each instrument's last losing exit
    last_loss_at: Mapping[Instrument, datetime] = field(default_factory=dict)
    #: has an open trade, a working entry or an unknown one
    busy: frozenset[Instrument] = frozenset()
    entries_last_s: int = 0
    #: every write to the broker counts, entries, exits, changes and cancellations
    orders_last_s: int = 0
    orders_last_min: int = 0
    orders_today: int = 0
    #: None: the broker was not asked yet
    available_margin_inr: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryWindow:
    """When entries are allowed: from the first moment, up to but not including the last. Aware, IST."""

    entries_from: datetime
    entries_until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskContext:
    """Everything a rule may look at."""

    account: AccountSnapshot
    #: in force: see `risk.limits.effective`
    limits: Limits
    entries_off: frozenset[PauseReason]
    #: why this mode may not trade at this venue; empty when it may
    mode_problem: str = ""
    #: why this instrument is watched and not entered; empty when it may be
    excluded: str = ""
    #: None: no session of this instrument today
    window: EntryWindow | None
    quote: Quote | None
    #: aware market time
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Denial:
    """One reason against an entry, with its figures in the operator's words."""

    reason: RiskReason
    text: str


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
    RiskReason.NOT_RANKED: "Place {place} of this pass; {limit} are entered at most.",
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
    lost_at = context.account.last_loss_at.get(request.instrument)
    limit_min = context.limits.cooldown_min
    if lost_at is None or context.now - lost_at >= timedelta(minutes=limit_min):
        return None
    return denial(RiskReason.COOLDOWN, age=_span(context.now - lost_at), limit=limit_min)


def losses_in_a_row(request: EntryRequest, context: RiskContext) -> Denial | None:
    count, limit = context.account.losses_in_a_row, context.limits.losses_in_a_row
    return denial(RiskReason.LOSSES_IN_A_ROW, count=count, limit=limit) if count >= limit else None


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

RULES: tuple[Rule, ...] = (
    entries_off,
    mode_allowed,
    not_excluded,
    session_open,
    quote_known,
    price_fresh,
    price_band,
    at_least_one_lot,
    heat,
    daily_loss,
    open_positions,
    trades_per_day,
    order_rate,
    costs,
    cooldown,
    losses_in_a_row,
    instrument_free,
    margin,
    signal_age,
)


def check(request: EntryRequest, context: RiskContext) -> tuple[Denial, ...]:
    """Every reason against this entry; empty when there is none."""
    return tuple(found for rule in RULES if (found := rule(request, context)))


def _span(span: timedelta) -> str:
    """Seconds up to two minutes, minutes beyond."""
    seconds = span / timedelta(seconds=1)
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
