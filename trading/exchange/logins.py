"""Kite's login as the paper exchange grants it: one app, one user, one living access token."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from trading.core.session import IST
from trading.exchange.rules import VenueRefusal

#: how many unused request tokens are remembered; older ones have expired
REQUEST_TOKENS: Final = 5
#: how long a request token is good, machine seconds: a person is waited for, not the market
REQUEST_TOKEN_S: Final = 300
#: a regulatory rule: an access token ends at the next 06:00 IST after its login
TOKENS_DIE: Final = time(6, 0)


def bad_token(message: str) -> VenueRefusal:
    return VenueRefusal(403, "TokenException", message)


def dies_at(granted_at: datetime) -> datetime:
    """The next 06:00 IST strictly after `granted_at`."""
    local = granted_at.astimezone(IST)
    six = datetime.combine(local.date(), TOKENS_DIE, IST)
    return six if local < six else six + timedelta(days=1)


@dataclass(kw_only=True, slots=True)
class Logins:
    """`new_token` draws a secret word. A token given by the launcher lives until somebody logs in or out; one
    that a login granted also ends at 06:00. `now` is market time, `now_s` a monotonic machine time.
    """

    api_key: str
    api_secret: str
    user_id: str
    access_token: str
    new_token: Callable[[], str]
    #: the launcher's word for the token to begin with, or empty
    given: str = ""
    #: where the login page sends the browser; empty: it shows the request token instead
    redirect_url: str = ""
    #: where order updates are posted to; empty: nowhere
    postback_url: str = ""
    #: market time of the login that granted the access token; None: it was given
    granted_at: datetime | None = None
    #: unused request tokens, and the machine time at which each was handed out
    request_tokens: dict[str, float] = field(default_factory=dict)

    def request_token(self, now_s: float) -> str:
        """What the login page hands to the browser: good for one `login` within five minutes."""
        self.request_tokens[self.new_token()] = now_s
        while len(self.request_tokens) > REQUEST_TOKENS:
            del self.request_tokens[next(iter(self.request_tokens))]
        return next(reversed(self.request_tokens))

    def redirect_to(self, request_token: str, redirect_params: str) -> str:
        """Where the browser goes after the login, with the query that the app asked to have echoed."""
        query = {
            "action": "login",
            "type": "login",
            "status": "success",
            "request_token": request_token,
        }
        asked = [pair for pair in parse_qsl(redirect_params, keep_blank_values=True) if pair[0] not in query]
        sign = "&" if "?" in self.redirect_url else "?"
        return f"{self.redirect_url}{sign}{urlencode([*query.items(), *asked])}"

    def login(self, fields: Mapping[str, Any], now: datetime, now_s: float) -> str:
        """Kite's `POST /session/token`: the new access token, which ends the one before. Raises VenueRefusal."""
        token = str(fields.get("request_token", ""))
        expected = sha256(f"{self.api_key}{token}{self.api_secret}".encode()).hexdigest()
        handed_out_s = self.request_tokens.get(token)
        is_fresh = handed_out_s is not None and 0 <= now_s - handed_out_s < REQUEST_TOKEN_S
        if str(fields.get("api_key", "")) != self.api_key or not is_fresh:
            raise bad_token("Token is invalid or has expired.")
        if not hmac.compare_digest(str(fields.get("checksum", "")).encode(), expected.encode()):
            raise bad_token("Invalid `checksum`.")
        del self.request_tokens[token]
        self.access_token, self.granted_at = self.new_token(), now
        return self.access_token

    def logout(self, api_key: str, access_token: str, now: datetime) -> None:
        """Kite's `DELETE /session/token`. Raises VenueRefusal."""
        self.check(api_key, access_token, now)
        self.access_token = ""

    def check(self, api_key: str, access_token: str, now: datetime) -> None:
        """Raises VenueRefusal 403 for any pair but the living one."""
        known = f"{self.api_key}:{self.access_token}".encode()
        is_same = hmac.compare_digest(f"{api_key}:{access_token}".encode(), known)
        is_dead = self.granted_at is not None and now >= dies_at(self.granted_at)
        if not self.access_token or not is_same or is_dead:
            raise bad_token("Incorrect `api_key` or `access_token`.")

    def check_header(self, authorization: str, now: datetime) -> None:
        """`token api_key:access_token`. Raises VenueRefusal 403."""
        scheme, _, pair = authorization.partition(" ")
        api_key, _, access_token = pair.partition(":")
        if scheme != "token":
            raise bad_token("Incorrect `api_key` or `access_token`.")
        self.check(api_key, access_token, now)

    def checksum(self, order: Mapping[str, Any]) -> str:
        """What proves an order update: SHA-256 of order id, order timestamp and API secret."""
        text = f"{order['order_id']}{order['order_timestamp']}{self.api_secret}"
        return sha256(text.encode()).hexdigest()

    def as_event(self) -> dict[str, Any]:
        """What the journal keeps."""
        return {
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "given": self.given,
            "access_token": self.access_token,
            "granted_at": self.granted_at.isoformat() if self.granted_at else "",
            "request_tokens": self.request_tokens,
        }

    def restore(self, event: Mapping[str, Any]) -> None:
        """Go on from `as_event`; a launcher that has given another token since then is right."""
        if event["given"] != self.given:
            return
        self.access_token = str(event["access_token"])
        granted = event.get("granted_at")
        self.granted_at = datetime.fromisoformat(granted) if granted else None
        waiting = event["request_tokens"]
        # A journal of an older version holds no times: its request tokens have expired.
        self.request_tokens = dict(waiting) if isinstance(waiting, Mapping) else {}
