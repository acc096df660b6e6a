"""Who may call from outside: a bearer key, an operator's session with CSRF, or, on a newcomer's own machine, curl.

Every request is answered by exactly one of the three. A request that shows a key or a session and fails with it is
refused; it is never taken for the local operator instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security.http import HttpAuthBase
from ninja.utils import check_csrf

from trading import keys
from trading.core.enums import Mode, Scope
from trading.models import Account

#: A browser sends one of the first two with everything that could do harm; a proxy adds the others.
NOT_FROM_A_SHELL = (
    "Origin",
    "Sec-Fetch-Site",
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-Ip",
)
HOW_TO_CALL = (
    "Send `Authorization: Bearer <key>` (`manage.py api_key` makes one), or use the console at /admin/."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls, as rows name them, and what they may do."""

    name: str
    scopes: frozenset[Scope]


class Needs(HttpAuthBase):
    """Ninja's `auth=`: lets a caller through who has one of the scopes, and puts it on `request.auth`."""

    openapi_scheme = "bearer"

    def __init__(self, *scopes: Scope) -> None:
        super().__init__()
        self.scopes = frozenset(scopes)

    def __call__(self, request: HttpRequest) -> Caller:
        """Raises HttpError 401 for a caller nobody knows, 403 for one who may not."""
        caller = caller_of(request)
        # Ninja puts it there after us, but a refusal too is written down in the caller's name.
        request.auth = caller  # type: ignore[attr-defined]  # ninja's own place for it
        if not self.scopes & caller.scopes:
            wanted = " or ".join(sorted(self.scopes))
            raise HttpError(
                403, f"{caller.name} lacks the scope {wanted}. Ask with a key or a user that has it."
            )
        return caller


def caller_of(request: HttpRequest) -> Caller:
    """Who sent this request. Raises HttpError 401 or 403 with what to do."""
    shown = request.headers.get("Authorization", "")
    if shown:
        return _bearer(shown)
    if request.user.is_authenticated:
        return _signed_in(request)
    if problem := _why_not_local(request):
        raise HttpError(401, f"{problem} {HOW_TO_CALL}")
    return Caller(name="local operator", scopes=frozenset({Scope.READ, Scope.OPERATE}))


def scopes_of_user(user: User | AnonymousUser) -> frozenset[Scope]:
    """What a user of the console may do; nothing when it is not staff."""
    if not (user.is_active and user.is_staff):
        return frozenset()
    granted = {scope for scope in (Scope.OPERATE, Scope.LIVE) if user.has_perm(f"trading.{scope}")}
    return frozenset({Scope.READ, *granted})


def _bearer(header: str) -> Caller:
    scheme, _, plaintext = header.partition(" ")
    key = keys.find_key(plaintext.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise HttpError(401, f"This API key is unknown or revoked. {HOW_TO_CALL}")
    return Caller(name=f"key {key.name}", scopes=keys.scopes_of(key))


def _signed_in(request: HttpRequest) -> Caller:
    if check_csrf(request) is not None:
        raise HttpError(403, "The CSRF token is missing or wrong: reload the console page and try again.")
    return Caller(name=request.user.get_username(), scopes=scopes_of_user(request.user))


def _why_not_local(request: HttpRequest) -> str:
    """Why a request without key and session does not count as the local operator's; empty when it does.

    The Host header was checked before: CommonMiddleware answers 400 to one that is not in ALLOWED_HOSTS, which is
    what keeps a page of somebody else's name for 127.0.0.1 out.
    """
    if not settings.EMBEDDED:
        return "This installation takes no calls without a key."
    if found := _headers_of(request, NOT_FROM_A_SHELL):
        return f"A call with {', '.join(found)} comes from a browser or through a proxy."
    if not _is_loopback(request.META.get("REMOTE_ADDR", "")):
        return "This call comes from another machine."
    if Account.objects.filter(mode=Mode.LIVE).exists():
        return "An account trades with real money, so every call needs a key."
    return ""


def _headers_of(request: HttpRequest, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in request.headers]


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
