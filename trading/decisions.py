"""Decisions: a signal is sized, priced and checked; the answer is stored with all its reasons, then carried out."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction

from risk import locks, protections, rules, self_test, state
from risk.check import Approved, Refused, check_entry
from risk.limits import Limits
from risk.rules import AccountSnapshot, Denial, EntryRequest, EntryWindow, RiskContext
from trading import account, approvals, orders, universe
from trading.account import Quotes
from trading.broker.base import BrokerError
from trading.core import charges, sizing
from trading.core.enums import Mode, OrderType, Product, RiskReason, Role, Side
from trading.core.money import format_inr, to_inr
from trading.core.order_ids import kite_tag, order_client_id
from trading.core.session import Session
from trading.core.values import InstrumentSpec, OrderRequest, Quote
from trading.desk import Desk
from trading.models import Approval, Decision, Order, Signal
from trading.sending import BudgetSpent, Claim

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


def decide(
    desk: Desk, signal: Signal, market: Market, *, seen_s: float, is_agreed: bool = False
) -> list[Order]:
    """Answer one signal. Stores the Decision and, when approved, sends its entry; returns the orders sent.

    `seen_s` is the monotonic time at which the tick that led here was read. Where the account asks first, an entry
    that may be made waits for an operator, without a Decision; `is_agreed`: it was answered with yes.
    """
    now = desk.clocks.market_now()
    in_force = state.in_force(desk.account.pk, desk.session.pk, universe.name_of(market.spec), now)
    limits, capital = account.capped(desk, in_force.limits), account.capital_inr(desk)
    request = _entry_request(desk, signal, market, capital, limits.risk_per_trade_pct)
    order_requests = _order_requests(desk, signal, request, market.spec)
    counted = account.snapshot(desk, market.quotes, capital, lifted=in_force.lifted)
    context = _context(desk, market, counted, in_force, limits, now)
    verdict = check_entry(request, order_requests[0], context)
    if isinstance(verdict, Approved):
        verdict, request = _ask_margin(desk, request, order_requests, context)
    if isinstance(verdict, Approved) and in_force.asks_first and not is_agreed:
        approvals.ask(desk, signal, request, until=signal.seen_at + timedelta(seconds=limits.signal_age_s))
        return []
    version = in_force.limits_version
    asked = _Asked(desk, signal, market, request, context, version, verdict.asked, seen_s)
    if isinstance(verdict, Refused):
        _refuse_asked(asked, verdict.denials)
        return []
    return _send(asked, order_requests)


class TakenMeanwhile(Exception):
    """Another entry took the room since this one was checked. Nothing was written; `denials` say which."""

    def __init__(self, denials: tuple[Denial, ...]) -> None:
        super().__init__("; ".join(one.text for one in denials))
        self.denials = denials


@dataclass(frozen=True, slots=True)
class _Asked:
    """An entry and all that its answer was found with."""

    desk: Desk
    signal: Signal
    market: Market
    request: EntryRequest
    context: RiskContext
    limits_version: int
    rules: Collection[RiskReason]
    seen_s: float


def _store(asked: _Asked, denials: Collection[Denial]) -> Decision:
    desk, request, context = asked.desk, asked.request, asked.context
    return Decision.objects.create(
        signal=asked.signal,
        approved=not denials,
        quantity=request.quantity,
        reasons=[asdict(one) for one in denials],
        decided_at=context.now,
        mode=desk.account.mode,
        limits_version=asked.limits_version,
        capital_inr=context.account.capital_inr,
        risk_inr=request.risk_inr,
        reward_inr=request.reward_inr,
        costs_inr=request.charges_inr + request.slippage_inr,
        limit_price=request.entry_price,
        tick_to_decision_ms=round((desk.clocks.monotonic_s() - asked.seen_s) * 1000, 3),
    )


def _refuse_asked(asked: _Asked, denials: Collection[Denial]) -> None:
    with transaction.atomic():
        _store(asked, denials)
        _note_rules_and_locks(asked, denials)


def _decided(asked: _Asked, sent: Sequence[Order], claim: Claim) -> Decision:
    """With the account's row locked, before an intent is written: counted again, the answer is stored beside it.

    So an approval without an order is not to be found, whatever ends the process. Raises TakenMeanwhile.
    """
    before = sent[0].decision if sent else None
    denials = account.count_again(
        asked.desk, asked.market.quotes, asked.request, asked.context, claim=claim, decision=before
    )
    if denials:
        raise TakenMeanwhile(denials)
    return before or _store(asked, ())


def _context(
    desk: Desk,
    market: Market,
    snapshot: AccountSnapshot,
    in_force: state.InForce,
    limits: Limits,
    now: datetime,
) -> RiskContext:
    return RiskContext(
        account=snapshot,
        limits=limits,
        entries_off=in_force.entries_off,
        mode_problem=_mode_problem(desk),
        excluded=in_force.excluded,
        blackout=in_force.event,
        window=EntryWindow(
            entries_from=market.session.entries_from, entries_until=market.session.entries_until
        ),
        quote=market.quote,
        now=now,
    )


def _note_rules_and_locks(asked: _Asked, denials: Collection[Denial]) -> None:
    """What each rule said, and which locks stood.

    Beside a refusal, in its transaction; of an entry once it was sent, which it would hold up. A process that ends
    between leaves one pass of each rule uncounted.
    """
    desk, context = asked.desk, asked.context
    refused = {denial.reason for denial in denials}
    self_test.count(desk.session.pk, desk.trading_date, asked.rules, refused)
    standing = protections.standing(context.account, context.limits, context.now)
    locks.keep(desk.account.pk, desk.session.pk, standing, context.now)


def refuse_unranked(desk: Desk, signal: Signal, place: int, limit: int) -> Decision:
    """Store why a signal was not even looked at: too many better ones in the same pass."""
    return _refuse(desk, signal, rules.denial(RiskReason.NOT_RANKED, place=place, limit=limit))


def refuse_unagreed(desk: Desk, approval: Approval) -> Decision:
    """Store that an operator said no, or that nobody answered in time."""
    figures = {"quantity": approval.quantity, "limit": format_inr(approval.limit_price)}
    who = approval.answered_by or "Nobody answered in time, so an operator"
    return _refuse(desk, approval.signal, rules.denial(RiskReason.NOT_AGREED, who=who, **figures))


def _refuse(desk: Desk, signal: Signal, denial: Denial) -> Decision:
    limits_row = state.limits_in_force(desk.account.pk)
    return Decision.objects.create(
        signal=signal,
        approved=False,
        reasons=[asdict(denial)],
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
        expires_on=spec.expiry,
        is_delivered=spec.is_delivered,
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


def _send(asked: _Asked, order_requests: list[OrderRequest]) -> list[Order]:
    """Send the slices of an entry that every rule let pass, while the limits have room.

    Where not even the first is sent, the answer is a refusal, with what stood in its way.
    """
    sent: list[Order] = []
    for number, one in enumerate(order_requests):
        try:
            order = orders.submit(
                asked.desk, Approved(one), slice=number, decided=partial(_decided, asked, sent)
            )
        except (BudgetSpent, TakenMeanwhile) as error:
            log.warning(
                "only %d of %d orders of %s were sent: %s", number, len(order_requests), asked.signal, error
            )
            if not sent:
                version = account.limits_in_force(asked.desk)[1]
                _refuse_asked(replace(asked, limits_version=version), _denials_of(error))
            break
        sent.append(order)
    if sent:
        _note_rules_and_locks(asked, ())
    return sent


def _denials_of(error: BudgetSpent | TakenMeanwhile) -> tuple[Denial, ...]:
    if isinstance(error, TakenMeanwhile):
        return error.denials
    return (Denial(reason=RiskReason.ORDER_RATE, text=f"{error}."),)


def _ask_margin(
    desk: Desk, request: EntryRequest, order_requests: list[OrderRequest], context: RiskContext
) -> tuple[Approved | Refused, EntryRequest]:
    """Ask the broker what the entry needs, only when every other rule let it pass; without an answer, no entry."""
    try:
        required = desk.broker.margin_required_inr(order_requests)
        available = desk.broker.funds().available_inr
    except BrokerError as error:
        found = rules.denial(RiskReason.MARGIN_SHORT, required=f"unknown ({error})", available="unknown")
        return Refused((found,), tuple(rules.RULES)), request
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
