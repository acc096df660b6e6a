"""What changes the books: orders placed, modified and cancelled, positions converted."""

import json
from typing import Any, Final

from trading.exchange.accounts import CANCEL, CONVERT, MODIFY, PLACE
from trading.exchange.intake import VARIETIES, is_asked
from trading.exchange.rules import bad_input
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Request, route


def place(floor: Floor, request: Request) -> Any:
    fields = request.form() | {"variety": _variety(request)}
    answer = floor.write(PLACE, "", fields)
    return json.loads(answer) if is_asked(fields, "autoslice") else {"order_id": answer}


def modify(floor: Floor, request: Request) -> Any:
    fields = request.form() | {"variety": _variety(request)}
    return {"order_id": floor.write(MODIFY, request.parts["order_id"], fields)}


def cancel(floor: Floor, request: Request) -> Any:
    return {"order_id": floor.write(CANCEL, request.parts["order_id"], {"variety": _variety(request)})}


def convert(floor: Floor, request: Request) -> Any:
    floor.write(CONVERT, "", request.form())
    return True


def _variety(request: Request) -> str:
    variety = request.parts["variety"]
    if variety not in VARIETIES:
        raise bad_input(f"Invalid `variety`. Should be one of {', '.join(VARIETIES)}.")
    return variety


#: orders are counted by the venue itself, on market time
ORDER_ROUTES: Final = (
    route("POST", "/orders/{variety}", place, None),
    route("PUT", "/orders/{variety}/{order_id}", modify, None),
    route("DELETE", "/orders/{variety}/{order_id}", cancel, None),
    route("PUT", "/portfolio/positions", convert),
)
