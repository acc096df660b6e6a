"""The operator's daily login at Kite: to the login page and back, and what is known of it in between.

There is no login API and automating the page is not allowed, so a person goes through it once a day (kite-facts 1.1).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from aitrapp_site import kite_token, wiring
from aitrapp_site.clocks import MachineClocks
from risk import audit, state
from trading import bells, logins
from trading.broker.base import BrokerError, BrokerUnavailable, SessionExpired
from trading.broker.kite import login as kite
from trading.broker.kite.login import is_same_state
from trading.core.enums import AuditAction, PauseReason
from trading.core.session import IST
from trading.models import Account, KiteLogin

__all__ = ["LoginRefused", "LoginState", "complete", "is_same_state", "login_url", "state_of"]

BY: Final = "login"


class LoginRefused(Exception):
    """The login cannot be used; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginState:
    """What the console shows of the login. `needs` is what a person must do now, empty when nothing."""

    place: str
    is_real_money: bool
    api_key_is_set: bool
    login: KiteLogin | None
    is_alive: bool
    needs: str


def login_url(state_word: str) -> str:
    """The page to send the operator's browser to. Raises LoginRefused where keys are missing."""
    missing = [name for name in ("KITE_API_KEY", "KITE_API_SECRET") if not getattr(settings, name)]
    if missing:
        raise LoginRefused(
            f"Set {' and '.join(missing)} first: they are on your app's page at developers.kite.trade."
        )
    return kite.login_url(wiring.place(), api_key=settings.KITE_API_KEY, state=state_word)


def complete(account: Account, request_token: str, *, asked_by: str) -> KiteLogin:
    """Trade what the browser brought back for the day's token, ask whose it is, and keep it.

    Raises LoginRefused; nothing is kept then and the login in use stays.
    """
    try:
        return _complete(account, request_token, asked_by=asked_by)
    except LoginRefused as error:
        subject = f"account {account.name}"
        audit.refuse(AuditAction.KITE_LOGIN, subject, account=account, words=str(error))
        raise


def _complete(account: Account, request_token: str, *, asked_by: str) -> KiteLogin:
    where, clocks = wiring.place(), wiring.clocks_now()
    if not request_token:
        raise LoginRefused("The login page sent no request_token back. Begin again.")
    try:
        session = kite.exchange_token(
            where,
            api_key=settings.KITE_API_KEY,
            api_secret=settings.KITE_API_SECRET,
            request_token=request_token,
            clocks=clocks,
        )
        user = wiring.broker_with(where, session.access_token, clocks).user_id()
    except BrokerUnavailable as error:
        raise LoginRefused(f"Kite did not answer: {error}. Begin again.") from error
    except (BrokerError, SessionExpired) as error:
        raise LoginRefused(f"Kite refused the login: {error}") from error
    if user != account.broker_user:
        raise LoginRefused(
            f"This login is {user}'s; {account.name} trades as {account.broker_user}. Log in as that user, or correct "
            "the account's broker user."
        )
    now = MachineClocks().machine_now()
    stored = logins.store(
        account,
        where.name,
        broker_user=user,
        token=session.access_token,
        logged_in_at=session.logged_in_at,
        dies_at=session.dies_at,
        asked_by=asked_by,
        now=now,
    )
    kite_token.keep(stored)
    state.lift(account.pk, PauseReason.LOGIN, by=BY, now=now)
    # Both loops have connections with the token before: they open the day anew.
    for bell in (bells.ENTRIES, bells.EXITS):
        bells.ring(bell, account.pk)
    return stored


def state_of(account: Account, market_now: datetime) -> LoginState:
    """The login as it stands. `market_now` decides whether it is alive by the clock."""
    where = wiring.place()
    login = logins.in_use(account.pk, where.name)
    is_alive = login is not None and market_now < login.dies_at
    is_given = bool(settings.KITE_ACCESS_TOKEN)
    needs = "" if is_alive or is_given else "Log in: nothing can be read or sent before."
    if login is not None and not is_alive and not is_given:
        since = f"{login.logged_in_at.astimezone(IST):%d %b %H:%M}"
        needs = f"The login of {since} ended at 06:00. Log in again; exits wait for it too."
    return LoginState(
        place=where.name,
        is_real_money=where.is_real_money,
        api_key_is_set=bool(settings.KITE_API_KEY and settings.KITE_API_SECRET),
        login=login,
        is_alive=is_alive,
        needs=needs,
    )
