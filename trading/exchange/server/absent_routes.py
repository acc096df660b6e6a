"""What Kite has beside intraday trading and this exchange has not: reading finds nothing, writing is refused."""

from typing import Any, Final

from trading.exchange.rules import bad_input
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Csv, Request, Route, route

FUND_COLUMNS: Final = (
    "tradingsymbol,amc,name,purchase_allowed,redemption_allowed,minimum_purchase_amount,"
    "purchase_amount_multiplier,minimum_additional_purchase_amount,minimum_redemption_quantity,"
    "redemption_quantity_multiplier,dividend_type,scheme_type,plan,settlement_type,last_price,last_price_date"
)


def nothing(floor: Floor, request: Request) -> Any:
    return []


def no_funds(floor: Floor, request: Request) -> Any:
    return Csv(FUND_COLUMNS + "\n")


def not_served(floor: Floor, request: Request) -> Any:
    raise bad_input(REASONS[request.parts["subject"]])


REASONS: Final = {
    "mf": "Mutual funds are not served by the paper exchange.",
    "alerts": "Alerts are not served by the paper exchange. Use a GTT, or orders.",
    "authorise": "The paper exchange holds nothing overnight: there are no holdings to authorise.",
}


def _refused(path: str, *methods: str) -> tuple[Route, ...]:
    return tuple(route(method, path, not_served) for method in methods)


ABSENT_ROUTES: Final = (
    route("GET", "/mf/instruments", no_funds),
    route("GET", "/mf/(?:orders|sips|holdings|allotments)", nothing),
    route("GET", "/alerts", nothing),
    *_refused("/{subject:mf}/.*", "GET", "POST", "PUT", "DELETE"),
    *_refused("/{subject:alerts}", "POST", "DELETE"),
    *_refused("/{subject:alerts}/.*", "GET", "PUT"),
    *_refused("/portfolio/holdings/{subject:authorise}", "POST"),
)
