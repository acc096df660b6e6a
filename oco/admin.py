"""Console pages of the exits: protected quantities and their legs, flatten runs, the day's table."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from aitrapp_site import levers
from aitrapp_site.console import (
    NOTHING,
    AccountPage,
    ReadOnlyAdmin,
    ReadOnlyInline,
    account_action,
    lines,
    links,
)
from oco.models import DayStep, Flatten, OcoGroup, OcoLeg, StopMove
from trading.models import Account


class OcoLegInline(ReadOnlyInline):
    model = OcoLeg
    fields = ("kind", "state", "price", "client_order_id")


@admin.register(OcoGroup)
class OcoGroupAdmin(ReadOnlyAdmin):
    list_display = (
        "first_filled_at", "number", "trade", "state", "entered_quantity", "exited_quantity", "stop_price",
        "target_price", "entry_order", "exits", "exit_reason", "unprotected_since", "problem",
    )  # fmt: skip
    list_filter = ("state", "exit_reason", "trade__trading_date", "account")
    list_select_related = ("trade", "entry_order")
    prefetch = ("entry_order__exits",)
    date_hierarchy = "first_filled_at"
    search_fields = (
        "entry_order__tradingsymbol__startswith",
        "entry_order__client_order_id__startswith",
        "entry_order__broker_order_id__startswith",
    )
    related = ("exits",)
    inlines = (OcoLegInline,)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        return [*shown, "act"] if request.user.has_perm("trading.operate") else shown

    @admin.display(description="")
    def act(self, group: OcoGroup) -> str:
        if group.closed_at is not None:
            return NOTHING
        page = reverse("position", args=[group.trade_id])
        return format_html('<a href="{}" class="text-link">close or move the stop</a>', page)

    @admin.display(description="exit orders")
    def exits(self, group: OcoGroup) -> str:
        return links(order for order in group.entry_order.exits.all() if order.group_number == group.number)


@admin.register(Flatten)
class FlattenAdmin(ReadOnlyAdmin):
    list_display = (
        "asked_at", "reason", "asked_by", "scope", "state", "positions_at_start", "took_ms", "latches",
        "account", "session",
    )  # fmt: skip
    list_filter = ("state", "reason", "account")
    list_select_related = ("account", "session")
    date_hierarchy = "asked_at"
    search_fields = ("asked_by",)

    @admin.display(description="scope")
    def scope(self, run: Flatten) -> str:
        return lines(run.tradingsymbols) if run.tradingsymbols else "everything of ours"


@admin.register(StopMove)
class StopMoveAdmin(ReadOnlyAdmin):
    """Stops that an operator asked to have moved, and what became of each."""

    list_display = ("asked_at", "group", "from_price", "price", "state", "why", "asked_by", "took_ms")
    list_filter = ("state", "account")
    list_select_related = ("group__trade",)
    date_hierarchy = "asked_at"
    search_fields = ("^group__trade__tradingsymbol", "asked_by")


@admin.register(DayStep)
class DayStepAdmin(ReadOnlyAdmin):
    list_display = ("due_at", "name", "done_at", "trading_date", "account", "session")
    list_filter = ("trading_date", "name", "account")
    list_select_related = ("account", "session")
    ordering = ("-due_at", "-id")
    date_hierarchy = "trading_date"
    search_fields = ("^name",)


@account_action("Flatten: close every position of ours", permission="operate")
def flatten(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account]) -> None:
    for account in accounts:
        try:
            run = levers.flatten(account, by=request.user.get_username())
        except levers.NothingToFlatten as error:
            page.message_user(request, str(error), messages.WARNING)
            continue
        if run.finished_at is None:
            page.message_user(request, f"{account}: flatten goes on ({run.state}).", messages.WARNING)
        else:
            page.message_user(request, f"{account}: {run.state} after {run.took_ms} ms.", messages.SUCCESS)
