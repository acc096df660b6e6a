"""The daily login: where to send the operator's browser, what to do with what it brings back, how long that
lives.

There is no login API: exchanges ask for a person once a day. A second login for the same app and user ends
the first token, so exactly one process logs in and all others read what it stored.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlencode

from trading.broker.base import BrokerError, BrokerRefused
from trading.broker.kite import parse
from trading.broker.kite.connection import KiteConnection, failures_as
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.errors import KiteFailure, Stage, read_error
from trading.core.clocks import Clocks
from trading.core.session import IST

#: every token dies here, whenever it was made
TOKEN_DIES_AT = time(6, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class KiteSession:
    """A token and whose it is. `repr` leaves the token out, so that no log can show it."""

    user_id: str
    access_token: str
    logged_in_at: datetime

    @property
    def dies_at(self) -> datetime:
        return token_dies_at(self.logged_in_at)

    def is_alive(self, now: datetime) -> bool:
        """By the clock alone; a login at Kite's website may end it sooner (`KiteBroker.user_id()` asks)."""
        return now < self.dies_at

    def __repr__(self) -> str:
        return f"KiteSession(user_id={self.user_id!r}, logged_in_at={self.logged_in_at.isoformat()})"


def login_url(environment: KiteEnvironment, *, api_key: str, state: str) -> str:
    """The page to send the operator's browser to. It comes back with `request_token` and this `state`.

    `state` is a secret of the operator's own session: what comes back with another one is not answered.
    """
    query = {"v": "3", "api_key": api_key, "redirect_params": urlencode({"state": state})}
    return f"{environment.login_url}?{urlencode(query)}"


def is_same_state(sent: str, returned: str) -> bool:
    """Whether the browser brought back what it was sent with; an empty state never matches."""
    return bool(sent) and hmac.compare_digest(sent.encode(), returned.encode())


def exchange_token(
    environment: KiteEnvironment, *, api_key: str, api_secret: str, request_token: str, clocks: Clocks
) -> KiteSession:
    """Trade the browser's request token (single use, a few minutes) for the day's access token.

    Raises BrokerRefused when Kite says no (go through the login page again) and BrokerUnavailable when it
    says nothing.
    """
    kite = KiteConnection(environment, api_key=api_key)
    with failures_as(_login_error):
        # Not the client's generate_session: it dies of a TypeError on an answer it does not expect.
        checksum = sha256(f"{api_key}{request_token}{api_secret}".encode()).hexdigest()
        params = {"api_key": api_key, "request_token": request_token, "checksum": checksum}
        answer = kite._post("api.token", params=params)
        if not isinstance(answer, dict) or not answer.get("access_token") or not answer.get("user_id"):
            raise KiteFailure("the login's answer holds no access_token or user_id", stage=Stage.UNANSWERED)
    now = clocks.market_now()
    said = answer.get("login_time")
    return KiteSession(
        user_id=str(answer["user_id"]),
        access_token=str(answer["access_token"]),
        logged_in_at=parse.moment(str(said), now.date()) if said else now,
    )


def token_dies_at(logged_in_at: datetime) -> datetime:
    """The next 06:00 IST strictly after a login (a regulatory rule)."""
    local = logged_in_at.astimezone(IST)
    six = datetime.combine(local.date(), TOKEN_DIES_AT, IST)
    return six if local < six else six + timedelta(days=1)


def _login_error(failure: KiteFailure) -> BrokerError:
    is_no = failure.stage is Stage.ANSWERED and 400 <= failure.http_status < 500
    if not is_no or failure.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return read_error(failure)
    return BrokerRefused(
        f"{failure} (a request token works once and for a few minutes: open the login page again; "
        "if it goes on, check the API key and secret)",
        error_type=failure.error_type,
        http_status=failure.http_status,
    )
