"""What the account has done and has: orders, trades, positions, holdings; and what an order would cost."""

from typing import Any, Final

from trading.exchange import answers
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Request, route

HOLDINGS_FIGURES: Final = (
    "total_pnl",
    "total_pnl_percent",
    "today_pnl",
    "today_pnl_percent",
    "invested_amount",
    "current_value",
)


def orders(floor: Floor, request: Request) -> Any:
    venue = floor.settle().venue
    return venue.order_rows_as_of(floor.moment_ago(request.lag_s)) if request.lag_s else venue.order_rows()


def order_history(floor: Floor, request: Request) -> Any:
    venue, order_id = floor.settle().venue, request.parts["order_id"]
    if request.lag_s:
        return venue.order_history_as_of(order_id, floor.moment_ago(request.lag_s))
    return venue.order_history_rows(order_id)


def trades(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.trade_rows(request.parts.get("order_id"))


def positions(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.position_rows()


def holdings(floor: Floor, request: Request) -> Any:
    """Nothing is carried overnight here."""
    return []


def holdings_summary(floor: Floor, request: Request) -> Any:
    """Of no holdings: every figure 0."""
    return dict.fromkeys(HOLDINGS_FIGURES, 0)


def order_margins(floor: Floor, request: Request) -> Any:
    return floor.settle().venue.order_margin_rows(request.json_rows(), floor.now())


def basket_margins(floor: Floor, request: Request) -> Any:
    is_compact = request.first("mode") == "compact"
    return answers.basket_row(order_margins(floor, request), is_compact=is_compact)


def contract_note(floor: Floor, request: Request) -> Any:
    return answers.contract_note_rows(request.json_rows(), floor.day.source.trading_date)


BOOK_ROUTES: Final = (
    route("GET", "/orders", orders),
    route("GET", "/trades", trades),
    route("GET", "/orders/{order_id}", order_history),
    route("GET", "/orders/{order_id}/trades", trades),
    route("GET", "/portfolio/positions", positions),
    route("GET", "/portfolio/holdings", holdings),
    route("GET", "/portfolio/holdings/compact", holdings),
    route("GET", "/portfolio/holdings/auctions", holdings),
    route("GET", "/portfolio/holdings/summary", holdings_summary),
    route("POST", "/margins/orders", order_margins),
    route("POST", "/margins/basket", basket_margins),
    route("POST", "/charges/orders", contract_note),
)
