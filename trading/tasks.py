"""Short tasks of the worker, sent by beat. None of them trades, none is needed for a position to be safe."""

import structlog
from celery import shared_task
from django.core.management import call_command
from django.db.models.functions import Now

from aitrapp_site import wiring
from risk import state
from trading import current
from trading.broker.base import BrokerError
from trading.core.enums import Loop, PauseReason
from trading.models import Lease

log = structlog.get_logger(__name__)


@shared_task
def refresh_instruments() -> int:
    """Read the day's instrument file into rows; the loops read it again when their day begins."""
    try:
        return wiring.refresh_instruments()
    except BrokerError as error:
        log.error("instruments_not_refreshed", reason=str(error))
        return 0


@shared_task
def check_login() -> bool:
    """Whether the broker takes today's token; if not, entries are off until a loop is let in again."""
    account, clocks = current.account_named(), wiring.clocks_now()
    try:
        wiring.broker_at(wiring.place(), clocks).user_id()
    except BrokerError as error:
        why = f"the broker refused the login: {error}"
        state.turn_off(account.pk, PauseReason.LOGIN, by="login loop", why=why, now=clocks.machine_now())
        log.error("login_needed", reason=str(error))
        return False
    return True


@shared_task
def raise_alarms() -> int:
    """Log what an operator must hear of: a loop that nobody leads, or that leads without passes that work."""
    found = 0
    account = current.account_named()
    for loop in Loop:
        row = Lease.objects.filter(account=account, loop=loop)
        if not row.filter(expires_at__gte=Now()).exists():
            log.error("alarm_nobody_leads", loop=loop.value)
            found += 1
    return found


@shared_task
def prune() -> None:
    """Remove what nobody will ask for: sessions of the console that ended."""
    call_command("clearsessions")
