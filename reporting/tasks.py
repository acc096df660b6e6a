"""The report of days that nobody reported: the watcher does it at 15:45, unless it was away just then."""

import structlog
from celery import shared_task

from reporting import burnin, queries
from risk.models import BurninDay
from trading.core.session import IST, DayTimes, at
from trading.models import VenueSession

log = structlog.get_logger(__name__)


@shared_task
def report_missing_days() -> int:
    """Report, from rows alone, sessions of earlier books that have no verdict. Returns how many."""
    found = 0
    reported = BurninDay.objects.values("session_id")
    newest = VenueSession.objects.order_by("-pk").first()
    for session in VenueSession.objects.exclude(pk__in=reported).exclude(key="").order_by("-pk")[:5]:
        trading_date = session.started_at.astimezone(IST).date()
        now = queries.last_moment(session)
        if session == newest or now < at(trading_date, DayTimes().square_off):
            continue
        burnin.store(burnin.report(session.account, session, trading_date, None, now=now))
        log.warning("burnin_day_reported_late", session=session.key)
        found += 1
    return found
