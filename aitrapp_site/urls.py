from typing import Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from aitrapp_site import action_pages, kite_page, results_page, trade_page, truth_page
from aitrapp_site.api import api

#: a candle on slate: what a browser's tab shows
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1e293b"/>'
    '<path d="M8 2v12" stroke="#4ade80" stroke-width="1.5"/><rect x="5.5" y="5" width="5" height="6" fill="#4ade80"/>'
    "</svg>"
)


def icon(request: HttpRequest) -> HttpResponse:
    """The site's icon, which every browser asks for at this address, logged in or not."""
    return HttpResponse(
        ICON, content_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"}
    )


urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/kite/", admin.site.admin_view(kite_page.page), name="kite"),
    *action_pages.URLS,
    path("admin/truth/", admin.site.admin_view(truth_page.page), name="truth"),
    path("admin/results/", admin.site.admin_view(results_page.page), name="results"),
    path("admin/charts/trade/<int:pk>", admin.site.admin_view(trade_page.chart), name="trade-chart"),
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="front-door"),
    path("", api.urls),
]
