"""The REST API: every app's routes in one place, and what its errors look like."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.renderers import JSONRenderer

from aitrapp_site.callers import Needs
from aitrapp_site.ist_json import IstEncoder
from aitrapp_site.levers import NothingToFlatten
from oco.api import router as oco_router
from reporting.api import router as reporting_router
from risk.api import router as risk_router
from trading.api import kite as kite_router
from trading.api import router as trading_router
from trading.core.enums import Scope
from trading.current import NoAccount


class IstRenderer(JSONRenderer):
    encoder_class = IstEncoder


api = NinjaAPI(
    title="AITRAPP",
    version="1",
    description="Rupees are text, times IST. Operators may POST; /openapi.json is this document.",
    auth=Needs(Scope.READ),
    renderer=IstRenderer(),
    urls_namespace="api",
)
for router in (reporting_router, trading_router, oco_router, risk_router):
    api.add_router("", router)
api.add_router("/kite", kite_router)


@api.exception_handler(NoAccount)
def no_account(request: HttpRequest, error: Exception) -> HttpResponse:
    return api.create_response(request, _detail(error), status=404)


@api.exception_handler(NothingToFlatten)
def nothing_to_flatten(request: HttpRequest, error: Exception) -> HttpResponse:
    return api.create_response(request, _detail(error), status=409)


def _detail(error: Exception) -> dict[str, Any]:
    return {"detail": str(error)}
