"""What locks entries by itself for a while, as values: since when, until when, why. Pure.

The rules ask here, and so does who writes the rows an operator sees (`risk.locks`): one sum for both. An operator who
lifts a lock lets go of its cause; the next loss, refusal or slow answer is another one. The two limits of the day
itself (loss and trades) are not lifted: they are raised by another version of the limits, or end with the day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from risk.limits import Limits
from risk.values import AccountSnapshot, Instrument
from trading.core.enums import Protection
from trading.core.money import format_inr
from trading.core.session import clock_time
from trading.core.sizing import risk_budget_inr

#: what an operator may let go of
LIFTABLE: Final = frozenset(Protection) - {Protection.TRADES_PER_DAY, Protection.DAILY_LOSS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A lock that holds now. `until` None: until the day ends. Times are aware market time."""

    protection: Protection
    #: None: the whole account
    instrument: Instrument | None = None
    cause_at: datetime
    until: datetime | None = None
    why: str


def standing(account: AccountSnapshot, limits: Limits, now: datetime) -> tuple[Standing, ...]:
    """Every lock that holds now."""
    return tuple(_standing(account, limits, now))


def cooldown(
    account: AccountSnapshot, limits: Limits, instrument: Instrument, now: datetime
) -> Standing | None:
    """After a loss an instrument is left alone for a while."""
    lost_at = account.last_loss_at.get(instrument)
    if lost_at is None or now - lost_at >= timedelta(minutes=limits.cooldown_min):
        return None
    lock = Standing(
        protection=Protection.COOLDOWN,
        instrument=instrument,
        cause_at=lost_at,
        until=lost_at + timedelta(minutes=limits.cooldown_min),
        why=f"the trade closed at {clock_time(lost_at)} lost",
    )
    return None if _is_lifted(lock, account) else lock


def losses_in_a_row(account: AccountSnapshot, limits: Limits, now: datetime) -> Standing | None:
    """A series of losses ends the day's entries."""
    if account.losses_in_a_row < limits.losses_in_a_row:
        return None
    lock = Standing(
        protection=Protection.LOSSES_IN_A_ROW,
        cause_at=account.lost_at or _day_of(now),
        why=f"{account.losses_in_a_row} trades in a row lost; {limits.losses_in_a_row} end the day's entries",
    )
    return None if _is_lifted(lock, account) else lock


def rejections_in_a_row(account: AccountSnapshot, limits: Limits, now: datetime) -> Standing | None:
    """Entries refused one after the other."""
    if account.rejections_in_a_row < limits.rejections_in_a_row:
        return None
    rejected_at = account.rejected_at or now
    until = rejected_at + timedelta(minutes=limits.rejections_pause_min)
    lock = Standing(
        protection=Protection.REJECTIONS_IN_A_ROW,
        cause_at=rejected_at,
        until=until,
        why=f"the last {account.rejections_in_a_row} entries were refused",
    )
    return None if now >= until or _is_lifted(lock, account) else lock


def orders_slow(account: AccountSnapshot, limits: Limits, now: datetime) -> Standing | None:
    """The broker's answers to entries take too long."""
    if account.order_latency_ms <= limits.order_latency_ms:
        return None
    latency_at = account.latency_at or now
    until = latency_at + timedelta(minutes=limits.latency_pause_min)
    lock = Standing(
        protection=Protection.ORDERS_SLOW,
        cause_at=latency_at,
        until=until,
        why=f"an answer to an entry takes {account.order_latency_ms:.0f} ms",
    )
    return None if now >= until or _is_lifted(lock, account) else lock


def _standing(account: AccountSnapshot, limits: Limits, now: datetime) -> Iterator[Standing]:
    for instrument in account.last_loss_at:
        if lock := cooldown(account, limits, instrument, now):
            yield lock
    for found in (
        losses_in_a_row(account, limits, now),
        rejections_in_a_row(account, limits, now),
        orders_slow(account, limits, now),
    ):
        if found:
            yield found
    day = _day_of(now)
    if account.trades_today >= limits.trades_per_day:
        why = f"{account.trades_today} trades were made today; {limits.trades_per_day} is the most"
        yield Standing(protection=Protection.TRADES_PER_DAY, cause_at=day, why=why)
    limit_inr = risk_budget_inr(account.capital_inr, limits.daily_loss_pct)
    if account.day_pnl_inr <= -limit_inr:
        why = f"the day's result is {format_inr(account.day_pnl_inr)}; the limit is {format_inr(-limit_inr)}"
        yield Standing(protection=Protection.DAILY_LOSS, cause_at=day, why=why)


def _day_of(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _is_lifted(lock: Standing, account: AccountSnapshot) -> bool:
    return (lock.protection, lock.instrument, lock.cause_at) in account.lifted
