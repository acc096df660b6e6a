"""Kite's GTT routes: triggers that wait at the broker."""

from typing import Any, Final

from trading.exchange.gtt import DELETE_GTT, MODIFY_GTT, PLACE_GTT
from trading.exchange.server.floor import Floor
from trading.exchange.server.request import Request, route


def gtts(floor: Floor, request: Request) -> Any:
    return floor.settle().gtts.rows()


def gtt(floor: Floor, request: Request) -> Any:
    return floor.settle().gtts.row(request.parts["trigger_id"])


def place_gtt(floor: Floor, request: Request) -> Any:
    return {"trigger_id": int(floor.write(PLACE_GTT, "", request.form()))}


def modify_gtt(floor: Floor, request: Request) -> Any:
    return {"trigger_id": int(floor.write(MODIFY_GTT, request.parts["trigger_id"], request.form()))}


def delete_gtt(floor: Floor, request: Request) -> Any:
    return {"trigger_id": int(floor.write(DELETE_GTT, request.parts["trigger_id"], {}))}


GTT_ROUTES: Final = (
    route("GET", "/gtt/triggers", gtts),
    route("POST", "/gtt/triggers", place_gtt),
    route("GET", "/gtt/triggers/{trigger_id}", gtt),
    route("PUT", "/gtt/triggers/{trigger_id}", modify_gtt),
    route("DELETE", "/gtt/triggers/{trigger_id}", delete_gtt),
)
