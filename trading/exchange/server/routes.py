"""Kite's HTTP routes over the floor: each a function of floor and request that answers the `data` of Kite's
body, or raises VenueRefusal.
"""

from typing import Any, Final

from trading.exchange.rules import VenueRefusal
from trading.exchange.server.absent_routes import ABSENT_ROUTES
from trading.exchange.server.book_routes import BOOK_ROUTES
from trading.exchange.server.fault_routes import FAULT_ROUTES
from trading.exchange.server.floor import Floor
from trading.exchange.server.gtt_routes import GTT_ROUTES
from trading.exchange.server.market_routes import MARKET_ROUTES
from trading.exchange.server.order_routes import ORDER_ROUTES
from trading.exchange.server.owner_routes import OWNER_ROUTES
from trading.exchange.server.request import Request, Route, route
from trading.exchange.server.session_routes import SESSION_ROUTES


def state(floor: Floor, request: Request) -> Any:
    return floor.state()


STATE_PATH: Final = "/_exchange/state"
ROUTES: Final = (
    route("GET", STATE_PATH, state, None, is_open=True),
    *ORDER_ROUTES,
    *FAULT_ROUTES,
    *OWNER_ROUTES,
    *SESSION_ROUTES,
    *MARKET_ROUTES,
    *BOOK_ROUTES,
    *GTT_ROUTES,
    *ABSENT_ROUTES,
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the named parts of its path. Raises VenueRefusal 404 or 405."""
    others = []
    for known in ROUTES:
        match = known.pattern.fullmatch(path)
        if match and known.method == method:
            return known, match.groupdict()
        if match:
            others.append(known.method)
    if others:
        taken = ", ".join(sorted(set(others)))
        raise VenueRefusal(405, "GeneralException", f"{method} is not served at {path}; {taken} is.")
    raise VenueRefusal(
        404, "GeneralException", f"Route not found: the paper exchange does not serve {method} {path}."
    )
