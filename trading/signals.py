"""Signals: what strategies saw, stored once each, with their scores."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from trading.core.order_ids import plan_client_id
from trading.core.values import InstrumentSpec, Plan, Score, Setup
from trading.desk import Desk
from trading.models import Signal


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A setup, confirmed, with where it was seen and how it scores."""

    strategy: str
    spec: InstrumentSpec
    candle_at: datetime
    setup: Setup
    score: Score


def plan_of(desk: Desk, seen: Seen) -> Plan:
    """Everything that makes this one intended trade what it is."""
    return Plan(
        installation=desk.installation,
        broker_user=desk.account.broker_user,
        venue_session=desk.session.key,
        mode=desk.account.mode,
        trading_date=desk.trading_date,
        strategy=seen.strategy,
        exchange=seen.spec.exchange,
        tradingsymbol=seen.spec.tradingsymbol,
        side=seen.setup.side,
        signal_candle_at=seen.candle_at,
        entry_price=seen.setup.entry_price,
        stop_price=seen.setup.stop_price,
        target_price=seen.setup.target_price,
    )


def record(desk: Desk, seen: Seen) -> Signal | None:
    """Store a signal. None when the same strategy said the same of the same candle before: it is spent."""
    setup = seen.setup
    try:
        with transaction.atomic():
            return Signal.objects.create(
                account=desk.account,
                session=desk.session,
                trading_date=desk.trading_date,
                strategy=seen.strategy,
                exchange=seen.spec.exchange,
                tradingsymbol=seen.spec.tradingsymbol,
                side=setup.side,
                candle_at=seen.candle_at,
                seen_at=desk.clocks.market_now(),
                entry_price=setup.entry_price,
                stop_price=setup.stop_price,
                target_price=setup.target_price,
                first_target_price=setup.first_target_price,
                atr=setup.atr,
                time_stop_min=setup.time_stop_min,
                reason=setup.reason[:200],
                score=seen.score.total,
                score_parts=asdict(seen.score),
                plan_id=plan_client_id(plan_of(desk, seen)),
            )
    except IntegrityError:
        return None
