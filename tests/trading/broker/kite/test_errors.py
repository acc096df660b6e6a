import pytest

from trading.broker.base import BrokerRefused, BrokerUnavailable, OutcomeUnknown, SessionExpired
from trading.broker.kite.errors import KiteFailure, Stage, read_error, write_error

MARGIN = (
    "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80. "
    "Check the orderbook for open orders."
)
TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."

ANSWERS = [
    (400, "InputException", "Invalid `quantity`.", BrokerRefused),
    (400, "MarginException", MARGIN, BrokerRefused),
    (400, "OrderException", "Order cannot be modified as it is being processed. Try later.", BrokerRefused),
    (400, "OrderException", TIMED_OUT, OutcomeUnknown),
    (400, "GeneralException", "Something went wrong", OutcomeUnknown),
    (400, "NetworkException", "Request failed (kitetrade-oms)", OutcomeUnknown),
    (400, "InputException", "Request failed (kitetrade-oms)", OutcomeUnknown),
    (400, "", "no error_type at all", OutcomeUnknown),
    (403, "TokenException", "Incorrect `api_key` or `access_token`.", SessionExpired),
    (403, "PermissionException", "Insufficient permission for that call.", BrokerRefused),
    (403, "", "<html>", OutcomeUnknown),
    (404, "GeneralException", "Route not found", BrokerRefused),
    (428, "HoldingException", "Authorise your holdings", BrokerRefused),
    (429, "NetworkException", "Too many requests", BrokerUnavailable),
    (500, "OrderException", "Internal", OutcomeUnknown),
    (500, "TokenException", "Internal", OutcomeUnknown),
    (503, "NetworkException", "OMS is down", OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "error_type", "message", "expected"), ANSWERS)
def test_a_write_is_refused_only_by_words_that_mean_not_done(status, error_type, message, expected):
    error = write_error(KiteFailure(message, stage=Stage.ANSWERED, http_status=status, error_type=error_type))
    assert type(error) is expected
    assert str(error).startswith(message)
    assert (error.http_status, error.error_type) == (status, error_type)


def test_an_unsent_write_did_nothing_and_an_unanswered_one_may_have():
    assert type(write_error(KiteFailure("refused", stage=Stage.NOT_SENT))) is BrokerUnavailable
    assert type(write_error(KiteFailure("timed out", stage=Stage.UNANSWERED))) is OutcomeUnknown


def test_a_refused_permission_names_the_static_ip():
    error = write_error(
        KiteFailure("No.", stage=Stage.ANSWERED, http_status=403, error_type="PermissionException")
    )
    assert "whitelisted static IP" in str(error)


@pytest.mark.parametrize(
    ("stage", "status", "error_type", "expected"),
    [
        (Stage.ANSWERED, 403, "TokenException", SessionExpired),
        (Stage.ANSWERED, 403, "PermissionException", BrokerUnavailable),
        (Stage.ANSWERED, 400, "InputException", BrokerUnavailable),
        (Stage.ANSWERED, 429, "NetworkException", BrokerUnavailable),
        (Stage.UNANSWERED, 502, "", BrokerUnavailable),
        (Stage.NOT_SENT, 0, "", BrokerUnavailable),
    ],
)
def test_a_failed_read_is_unavailable_unless_the_token_is_dead(stage, status, error_type, expected):
    error = read_error(KiteFailure("text", stage=stage, http_status=status, error_type=error_type))
    assert type(error) is expected
