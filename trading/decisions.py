"""Decisions: a signal is sized, priced and checked; the answer is stored with all its reasons, then carried out."""

import logging
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from risk import rules, state
from risk.check import Approved, Refused, check_entry
from risk.limits import effective
from risk.rules import EntryRequest, EntryWindow, RiskContext
from trading import account, orders, universe
from trading.account import Quotes
from trading.broker.base import BrokerError
from trading.core import charges, sizing
from trading.core.enums import Mode, OrderType, Product, RiskReason, Role, Side
from trading.core.money import to_inr
from trading.core.order_ids import kite_tag, order_client_id
from trading.core.session import Session
from trading.core.values import InstrumentSpec, OrderRequest, Quote
from trading.desk import Desk
from trading.models import Decision, Order, Signal
from trading.sending import BudgetSpent

log = logging.getLogger(__name__)

#: an entry's limit: the far touch and this many ticks, so that it crosses even if the quote moves a little
TICKS_THROUGH_THE_TOUCH = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What a decision needs to know of one instrument and its day."""

    spec: InstrumentSpec
    session: Session
    quote: Quote | None
    quotes: Quotes


def decide(desk: Desk, signal: Signal, market: Market, *, seen_s: float) -> list[Order]:
    """Answer one signal. Stores the Decision and, when approved, sends its entry; returns the orders sent.

    `seen_s` is the monotonic time at which the tick that led here was read.
    """
    now = desk.clocks.market_now()
    limits_row = state.limits_in_force(desk.account.pk)
    first_live_day = desk.account.mode == Mode.LIVE and desk.account.live_since == desk.trading_date
    limits = effective(limits_row.value(), is_first_live_day=first_live_day)
    capital = account.capital_inr(desk)
    snapshot = account.snapshot(desk, market.quotes, capital)
    request = _entry_request(desk, signal, market, capital, limits.risk_per_trade_pct)
    order_requests = _order_requests(desk, signal, request, market.spec)
    context = RiskContext(
        account=snapshot,
        limits=limits,
        entries_off=state.reasons_off(desk.account.pk),
        mode_problem=_mode_problem(desk),
        excluded=universe.why_excluded(desk.account.pk, market.spec),
        window=EntryWindow(
            entries_from=market.session.entries_from, entries_until=market.session.entries_until
        ),
        quote=market.quote,
        now=now,
    )
    verdict = check_entry(request, order_requests[0], context)
    if isinstance(verdict, Approved):
        verdict, request = _ask_margin(desk, request, order_requests, context)
    decision = Decision.objects.create(
        signal=signal,
        approved=isinstance(verdict, Approved),
        quantity=request.quantity,
        reasons=[] if isinstance(verdict, Approved) else [asdict(one) for one in verdict.denials],
        decided_at=now,
        mode=desk.account.mode,
        limits_version=limits_row.version,
        capital_inr=capital,
        risk_inr=request.risk_inr,
        reward_inr=request.reward_inr,
        costs_inr=request.charges_inr + request.slippage_inr,
        limit_price=request.entry_price,
        tick_to_decision_ms=round((desk.clocks.monotonic_s() - seen_s) * 1000, 3),
    )
    return [] if isinstance(verdict, Refused) else _send(desk, decision, order_requests)


def refuse_unranked(desk: Desk, signal: Signal, place: int, limit: int) -> Decision:
    """Store why a signal was not even looked at: too many better ones in the same pass."""
    limits_row = state.limits_in_force(desk.account.pk)
    return Decision.objects.create(
        signal=signal,
        approved=False,
        reasons=[asdict(rules.denial(RiskReason.NOT_RANKED, place=place, limit=limit))],
        decided_at=desk.clocks.market_now(),
        mode=desk.account.mode,
        limits_version=limits_row.version,
        capital_inr=desk.account.paper_capital_inr,
    )


def entry_limit(side: Side, quote: Quote | None, spec: InstrumentSpec, fallback: Decimal) -> Decimal:
    """The far touch and two ticks in rupees; the setup's own entry price where there is no far side to cross."""
    through = TICKS_THROUGH_THE_TOUCH * spec.tick_size_paise
    if quote is None:
        return fallback
    if side is Side.BUY:
        return to_inr(quote.ask_paise + through) if quote.ask_paise else fallback
    return to_inr(quote.bid_paise - through) if quote.bid_paise > through else fallback


def _entry_request(
    desk: Desk, signal: Signal, market: Market, capital: Decimal, risk_pct: Decimal
) -> EntryRequest:
    spec, side = market.spec, Side(signal.side)
    limit = entry_limit(side, market.quote, spec, signal.entry_price)
    quantity = 0
    if (limit - signal.stop_price) * side.sign > 0:
        quantity = sizing.quantity_for_risk(
            capital_inr=capital,
            risk_pct=risk_pct,
            entry_price=limit,
            stop_price=signal.stop_price,
            lot_size=spec.lot_size,
        )
    spread = max(market.quote.ask_paise - market.quote.bid_paise, 0) if market.quote else 0
    return EntryRequest(
        strategy=signal.strategy,
        exchange=spec.exchange,
        tradingsymbol=spec.tradingsymbol,
        product=Product(desk.account.product),
        side=side,
        entry_price=limit,
        stop_price=signal.stop_price,
        target_price=signal.target_price,
        quantity=quantity,
        lot_size=spec.lot_size,
        charges_inr=_expected_charges(desk, spec, side, quantity, limit, signal.target_price),
        slippage_inr=charges.round_trip_slippage_inr(quantity, spread),
        signal_at=signal.seen_at,
    )


def _expected_charges(
    desk: Desk, spec: InstrumentSpec, side: Side, quantity: int, entry: Decimal, target: Decimal
) -> Decimal:
    """Charges of a round trip: in as frozen slices, out as two groups where there are two lots."""
    if not quantity:
        return Decimal(0)
    first = quantity // spec.lot_size // 2 * spec.lot_size
    return charges.round_trip_charges_inr(
        charges.segment_of(spec),
        side,
        entry_price=entry,
        exit_price=target,
        entry_quantities=sizing.slices(quantity, spec.freeze_quantity, spec.lot_size),
        exit_quantities=(first, quantity - first) if first else (quantity,),
        trade_date=desk.trading_date,
        exchange=spec.exchange,
    )


def _order_requests(
    desk: Desk, signal: Signal, request: EntryRequest, spec: InstrumentSpec
) -> list[OrderRequest]:
    """The entry as orders: one, or several where the exchange's freeze quantity is smaller."""
    parts = sizing.slices(request.quantity, spec.freeze_quantity, spec.lot_size) if request.quantity else (0,)
    made = []
    for number, quantity in enumerate(parts):
        client_order_id = order_client_id(signal.plan_id, Role.ENTRY, slice=number)
        made.append(
            OrderRequest(
                client_order_id=client_order_id,
                role=Role.ENTRY,
                exchange=spec.exchange,
                tradingsymbol=spec.tradingsymbol,
                side=request.side,
                quantity=quantity,
                product=request.product,
                order_type=OrderType.LIMIT,
                price=request.entry_price,
                tag=kite_tag(Role.ENTRY, client_order_id),
            )
        )
    return made


def _send(desk: Desk, decision: Decision, order_requests: list[OrderRequest]) -> list[Order]:
    """Send the slices of an approved entry while the order rate has room. What was not sent stays unsent."""
    sent: list[Order] = []
    for number, one in enumerate(order_requests):
        try:
            sent.append(orders.submit(desk, Approved(one), decision=decision, slice=number))
        except BudgetSpent as error:
            log.warning(
                "only %d of %d orders of %s were sent: %s", number, len(order_requests), decision, error
            )
            break
    return sent


def _ask_margin(
    desk: Desk, request: EntryRequest, order_requests: list[OrderRequest], context: RiskContext
) -> tuple[Approved | Refused, EntryRequest]:
    """Ask the broker what the entry needs, only when every other rule let it pass; without an answer, no entry."""
    try:
        required = desk.broker.margin_required_inr(order_requests)
        available = desk.broker.funds().available_inr
    except BrokerError as error:
        found = rules.denial(RiskReason.MARGIN_SHORT, required=f"unknown ({error})", available="unknown")
        return Refused((found,)), request
    asked = replace(request, required_margin_inr=required)
    funded = replace(context, account=replace(context.account, available_margin_inr=available))
    return check_entry(asked, order_requests[0], funded), asked


def _mode_problem(desk: Desk) -> str:
    """Real money only in LIVE, and LIVE only with real money."""
    if desk.account.mode == Mode.PAPER and desk.broker.is_real_money:
        return "the account is PAPER but this broker takes real money"
    if desk.account.mode == Mode.LIVE and not desk.broker.is_real_money:
        return "the account is LIVE but this broker is paper"
    return ""
