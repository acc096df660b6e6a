"""What only the exchange's owner may do, beside the faults: end a login, and say something to everybody."""

import json
from typing import Any, Final

from trading.exchange.rules import bad_input
from trading.exchange.server.fault_routes import check_owner
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Request, route

#: characters of a message to everybody
TEXT_LENGTH: Final = 500


def end_token(floor: Floor, request: Request) -> Any:
    """As when the user logs in to Kite's website: the access token is dead, and the app is not told."""
    check_owner(floor, request)
    floor.logins.access_token = ""
    floor.keep_logins()
    return {"access_token": ""}


def say(floor: Floor, request: Request) -> Any:
    """A text of type message on every ticker, as Kite tells of troubles."""
    check_owner(floor, request)
    try:
        text = json.loads(request.body)["text"]
    except (ValueError, RecursionError, KeyError, TypeError):
        text = None
    if not isinstance(text, str) or not 0 < len(text) <= TEXT_LENGTH:
        raise bad_input(f'The body must be JSON such as {{"text": "…"}}, of up to {TEXT_LENGTH} characters.')
    floor.tell(text)
    return {"text": text}


OWNER_ROUTES: Final = (
    route("DELETE", "/_exchange/token", end_token, None, is_open=True),
    route("POST", "/_exchange/messages", say, None, is_open=True),
)
