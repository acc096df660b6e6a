"""Kite's login as the paper exchange grants it: one app, one user, one living access token."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from trading.exchange.rules import VenueRefusal

#: how many unused request tokens are remembered; older ones have expired
REQUEST_TOKENS = 5


def bad_token(message: str) -> VenueRefusal:
    return VenueRefusal(403, "TokenException", message)


@dataclass(kw_only=True, slots=True)
class Logins:
    """`new_token` draws a secret word. A token given by the launcher lives until somebody logs in or out."""

    api_key: str
    api_secret: str
    user_id: str
    access_token: str
    new_token: Callable[[], str]
    #: the launcher's word for the token to begin with, or empty
    given: str = ""
    request_tokens: list[str] = field(default_factory=list)

    def request_token(self) -> str:
        """What the login page hands to the browser: good for one `login`."""
        self.request_tokens = [*self.request_tokens, self.new_token()][-REQUEST_TOKENS:]
        return self.request_tokens[-1]

    def login(self, fields: Mapping[str, Any]) -> str:
        """Kite's `POST /session/token`: the new access token, which ends the one before. Raises VenueRefusal."""
        token = str(fields.get("request_token", ""))
        expected = sha256(f"{self.api_key}{token}{self.api_secret}".encode()).hexdigest()
        if str(fields.get("api_key", "")) != self.api_key or token not in self.request_tokens:
            raise bad_token("Token is invalid or has expired.")
        if not hmac.compare_digest(str(fields.get("checksum", "")), expected):
            raise bad_token("Invalid `checksum`.")
        self.request_tokens.remove(token)
        self.access_token = self.new_token()
        return self.access_token

    def logout(self, api_key: str, access_token: str) -> None:
        """Kite's `DELETE /session/token`. Raises VenueRefusal."""
        self.check(api_key, access_token)
        self.access_token = ""

    def check(self, api_key: str, access_token: str) -> None:
        """Raises VenueRefusal 403 for any pair but the living one."""
        known = f"{self.api_key}:{self.access_token}".encode()
        is_same = hmac.compare_digest(f"{api_key}:{access_token}".encode(), known)
        if not self.access_token or not is_same:
            raise bad_token("Incorrect `api_key` or `access_token`.")

    def check_header(self, authorization: str) -> None:
        """`token api_key:access_token`. Raises VenueRefusal 403."""
        scheme, _, pair = authorization.partition(" ")
        api_key, _, access_token = pair.partition(":")
        if scheme != "token":
            raise bad_token("Incorrect `api_key` or `access_token`.")
        self.check(api_key, access_token)

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
            "request_tokens": self.request_tokens,
        }

    def restore(self, event: Mapping[str, Any]) -> None:
        """Go on from `as_event`; a launcher that has given another token since then is right."""
        if event["given"] != self.given:
            return
        self.access_token = str(event["access_token"])
        self.request_tokens = [str(token) for token in event["request_tokens"]]
