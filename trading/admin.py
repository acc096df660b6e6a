"""Console pages of trading, linked both ways.

Signal → decision → order → events, commands, fills → trade → OCO groups.
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from aitrapp_site.console import (
    ACCOUNT_ACTIONS,
    ConsoleAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    lines,
    link,
    links,
    list_link,
)
from aitrapp_site.lists import among
from trading import keys
from trading.core.enums import Exchange, OrderStatus
from trading.models import (
    Account,
    ApiKey,
    Command,
    Decision,
    Fill,
    Instrument,
    KiteLogin,
    Lease,
    MarketDay,
    Order,
    OrderEvent,
    Signal,
    StrategySetting,
    Trade,
    UniverseRow,
    VenueSession,
)


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    def clean_paper_capital_inr(self) -> Decimal:
        capital_inr: Decimal = self.cleaned_data["paper_capital_inr"]
        if capital_inr <= 0:
            raise forms.ValidationError(
                "Paper capital must be more than nothing: write 2500000 for ₹25,00,000.00."
            )
        return capital_inr


@admin.register(Account)
class AccountAdmin(ConsoleAdmin):
    """The mode is shown and never typed: PAPER to LIVE goes through the gate alone."""

    form = AccountForm
    editable = ("name", "paper_capital_inr", "asks_first")
    list_display = (
        "name", "broker_user", "mode", "product", "paper_capital_inr", "live_since", "asks_first",
    )  # fmt: skip
    list_filter = ("mode",)
    search_fields = ("name", "broker_user")
    actions = ACCOUNT_ACTIONS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.operate")

    def has_live_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.live")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """A key is made on the command line, which can show it once; here it can be ended."""

    fields = ("name", "scopes", "created_at", "revoked_at")
    list_display = ("name", "scopes", "created_at", "revoked_at")
    search_fields = ("name",)
    actions = ("revoke",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.operate")

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        ended = keys.revoke(rows.values_list("name", flat=True), now=timezone.now())
        self.message_user(request, f"{ended} keys work no longer.")


@admin.register(StrategySetting)
class StrategySettingAdmin(ConsoleAdmin):
    editable = ("enabled",)
    list_display = ("strategy", "account", "enabled", "off_on", "off_session", "off_why")
    list_filter = ("enabled", "strategy", "account")
    list_select_related = ("account", "off_session")
    search_fields = ("strategy",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class UniverseForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    def clean_name(self) -> str:
        return str(self.cleaned_data["name"]).strip().upper()

    def clean(self) -> dict[str, object] | None:
        if self.cleaned_data.get("why") and not self.cleaned_data.get("exclusion"):
            raise forms.ValidationError("A reason needs an exclusion: choose which, or leave the reason out.")
        return super().clean()


@admin.register(UniverseRow)
class UniverseRowAdmin(ConsoleAdmin):
    """What is watched and what of it is entered. An exclusion counts at once, a new name from the next start."""

    form = UniverseForm
    editable = ("account", "name", "is_watched", "exclusion", "why")
    list_display = ("name", "account", "is_watched", "exclusion", "why", "changed_by", "changed_at")
    list_filter = ("is_watched", "exclusion", "account")
    list_select_related = ("account",)
    search_fields = ("name", "why")

    def save_model(self, request: HttpRequest, obj: UniverseRow, form: Any, change: bool) -> None:
        obj.changed_by = request.user.get_username()[:60]
        super().save_model(request, obj, form, change)


@admin.register(MarketDay)
class MarketDayAdmin(ConsoleAdmin):
    """The calendar. What is wrong here is corrected, not deleted: an ordinary weekday is a special session."""

    editable = ("day", "name", "is_holiday", "opens", "closes", "is_provisional")
    list_display = ("day", "name", "is_holiday", "opens", "closes", "is_provisional")
    list_filter = ("is_holiday", "is_provisional")
    date_hierarchy = "day"
    search_fields = ("name",)


def strategies() -> list[str]:
    """The names of strategies; the tables that carry them are long."""
    names = StrategySetting.objects.order_by("strategy").values_list("strategy", flat=True)
    return list(names.distinct())


BY_STRATEGY = among("strategy", "strategy", strategies)
#: rows that belong to an order are found by it: a search in two tables at once would read both
BY_ORDER = (
    "order__tradingsymbol__startswith", "order__client_order_id__startswith", "order__tag__startswith",
    "order__broker_order_id__startswith",
)  # fmt: skip
BY_ORDER_HELP = "How the order's symbol, tag or one of its ids begins"
PURPOSES = ("place", "trail", "resize", "close", "cancel")


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    list_display = (
        "seen_at", "strategy", "side", "tradingsymbol", "entry_price", "stop_price", "target_price",
        "score", "answer", "reason",
    )  # fmt: skip
    list_filter = ("trading_date", BY_STRATEGY, "side", "decision__approved", "account")
    list_select_related = ("decision",)
    ordering = ("-trading_date", "-id")
    date_hierarchy = "trading_date"
    search_fields = ("tradingsymbol__startswith", "plan_id__startswith")
    search_help_text = "How the symbol or the plan's id begins"
    related = ("answer", "approvals")

    @admin.display(description="approval")
    def approvals(self, signal: Signal) -> str:
        return link(getattr(signal, "approval", None))

    @admin.display(description="decision")
    def answer(self, signal: Signal) -> str:
        return link(getattr(signal, "decision", None))


def reason_texts(decision: Decision) -> list[str]:
    """Why a signal was refused, a sentence each."""
    return [str(reason.get("text") or reason.get("reason")) for reason in decision.reasons]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = (
        "decided_at", "approved", "signal", "quantity", "why", "risk_inr", "reward_inr", "costs_inr",
        "mode", "orders",
    )  # fmt: skip
    list_filter = ("approved", "mode", among("signal__strategy", "strategy", strategies))
    list_select_related = ("signal",)
    prefetch = ("order_set", "trade_set")
    date_hierarchy = "decided_at"
    search_fields = ("signal__tradingsymbol__startswith", "signal__plan_id__startswith")
    search_help_text = "How the symbol or the plan's id begins"
    related = ("why", "limits", "orders", "trades")

    @admin.display(description="why refused")
    def why(self, decision: Decision) -> str:
        return lines(reason_texts(decision))

    @admin.display(description="limits in force")
    def limits(self, decision: Decision) -> str:
        version = decision.limits_version
        account = decision.signal.account_id
        return list_link("risk.risklimits", f"limits v{version}", version=version, account__id__exact=account)

    @admin.display(description="orders")
    def orders(self, decision: Decision) -> str:
        return links(decision.order_set.all())

    @admin.display(description="trades")
    def trades(self, decision: Decision) -> str:
        return links(decision.trade_set.all())


class OrderEventInline(ReadOnlyInline):
    model = OrderEvent
    fields = ("at", "from_status", "to_status", "filled_quantity", "who", "why", "cause")


class CommandInline(ReadOnlyInline):
    model = Command
    fields = (
        "number", "kind", "purpose", "intent_at", "outcome", "outcome_machine_at", "latency_ms", "confirmed_at",
        "reason", "fence",
    )  # fmt: skip


class FillInline(ReadOnlyInline):
    model = Fill
    fields = ("filled_at", "order", "trade", "side", "quantity", "price", "broker_trade_id", "applied_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fill]:
        fills: QuerySet[Fill] = super().get_queryset(request)
        return fills.select_related("order", "trade")


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = (
        "asked_at", "role", "side", "tradingsymbol", "quantity", "filled_quantity", "price",
        "trigger_price", "average_price", "status", "comes_from", "broker_order_id",
    )  # fmt: skip
    list_filter = ("trading_date", "status", "role", "mode", "side", "account")
    list_select_related = ("decision", "entry")
    ordering = ("-trading_date", "-id")
    date_hierarchy = "trading_date"
    search_fields = (
        "tradingsymbol__startswith", "client_order_id__startswith", "tag__startswith",
        "broker_order_id__startswith", "exchange_order_id__startswith",
    )  # fmt: skip
    search_help_text = "How the symbol, the tag or one of the order's ids begins"
    related = ("exits", "trades", "groups")
    inlines = (OrderEventInline, CommandInline, FillInline)

    @admin.display(description="comes from")
    def comes_from(self, order: Order) -> str:
        return link(order.entry, "its entry") if order.entry else link(order.decision, "its decision")

    @admin.display(description="exits of this entry")
    def exits(self, order: Order) -> str:
        return links(order.exits.all())

    @admin.display(description="trades")
    def trades(self, order: Order) -> str:
        return links(Trade.objects.filter(fills__order=order).distinct())

    @admin.display(description="OCO groups")
    def groups(self, order: Order) -> str:
        groups = (order.entry or order).oco_groups.select_related("trade")
        return links(group for group in groups if order.group_number in {None, group.number})


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "order", "from_status", "to_status", "filled_quantity", "who", "why")
    list_filter = (among("to_status", "to status", lambda: list(OrderStatus)),)
    list_select_related = ("order",)
    ordering = ("-at", "-id")
    date_hierarchy = "at"
    search_fields = BY_ORDER
    search_help_text = BY_ORDER_HELP


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("intent_at", "order", "number", "kind", "purpose", "outcome", "latency_ms", "reason")
    list_filter = ("outcome", "kind", among("purpose", "purpose", lambda: PURPOSES))
    list_select_related = ("order",)
    ordering = ("-intent_at", "-id")
    date_hierarchy = "intent_at"
    search_fields = BY_ORDER
    search_help_text = BY_ORDER_HELP


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    """Gross, charges and net are always shown apart."""

    change_form_outer_before_template = "admin/trade_chart.html"
    list_display = (
        "opened_at", "side", "tradingsymbol", "strategy", "entered_quantity", "exited_quantity",
        "gross_inr", "charges_inr", "net_inr", "closed_at", "decision", "groups",
    )  # fmt: skip
    list_filter = ("trading_date", BY_STRATEGY, "side", ("closed_at", admin.EmptyFieldListFilter), "account")
    list_select_related = ("decision",)
    prefetch = ("groups",)
    ordering = ("-trading_date", "-id")
    date_hierarchy = "trading_date"
    search_fields = ("tradingsymbol__startswith",)
    search_help_text = "How the symbol begins"
    related = ("orders", "groups")
    inlines = (FillInline,)

    @admin.display(description="orders")
    def orders(self, trade: Trade) -> str:
        # A stop that rests has no fill yet: it is found by its entry.
        mine = Q(fills__trade=trade) | Q(entry__fills__trade=trade)
        return links(Order.objects.filter(mine).distinct().order_by("asked_at", "id"))

    @admin.display(description="OCO groups")
    def groups(self, trade: Trade) -> str:
        return lines(link(group, f"group {group.number} {group.state}") for group in trade.groups.all())


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    list_display = ("filled_at", "side", "quantity", "price", "order", "trade", "broker_trade_id")
    list_filter = ("trading_date", "side", among("exchange", "exchange", lambda: list(Exchange)), "account")
    list_select_related = ("order", "trade")
    ordering = ("-trading_date", "-id")
    date_hierarchy = "trading_date"
    search_fields = BY_ORDER
    search_help_text = BY_ORDER_HELP


@admin.register(VenueSession)
class VenueSessionAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "shown_key", "account", "market", "description", "signals", "orders")
    list_filter = ("market", "account")
    list_select_related = ("account",)
    ordering = ("-started_at", "-id")
    date_hierarchy = "started_at"
    search_fields = ("^key", "description")
    related = ("signals", "orders", "trades")

    @admin.display(description="key", ordering="key")
    def shown_key(self, session: VenueSession) -> str:
        return str(session)

    @admin.display(description="signals")
    def signals(self, session: VenueSession) -> str:
        return list_link("trading.signal", "signals", session__id__exact=session.pk)

    @admin.display(description="orders")
    def orders(self, session: VenueSession) -> str:
        return list_link("trading.order", "orders", session__id__exact=session.pk)

    @admin.display(description="trades")
    def trades(self, session: VenueSession) -> str:
        return list_link("trading.trade", "trades", session__id__exact=session.pk)


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    list_display = (
        "tradingsymbol", "exchange", "name", "instrument_type", "lot_size", "tick_size_paise", "expiry",
        "strike", "has_derivatives", "read_on",
    )  # fmt: skip
    list_filter = ("exchange", "instrument_type", "has_derivatives", "expiry")
    ordering = ("exchange", "tradingsymbol")
    search_fields = ("^tradingsymbol", "^name", "=instrument_token")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("account", "loop", "holder", "fence", "expires_at", "pass_at")
    list_display_links = ("loop",)
    list_select_related = ("account",)
    search_fields = ("holder",)


@admin.register(KiteLogin)
class KiteLoginAdmin(ReadOnlyAdmin):
    list_display = ("broker_user", "place", "logged_in_at", "dies_at", "ended_at", "ended_why", "asked_by")
    list_filter = ("place",)
    search_fields = ("broker_user", "asked_by")
    date_hierarchy = "logged_in_at"
    fields = (
        "account", "place", "broker_user", "logged_in_at", "dies_at", "asked_by", "stored_at", "ended_at", "ended_why",
    )  # fmt: skip
