"""Console pages of risk: limits (a new version is added, none is changed), what keeps entries off, evidence, audit."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.db.models.fields.related import ForeignKey
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from aitrapp_site import consequences, levers
from aitrapp_site.console import (
    NOTHING,
    AccountPage,
    ConsoleAdmin,
    ReadOnlyAdmin,
    account_action,
    lines,
    press,
)
from risk import state
from risk.locks import CannotBeLifted
from risk.models import (
    LIMIT_NAMES,
    AuditEntry,
    Blackout,
    BurninDay,
    EntriesOff,
    Lock,
    RiskLimits,
    RuleTally,
)
from risk.protections import LIFTABLE
from trading.approvals import TooLate
from trading.core.enums import ApprovalAnswer, Mode, Protection
from trading.models import Account, Approval

#: of an audit entry: how much a list shows
LINES_SHOWN, VALUE_SHOWN = 12, 60


@admin.register(RiskLimits)
class RiskLimitsAdmin(ConsoleAdmin):
    """The add form starts from the numbers in force; saving it puts the next version in force."""

    editable = ("account", "why", *LIMIT_NAMES)
    list_display = (
        "version", "account", "in_force", "created_at", "created_by", "why", "risk_per_trade_pct", "heat_pct",
        "daily_loss_pct", "open_positions", "trades_per_day",
    )  # fmt: skip
    list_filter = ("account",)
    list_select_related = ("account",)
    date_hierarchy = "created_at"
    search_fields = ("why", "created_by")

    def has_change_permission(self, request: HttpRequest, obj: RiskLimits | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskLimits]:
        newer = RiskLimits.objects.filter(account=OuterRef("account"), version__gt=OuterRef("version"))
        versions: QuerySet[RiskLimits] = super().get_queryset(request)
        return versions.annotate(superseded=Exists(newer))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        return [*shown, "next_version"] if self.has_add_permission(request) else shown

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return list(self.editable) if obj is None else super().get_fields(request, obj)

    @admin.display(description="in force", boolean=True)
    def in_force(self, limits: Any) -> bool:
        return not limits.superseded

    @admin.display(description="")
    def next_version(self, limits: Any) -> str:
        if limits.superseded:
            return ""
        page = reverse("admin:risk_risklimits_add", query={"account": limits.account_id})
        return format_html('<a href="{}" class="text-link">new version</a>', page)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The newest numbers of the account; nothing while it is open which account is meant."""
        account = account_asked_for(request)
        if account is None:
            return dict.fromkeys(LIMIT_NAMES)
        newest = RiskLimits.objects.filter(account=account).order_by("-version").first() or RiskLimits()
        return {"account": account.pk} | {name: getattr(newest, name) for name in LIMIT_NAMES}

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **options: Any
    ) -> "forms.ModelChoiceField[Any]":
        # The numbers shown are one account's: they must not be saved as another's by a slip of the mouse.
        if account := account_asked_for(request):
            options["queryset"] = Account.objects.filter(pk=account.pk)
        field: forms.ModelChoiceField[Any] = super().formfield_for_foreignkey(db_field, request, **options)
        return field

    def save_model(self, request: HttpRequest, obj: RiskLimits, form: Any, change: bool) -> None:
        # Two operators saving at once get two versions; the request is one transaction, which keeps the lock.
        account = Account.objects.select_for_update().get(pk=obj.account_id)
        newest = RiskLimits.objects.filter(account=account).order_by("-version").first()
        obj.version = newest.version + 1 if newest else 1
        obj.created_by = str(request.user)[:60]
        super().save_model(request, obj, form, change)


def account_asked_for(request: HttpRequest) -> Account | None:
    """The account of `?account=`, or the only one there is."""
    key = request.GET.get("account", "")
    accounts = Account.objects.filter(pk=key) if key.isdecimal() else Account.objects.all()
    return accounts.first() if accounts.count() == 1 else None


@admin.register(EntriesOff)
class EntriesOffAdmin(ReadOnlyAdmin):
    """Reasons are set and lifted by actions and the program, each by its own role, never by editing a row."""

    list_display = ("set_at", "reason", "why", "set_by", "account", "lifted_at", "lifted_by")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter), "reason", "account")
    list_select_related = ("account",)
    date_hierarchy = "set_at"
    search_fields = ("why", "set_by", "lifted_by")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Entries that wait for a yes, or waited."""

    list_display = (
        "asked_at", "signal", "quantity", "limit_price", "risk_inr", "until", "answer", "answered_by",
    )  # fmt: skip
    list_filter = ("answer", "account")
    list_select_related = ("signal",)
    date_hierarchy = "asked_at"
    search_fields = ("^signal__tradingsymbol", "answered_by")
    actions = ("agree", "refuse")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        return [*shown, "now"] if self.has_operate_permission(request) else shown

    @admin.display(description="now")
    def now(self, approval: Approval) -> str:
        """One click, while somebody waits for it; past that the answer says that it is too late."""
        if approval.answer:
            return NOTHING
        return format_html_join(
            " ", "{}", ((press("answer-approval", word, approval.pk, word),) for word in ("yes", "no"))
        )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.operate")

    @admin.action(description="Yes: enter it", permissions=["operate"])
    def agree(self, request: HttpRequest, rows: QuerySet[Approval]) -> None:
        self._answer(request, rows, ApprovalAnswer.YES)

    @admin.action(description="No: leave it", permissions=["operate"])
    def refuse(self, request: HttpRequest, rows: QuerySet[Approval]) -> None:
        self._answer(request, rows, ApprovalAnswer.NO)

    def _answer(self, request: HttpRequest, rows: QuerySet[Approval], given: ApprovalAnswer) -> None:
        for approval in rows.select_related("signal", "account"):
            try:
                levers.answer_approval(approval, given, by=request.user.get_username())
            except TooLate as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{approval}: {given}.", messages.SUCCESS)


@admin.register(Lock)
class LockAdmin(ReadOnlyAdmin):
    """What protections did by themselves. A ticked one is let go of by the action; the rule counts on."""

    list_display = (
        "locked_at", "protection", "tradingsymbol", "why", "until", "account", "lifted_at", "lifted_by",
    )  # fmt: skip
    list_filter = (("lifted_at", admin.EmptyFieldListFilter), "protection", "account")
    list_select_related = ("account",)
    date_hierarchy = "locked_at"
    search_fields = ("why", "^tradingsymbol", "lifted_by")
    actions = ("lift",)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = super().get_list_display(request)
        return [*shown, "now"] if self.has_operate_permission(request) else shown

    @admin.display(description="now")
    def now(self, lock: Lock) -> str:
        """One click, where the lock is one that a person may lift."""
        is_open = lock.lifted_at is None and Protection(lock.protection) in LIFTABLE
        return press("lift-lock", "lift", lock.pk) if is_open else NOTHING

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.operate")

    @admin.action(description="Lift the lock", permissions=["operate"])
    def lift(self, request: HttpRequest, rows: QuerySet[Lock]) -> None:
        for lock in rows:
            try:
                levers.lift_lock(lock, by=request.user.get_username())
            except CannotBeLifted as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{lock} is lifted.", messages.SUCCESS)


@admin.register(Blackout)
class BlackoutAdmin(ConsoleAdmin):
    """Dated events during which nothing new is entered."""

    editable = ("event", "name", "starts_at", "ends_at")
    list_display = ("starts_at", "ends_at", "event", "name")
    date_hierarchy = "starts_at"
    search_fields = ("event", "^name")


@admin.register(RuleTally)
class RuleTallyAdmin(ReadOnlyAdmin):
    """How often each rule was asked, and what it said: one that nobody asks guards nothing."""

    list_display = ("trading_date", "rule", "passes", "refusals", "session")
    search_fields = ("rule",)
    list_filter = ("rule",)
    list_select_related = ("session",)
    date_hierarchy = "trading_date"


@admin.register(BurninDay)
class BurninDayAdmin(ReadOnlyAdmin):
    """Gross, charges and net are always shown apart."""

    list_display = (
        "trading_date", "account", "market", "passed", "failed_criteria", "trades", "gross_inr",
        "charges_inr", "net_inr", "session", "reported_at",
    )  # fmt: skip
    list_filter = ("passed", "market", "account")
    list_select_related = ("account", "session")
    date_hierarchy = "trading_date"
    search_fields = ("^evidence", "^digest")

    @admin.display(description="failed criteria")
    def failed_criteria(self, day: BurninDay) -> str:
        return lines(str(criterion["name"]) for criterion in day.criteria if not criterion["passed"])


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Newest first. Older ones than the list counts are found by date, name or subject, or exported."""

    list_display = ("at", "actor", "address", "action", "outcome", "subject", "what")
    list_filter = ("action", "outcome", "account")
    list_select_related = ("account",)
    date_hierarchy = "at"
    search_fields = ("actor__startswith", "subject__startswith")
    search_help_text = "How the actor or the subject begins, such as: account paper"

    @admin.display(description="what")
    def what(self, entry: AuditEntry) -> str:
        return lines([*changes_of(entry), *entry.words.splitlines()][:LINES_SHOWN])


def changes_of(entry: AuditEntry) -> list[str]:
    """`mode: PAPER → LIVE`, a line for each column; one that only came or went has one side."""
    before, after = entry.before or {}, entry.after or {}
    both = {name: (before.get(name), after.get(name)) for name in [*before, *after]}
    return [
        f"{name}: {_short(old)} → {_short(new)}" if name in before else f"{name}: {_short(new)}"
        for name, (old, new) in both.items()
    ]


def _short(value: object) -> str:
    text = NOTHING if value in (None, "") else str(value)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}…"


@account_action("Pause entries", permission="operate")
def pause(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account]) -> None:
    for account in accounts:
        levers.pause(account, by=request.user.get_username(), why="console")
    page.message_user(request, "Entries are paused; exits go on.")


@account_action("Resume entries", permission="operate")
def resume(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account]) -> None:
    for account in accounts:
        if found := consequences.unknowns(account):
            page_of_it = format_html('<a href="{}">Resume</a>', reverse("resume", query={"account": account}))
            told = format_html("{}: nothing was resumed. {} See {}.", account, " ".join(found), page_of_it)
            page.message_user(request, told, messages.ERROR)
            continue
        levers.resume(account, by=request.user.get_username())
        left = ", ".join(sorted(state.reasons_off(account.pk)))
        said = f"still off: {left}" if left else "entries are on"
        page.message_user(request, f"{account}: {said}.", messages.WARNING if left else messages.SUCCESS)


@account_action("Ask for LIVE", permission="live")
def ask_for_live(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account]) -> None:
    _ask(page, request, accounts, Mode.LIVE)


@account_action("Return to PAPER", permission="operate")
def return_to_paper(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account]) -> None:
    _ask(page, request, accounts, Mode.PAPER)


def _ask(page: AccountPage, request: HttpRequest, accounts: QuerySet[Account], mode: Mode) -> None:
    """A list cannot ask for the phrase, so LIVE is refused here with everything else that is missing."""
    for account in accounts:
        missing = levers.ask_for_mode(account, mode, phrase="", may_go_live=True)
        for sentence in missing:
            page.message_user(request, f"{account}: {sentence}", messages.ERROR)
        if not missing:
            page.message_user(request, f"{account} is {mode}.", messages.SUCCESS)
