"""The operator's console: what every admin page has in common, the sidebar, and who may sign in.

Rows written by the machine can be read here and nothing else: if a page could edit `Order.status`, the state
table would be fiction. Times are shown in IST to the millisecond, rupees with Indian grouping.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from aitrapp_site.lists import LongList
from risk import audit
from risk.models import EntriesOff
from trading.core.enums import AuditAction, Mode
from trading.core.money import format_inr
from trading.core.session import IST
from trading.models import Account, MoneyField, PriceField

NOTHING = "–"
#: a text column of so many characters holds sentences
SENTENCE = 200
#: Endings of field names, as a heading says them.
UNITS = {"_inr": "₹", "_pct": "%", "_paise": "paise", "_ms": "ms", "_s": "s", "_min": "min"}

#: Sidebar: heading → (model, icon).
SIDEBAR: dict[str, tuple[tuple[str, str], ...]] = {
    "The day": (
        ("trading.signal", "sensors"),
        ("trading.approval", "thumbs_up_down"),
        ("trading.decision", "rule"),
        ("trading.order", "receipt_long"),
        ("trading.trade", "swap_horiz"),
        ("oco.ocogroup", "shield"),
    ),
    "Control": (
        ("trading.account", "account_balance"),
        ("risk.entriesoff", "pause_circle"),
        ("risk.lock", "lock_clock"),
        ("risk.blackout", "event"),
        ("risk.risklimits", "speed"),
        ("trading.strategysetting", "toggle_on"),
        ("trading.universerow", "playlist_add_check"),
        ("trading.marketday", "event_busy"),
        ("oco.flatten", "emergency_home"),
        ("oco.stopmove", "vertical_align_center"),
    ),
    "Evidence": (
        ("risk.burninday", "verified"),
        ("risk.ruletally", "fact_check"),
        ("risk.auditentry", "policy"),
        ("trading.fill", "done_all"),
        ("trading.command", "send"),
        ("trading.orderevent", "history"),
        ("oco.daystep", "schedule"),
    ),
    "Machine": (
        ("trading.kitelogin", "login"),
        ("trading.lease", "key"),
        ("trading.venuesession", "storefront"),
        ("trading.instrument", "list_alt"),
    ),
    "People": (
        ("auth.user", "person"),
        ("auth.group", "group"),
        ("trading.apikey", "vpn_key"),
    ),
    "Broker": (),
}
#: Pages that are no lists, after the lists of their heading: (title, icon, URL's name, permission).
PAGES = {
    "The day": (
        ("Results", "show_chart", "results", "trading.view_trade"),
        ("Three-way truth", "balance", "truth", "trading.view_order"),
    ),
    "Broker": (("Kite connection", "login", "kite", "trading.view_kitelogin"),),
}


if TYPE_CHECKING:
    AccountPage = admin.ModelAdmin[Account]
else:
    # Generic only in the stubs.
    AccountPage = admin.ModelAdmin

#: What can be done with the accounts ticked in their list. The apps above trading add theirs.
ACCOUNT_ACTIONS: list[Callable[..., None]] = []


def account_action(
    description: str, *, permission: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of (model admin, request, accounts) an action of the list of accounts."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        ACCOUNT_ACTIONS.append(admin.action(description=description, permissions=[permission])(function))
        return function

    return register


def format_ist(moment: datetime) -> str:
    """`2026-11-23 10:31:05.123`, in IST."""
    return moment.astimezone(IST).isoformat(sep=" ", timespec="milliseconds")[:-6]


def link(row: models.Model | None, text: str | None = None) -> SafeString | str:
    """A link to a row's page, named after the row unless `text` is given."""
    if row is None:
        return NOTHING
    page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="text-link">{}</a>', page, text or row)


def list_link(label: str, text: str, **lookups: object) -> SafeString:
    """A link to the list of a model (`app.model`) narrowed down by `lookups`."""
    page = reverse("admin:{}_{}_changelist".format(*label.split(".")), query=lookups)
    return format_html('<a href="{}" class="text-link">{}</a>', page, text)


def links(rows: Iterable[models.Model]) -> SafeString | str:
    """Links to some rows, one a line."""
    return lines(link(row) for row in rows)


def press(page: str, word: str, *where: object) -> SafeString:
    """A button in a list that does one thing to its row: the list's own form posts it, with its CSRF token."""
    address = reverse(page, args=where)
    look = "border border-base-200 cursor-pointer px-2 rounded-default dark:border-base-700"
    return format_html('<button type="submit" formaction="{}" class="{}">{}</button>', address, look, word)


def lines(texts: Iterable[str]) -> SafeString | str:
    """Some texts, one a line; a dash where there are none."""
    return format_html_join(mark_safe("<br>"), "{}", ((text,) for text in texts)) or NOTHING


def format_json(value: Any) -> SafeString | str:
    """JSON as a person reads it; a dash for an empty list or object."""
    if value in ({}, []):
        return NOTHING
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)


def heading(field: "models.Field[Any, Any]") -> str:
    """A field's name for a person: `heat_pct` is "heat (%)", `asked_at` is "asked at (IST)"."""
    name = str(field.verbose_name)
    if isinstance(field, models.DateTimeField):
        return f"{name} (IST)"
    for ending, unit in UNITS.items():
        if field.name.endswith(ending) and not field.name.endswith(f"_per{ending}"):
            return f"{name[: -len(ending)]} ({unit})"
    return name


def shown_as(field: "models.Field[Any, Any]") -> Callable[[Any], str] | None:
    """How values of a field are written on a page; None leaves it to Django."""
    if isinstance(field, models.ForeignKey):
        return link
    if isinstance(field, models.DateTimeField):
        return format_ist
    if isinstance(field, models.DateField):
        return date.isoformat
    if isinstance(field, MoneyField | PriceField) or field.name.endswith(("_inr", "_price")):
        return lambda amount: format_inr(Decimal(amount))
    if isinstance(field, models.FloatField):
        return lambda number: f"{number:.2f}"
    if isinstance(field, models.JSONField):
        return format_json
    if field.name.endswith(tuple(UNITS)):
        return str
    if (getattr(field, "max_length", None) or 0) >= SENTENCE:
        # A table would squeeze it to a word a line.
        return lambda text: format_html('<span style="display:block;min-width:18rem">{}</span>', text)
    return None


@cache
def column(model: type[models.Model], name: str) -> str | Callable[[Any], str]:
    """A column or read-only line of a field: links, IST times, rupees. Other names come back as they are."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if not isinstance(field, models.Field) or (write := shown_as(field)) is None:
        return name

    def text(row: Any) -> str:
        value = getattr(row, name)
        return NOTHING if value is None else write(value)

    text.__name__ = name
    return admin.display(description=heading(field), ordering=name)(text)


class Dressed:
    """Lists and pages whose values are written for an operator; only `editable` fields can be typed into."""

    model: type[models.Model]
    #: Fields an operator with the right to change may change.
    editable: Sequence[str] = ()
    #: Methods whose results stand on the page before the row's own fields.
    related: Sequence[str] = ()
    empty_value_display = NOTHING

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        own = getattr(self, "fields", None) or [
            field.name for field in self.model._meta.concrete_fields if not field.primary_key
        ]
        typed = self.typed(request, obj)
        return [name if name in typed else column(self.model, name) for name in (*self.related, *own)]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        typed = self.typed(request, obj)
        return [field for field in self.get_fields(request, obj) if field not in typed]

    def typed(self, request: HttpRequest, obj: models.Model | None) -> Sequence[str]:
        """What this user may type into on this page."""
        may = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)  # type: ignore[attr-defined]  # of the admin it is mixed into
        return self.editable if may else ()


class ConsoleAdmin(Dressed, LongList):
    """Base of every page of ours. Nothing is deleted in the console."""

    list_fullwidth = True
    #: Reverse relations that the list's columns read, fetched once for the whole page.
    prefetch: Sequence[str] = ()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [column(self.model, name) for name in super().get_list_display(request)]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related(*self.prefetch)

    def formfield_for_dbfield(
        self, db_field: "models.Field[Any, Any]", request: HttpRequest, **options: Any
    ) -> Any:
        options.setdefault("label", heading(db_field).capitalize())
        return super().formfield_for_dbfield(db_field, request, **options)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """A form comes back when what was typed is refused: the audit keeps what, and why."""
        form = context["adminform"].form
        if form.errors:
            self._refused(form, args[-1] if args else options.get("obj"))
        shown: HttpResponse = super().render_change_form(request, context, *args, **options)
        return shown

    def _refused(self, form: Any, row: models.Model | None) -> None:
        subject = str(self.model._meta.verbose_name)
        audit.refuse(
            AuditAction.CHANGED if row else AuditAction.ADDED,
            f"{subject} {row}" if row else subject,
            words="\n".join(text for texts in form.errors.values() for text in texts),
            after={name: form.data.get(name, "") for name in form.changed_data},
        )

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows written by the machine."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyInline(Dressed, TabularInline):  # type: ignore[misc]  # unfold ships no types
    """Rows written by the machine, on the page of the row they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]  # unfold ships no types
    """People are made inactive, not deleted: deleting one would delete what the console logged of them."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Sets of permissions, such as a viewer's."""

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


admin.site.index_title = "Console"
for plain, dressed in ((User, UserAdmin), (Group, GroupAdmin)):
    admin.site.unregister(plain)
    admin.site.register(plain, dressed)


def mode_badge(request: HttpRequest) -> list[str] | None:
    """The badge in the header, on every page: LIVE when any account trades with real money."""
    if not request.user.is_authenticated:
        return None
    live = Account.objects.filter(mode=Mode.LIVE).exists()
    return [Mode.LIVE.value, "danger"] if live else [Mode.PAPER.value, "success"]


def stylesheet(request: HttpRequest) -> str:
    """The address of what every page is dressed with beside unfold's own styles."""
    return static("trading/pages.css")


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, with the pages this user may see."""
    groups = []
    for heading, pages in SIDEBAR.items():
        items = [
            _item(label, icon)
            for label, icon in pages
            if request.user.has_perm("{}.view_{}".format(*label.split(".")))
        ]
        items += [
            {"title": title, "icon": icon, "link": reverse(name)}
            for title, icon, name, permission in PAGES.get(heading, ())
            if request.user.has_perm(permission)
        ]
        if items:
            groups.append({"title": heading, "separator": True, "items": items})
    if actions := _actions(request):
        groups.append({"title": "Actions", "separator": True, "items": actions})
    return groups


def _actions(request: HttpRequest) -> list[dict[str, Any]]:
    """Pages of what is done, not of rows."""
    found: list[dict[str, Any]] = []
    if request.user.has_perm("trading.view_account"):
        found.append({"title": "LIVE gate", "icon": "lock", "link": reverse("gate")})
    if request.user.has_perm("trading.operate"):
        found += [
            {"title": "Flatten", "icon": "emergency_home", "link": reverse("flatten")},
            {"title": "Resume", "icon": "play_circle", "link": reverse("resume")},
            {"title": "Fire drill", "icon": "local_fire_department", "link": reverse("drill")},
        ]
    return found


def _item(label: str, icon: str) -> dict[str, Any]:
    meta = apps.get_model(label)._meta
    item: dict[str, Any] = {
        "title": str(meta.verbose_name_plural).capitalize(),
        "icon": icon,
        "link": reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
    }
    if label == "risk.entriesoff" and (standing := EntriesOff.objects.filter(lifted_at=None).count()):
        item["badge"] = standing
    return item
