"""What a failed call means for the caller: one reading of the same answer for every broker that speaks Kite.

The rule (Zerodha's staff, repeated since 2018): unless the answer itself says no, an order may have been
placed. So a write is refused only on words that mean "not done". Everything doubtful is OutcomeUnknown, which
costs a look into the books; a wrong "refused" costs a second order.
"""

from enum import StrEnum
from http import HTTPStatus

from trading.broker.base import BrokerError, BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired


class Stage(StrEnum):
    """How far a call came before it failed."""

    NOT_SENT = "NOT_SENT"  # no byte of the request left: no route, refused connection, DNS, TLS
    UNANSWERED = "UNANSWERED"  # sent, or perhaps sent, and no answer that can be believed
    ANSWERED = "ANSWERED"  # a JSON error of Kite's


class KiteFailure(Exception):
    """A call that failed, with all that is known of it. Never leaves `trading.broker`."""

    def __init__(self, message: str, *, stage: Stage, http_status: int = 0, error_type: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.http_status = http_status
        self.error_type = error_type


REFUSING_TYPES = frozenset(
    {
        "InputException",
        "OrderException",
        "MarginException",
        "HoldingException",
        "PermissionException",
        "UserException",
        "TwoFAException",
    }
)

#: the request never reached an order: the route or the method does not exist there
NO_SUCH_ROUTE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})

# Seen under HTTP 400 while the order went in eight seconds later. "Check the orderbook for open orders" of a
# margin refusal must not match, so the words are those of a time-out only.
DOUBTFUL_WORDS = (
    "timed out",
    "timeout",
    "time out",
    "confirm before placing",
    "request failed",
    "kitetrade-oms",
)

STATIC_IP_ADVICE = (
    " (Kite takes orders only from a whitelisted static IP address: check developers.kite.trade, Profile, "
    "IP Whitelist, and that the app's plan allows orders)"
)


def write_error(failure: KiteFailure) -> BrokerError:
    """The error that a place, modify or cancel which failed so must raise."""
    if failure.stage is Stage.NOT_SENT:
        return _as(BrokerUnavailable, failure)
    if failure.stage is Stage.UNANSWERED:
        return _as(OutcomeUnknown, failure)
    if failure.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return _as(BrokerUnavailable, failure)
    if not 400 <= failure.http_status < 500:
        return _as(OutcomeUnknown, failure)
    if failure.error_type == "TokenException":
        return _as(SessionExpired, failure)
    if any(words in str(failure).lower() for words in DOUBTFUL_WORDS):
        return _as(OutcomeUnknown, failure)
    if failure.error_type == "PermissionException":
        return _as(BrokerRefused, failure, advice=STATIC_IP_ADVICE)
    if failure.error_type in REFUSING_TYPES or failure.http_status in NO_SUCH_ROUTE:
        return _as(BrokerRefused, failure)
    return _as(OutcomeUnknown, failure)


def read_error(failure: KiteFailure) -> BrokerError:
    """The error a read that failed so must raise: BrokerUnavailable, or SessionExpired for a dead token."""
    if (
        failure.stage is Stage.ANSWERED
        and failure.error_type == "TokenException"
        and 400 <= failure.http_status < 500
    ):
        return _as(SessionExpired, failure)
    return _as(BrokerUnavailable, failure)


def _as(kind: type[BrokerError], failure: KiteFailure, *, advice: str = "") -> BrokerError:
    return kind(str(failure) + advice, error_type=failure.error_type, http_status=failure.http_status)
