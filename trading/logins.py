"""Daily logins as rows: one in use for each account and place, its token sealed.

A second login for the same app and user ends the first token (kite-facts 1.2), so there is one owner: whoever goes
through the login page stores the token here, and every process reads it from here.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction

from trading.broker.base import SessionExpired
from trading.models import Account, KiteLogin


class UnreadableLogin(SessionExpired):
    """The stored token cannot be opened with this SECRET_KEY."""


def store(
    account: Account,
    place: str,
    *,
    broker_user: str,
    token: str,
    logged_in_at: datetime,
    dies_at: datetime,
    asked_by: str,
    now: datetime,
) -> KiteLogin:
    """Keep a new login; the one before it has ended with it. `now` is machine time."""
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=account.pk)
        end(account, place, why="a newer login took its place", now=now)
        return KiteLogin.objects.create(
            account=account,
            place=place,
            broker_user=broker_user,
            sealed_token=seal(token),
            logged_in_at=logged_in_at,
            dies_at=dies_at,
            asked_by=asked_by[:60],
            stored_at=now,
        )


def in_use(account_id: int, place: str) -> KiteLogin | None:
    """The login that has not ended; by the clock it may be dead (`dies_at`)."""
    return KiteLogin.objects.filter(account_id=account_id, place=place, ended_at=None).first()


def token_of(login: KiteLogin) -> str:
    """The access token. Raises UnreadableLogin."""
    return unseal(login.sealed_token)


def seal(token: str) -> str:
    """A token as it is stored: for this installation's eyes alone."""
    return _box().encrypt(token.encode()).decode()


def unseal(sealed_token: str) -> str:
    """A token as it was stored. Raises UnreadableLogin."""
    try:
        return _box().decrypt(sealed_token.encode()).decode()
    except InvalidToken:
        raise UnreadableLogin("The login was sealed with another SECRET_KEY. Log in again.") from None


def end(account: Account, place: str, *, why: str, now: datetime) -> bool:
    """Note that the login in use is over. Returns whether there was one. `now` is machine time."""
    standing = KiteLogin.objects.filter(account=account, place=place, ended_at=None)
    return standing.update(ended_at=now, ended_why=why[:300]) > 0


def _box() -> Fernet:
    return Fernet(urlsafe_b64encode(sha256(f"kite-login:{settings.SECRET_KEY}".encode()).digest()))
