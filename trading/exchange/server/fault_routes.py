"""The switches, `/_exchange/faults` and `/_exchange/rules`, and what a request that meets a fault is answered."""

import json
import time
from typing import Any, Final

from trading.exchange.accounts import CANCEL, SET_RULE
from trading.exchange.faults import MEANINGS, Fault, FaultKind
from trading.exchange.rules import VenueRefusal, bad_input, too_many_requests
from trading.exchange.server.floor import Floor
from trading.exchange.server.postbacks import check_address
from trading.exchange.server.request import Request, route

TIMED_OUT: Final = "Order request timed out. Please check the order book and confirm before placing again."
_PAGE: Final = (
    "<html><head><title>{0} {1}</title></head><body><center><h1>{0} {1}</h1></center></body></html>"
)
_REASONS: Final = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
_GATEWAY: Final = "Gateway timed out"
#: Kite's own words are not known (kite-facts 1: [?]); only the status and the type are to be relied on
_ADDRESS: Final = "The IP address of this request is not whitelisted for order placement."


def check_owner(floor: Floor, request: Request) -> None:
    """Whoever is on this machine, or has the exchange's own login. Raises VenueRefusal 403."""
    if not request.client.startswith("127.") and request.client != "::1":
        floor.logins.check_header(request.headers.get("authorization", ""), floor.now())


def show(floor: Floor, request: Request) -> Any:
    """What is set, in the shape it is set with."""
    check_owner(floor, request)
    meaning = floor.day.venue.rules.modified_quantity
    return floor.faults.rows(time.monotonic()) | {str(FaultKind.MODIFY_QUANTITY): meaning}


def turn_on(floor: Floor, request: Request) -> Any:
    """Set what the body names; the others stay as they are."""
    check_owner(floor, request)
    asked = _json_object(request, '{"drop_after": {"next": 1}}')
    meaning = floor.faults.set(asked, time.monotonic())
    if meaning is not None:
        floor.write(SET_RULE, "", {"modified_quantity": meaning})
    return show(floor, request)


def set_rules(floor: Floor, request: Request) -> Any:
    """Rules of the venue set anew while the day runs; answers them. They hold until the day ends."""
    check_owner(floor, request)
    fields = _json_object(request, '{"mis_until": {"NSE": "14:30"}}')
    floor.write(SET_RULE, "", fields)
    return {name: getattr(floor.day.venue.rules, name) for name in fields}


def cancel(floor: Floor, request: Request) -> Any:
    """An order cancelled by the broker's own desk: its owner hears of it like of any other change."""
    check_owner(floor, request)
    order_id = _json_object(request, '{"order_id": "260102000000001"}').get("order_id")
    if not isinstance(order_id, str):
        raise bad_input("Invalid `order_id`. Give the id of a working order as a text.")
    return {"order_id": floor.write(CANCEL, order_id, {})}


def open_account(floor: Floor, request: Request) -> Any:
    """A further account: its own login, books and rate limits, beside the first on the same market. Its app may
    register addresses: `redirect` for the login page, `postback` for order updates.
    """
    check_owner(floor, request)
    fields = dict(_json_object(request, '{"user_id": "AB1234", "capital_inr": 2500000}'))
    redirect, postback = (str(fields.pop(name, "")) for name in ("redirect", "postback"))
    try:
        postback_url = check_address(postback) if postback else ""
    except ValueError as error:
        raise bad_input(f"Invalid `postback`: {error}.") from None
    logins = floor.open_account(fields, redirect_url=redirect, postback_url=postback_url)
    words = ("user_id", "api_key", "api_secret", "access_token")
    return {word: getattr(logins, word) for word in words}


def _json_object(request: Request, example: str) -> dict[str, Any]:
    try:
        asked = json.loads(request.body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise bad_input(f"The body must be a JSON object such as {example}.")
    return asked


def clear(floor: Floor, request: Request) -> Any:
    check_owner(floor, request)
    floor.faults.clear()
    if floor.day.venue.rules.modified_quantity != MEANINGS[0]:
        floor.write(SET_RULE, "", {"modified_quantity": MEANINGS[0]})
    return show(floor, request)


def refusal_of(fault: Fault) -> VenueRefusal | None:
    """What a fault answers in JSON, where it does."""
    if fault.kind is FaultKind.TOO_MANY:
        return too_many_requests()
    if fault.kind is FaultKind.WRONG_ADDRESS:
        return VenueRefusal(403, "PermissionException", _ADDRESS)
    if fault.kind is FaultKind.STATUS:
        return VenueRefusal(int(fault.measure), "NetworkException", _reason(fault))
    if fault.kind is FaultKind.ARRIVE_LATE:
        return VenueRefusal(504, "NetworkException", _GATEWAY)
    if fault.kind is FaultKind.ZOMBIE:
        return VenueRefusal(400, "OrderException", TIMED_OUT)
    return None


def page_of(fault: Fault) -> bytes:
    """The page of a proxy that stands before the exchange."""
    return _PAGE.format(int(fault.measure), _reason(fault)).encode()


def _reason(fault: Fault) -> str:
    return _REASONS.get(int(fault.measure), _GATEWAY if fault.measure == 504 else "Error")


FAULTS_PATH: Final = "/_exchange/faults"
FAULT_ROUTES: Final = (
    route("GET", FAULTS_PATH, show, None, is_open=True),
    route("POST", FAULTS_PATH, turn_on, None, is_open=True),
    route("DELETE", FAULTS_PATH, clear, None, is_open=True),
    route("POST", "/_exchange/rules", set_rules, None, is_open=True),
    route("POST", "/_exchange/accounts", open_account, None, is_open=True),
    route("POST", "/_exchange/cancel", cancel, None, is_open=True),
)
