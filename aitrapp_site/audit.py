"""The web's part of the audit: who a request acts for, what was refused to it, and who came and went."""

import json
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Final

import structlog
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase

from aitrapp_site.callers import Caller
from risk import audit
from trading.core.enums import AuditAction, AuditOutcome

log = structlog.get_logger(__name__)

REFUSALS: Final = (401, 403)
NOBODY: Final = "nobody signed in"
#: entries are never deleted, so somebody who knocks without end must not fill the disk; the rest is in the log
STRANGERS_A_MINUTE: Final = 60


class Ration:
    """So many a minute, for each process."""

    def __init__(self, a_minute: int) -> None:
        self._taken: deque[float] = deque(maxlen=a_minute)
        self._lock = Lock()

    def take(self, now_s: float) -> bool:
        with self._lock:
            if len(self._taken) == self._taken.maxlen and now_s - self._taken[0] < 60:
                return False
            self._taken.append(now_s)
            return True


strangers = Ration(STRANGERS_A_MINUTE)


def audited(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, inside authentication: every row that a request changes is changed in the caller's name."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        address = request.META.get("REMOTE_ADDR", "")
        with audit.acting(lambda: actor_of(request), address) as scope:
            response = get_response(request)
            # Whoever refused with more to say has said it already.
            if response.status_code in REFUSALS and not scope.refusals:
                _refused(request, response)
        return response

    return answer


def actor_of(request: HttpRequest) -> str:
    """The API's caller, the console's user, or nobody."""
    caller = getattr(request, "auth", None)
    if isinstance(caller, Caller):
        return caller.name
    user = getattr(request, "user", None)
    return user.get_username() if user is not None and user.is_authenticated else NOBODY


def _refused(request: HttpRequest, response: HttpResponseBase) -> None:
    words = _words_of(response)
    subject = f"{request.method} {request.path}"
    if actor_of(request) == NOBODY and not strangers.take(monotonic()):
        log.warning("a stranger was refused", subject=subject, words=words)
        return
    audit.refuse(AuditAction.CALL, subject, words=words)


def _words_of(response: HttpResponseBase) -> str:
    """What the caller was told: the API's sentence, or a page's status."""
    try:
        return str(json.loads(getattr(response, "content", b""))["detail"])
    except (ValueError, LookupError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"


@receiver(user_logged_in)
def logged_in(user: User, **more: Any) -> None:
    audit.note(AuditAction.LOGIN, f"user {user.get_username()}")


@receiver(user_logged_out)
def logged_out(user: User | None, **more: Any) -> None:
    if user is not None:
        audit.note(AuditAction.LOGOUT, f"user {user.get_username()}")


@receiver(user_login_failed)
def login_failed(credentials: dict[str, Any], **more: Any) -> None:
    """A name that nobody has is not kept: it may be a password that went into the wrong field."""
    name = str(credentials.get("username", ""))
    known = User.objects.filter(username=name).exists()
    subject = f"user {name}" if known else "user unknown"
    if not strangers.take(monotonic()):
        log.warning("a login failed", subject=subject)
        return
    words = "Name and password do not belong together, or the user is not active."
    audit.refuse(AuditAction.LOGIN, subject, outcome=AuditOutcome.FAILED, words=words)
