"""Keys of programs that call the REST API: made here, shown once, kept as a hash."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from trading.core.enums import Scope
from trading.models import ApiKey

#: tells a key from other secrets where one turns up by mistake
PREFIX = "aitrapp_"


def create_key(name: str, scopes: Iterable[Scope]) -> str:
    """Make a key and return its plaintext, which is kept nowhere. A key of that name made before ends to work.

    Raises ValueError when no scope is given.
    """
    granted = sorted({Scope(scope).value for scope in scopes})
    if not granted:
        raise ValueError(f"a key needs at least one scope of {', '.join(Scope)}")
    plaintext = PREFIX + secrets.token_urlsafe(32)
    ApiKey.objects.update_or_create(
        name=name, defaults={"digest": _digest(plaintext), "scopes": granted, "revoked_at": None}
    )
    return plaintext


def find_key(plaintext: str) -> ApiKey | None:
    """The key that a caller showed; None when it is unknown or revoked."""
    return ApiKey.objects.filter(digest=_digest(plaintext), revoked_at=None).first()


def scopes_of(key: ApiKey) -> frozenset[Scope]:
    """What a key allows."""
    return frozenset(Scope(word) for word in key.scopes)


def revoke(names: Iterable[str], *, now: datetime) -> int:
    """End keys by name. `now` is machine time; returns how many worked until now."""
    return ApiKey.objects.filter(name__in=list(names), revoked_at=None).update(revoked_at=now)


def _digest(plaintext: str) -> str:
    # 256 random bits cannot be guessed, so a slow password hash would only slow every request down.
    return hashlib.sha256(plaintext.encode()).hexdigest()
