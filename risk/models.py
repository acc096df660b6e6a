"""Limits, what keeps entries off (reasons, locks, events), the evidence of each burn-in day, and the audit."""

from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import CheckConstraint, F, Max, Min, Q, UniqueConstraint
from django.db.models.functions import Now
from django.utils.timezone import localtime, make_aware

from risk.limits import Limits, problems
from trading.core.enums import AuditAction, AuditOutcome, PauseReason, Protection, RiskReason
from trading.models import Account, MoneyField, VenueSession, choices

LIMIT_NAMES = tuple(field.name for field in fields(Limits))


class PercentField(models.DecimalField):  # type: ignore[type-arg]  # generic only in the stubs
    """Percent, as a positive number: 2.50 means 2.5 %."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_digits", 6)
        options.setdefault("decimal_places", 3)
        super().__init__(**options)  # type: ignore[arg-type]  # the stubs want each option named


class RiskLimits(models.Model):
    """One version of an account's limits; the newest is in force. Rows are added, never changed.

    Defaults are the paper column of the trading rules.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    version = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=60)
    why = models.CharField(max_length=200)
    risk_per_trade_pct = PercentField(default=Decimal("0.500"))
    heat_pct = PercentField(default=Decimal("2.000"))
    daily_loss_pct = PercentField(default=Decimal("2.500"), help_text="positive, always")
    open_positions = models.IntegerField(default=4)
    trades_per_day = models.IntegerField(default=20)
    entries_per_s = models.IntegerField(default=4)
    orders_per_s = models.IntegerField(default=10, help_text="all orders; Kite refuses above 10")
    orders_per_min = models.IntegerField(default=360, help_text="Kite refuses above 400")
    orders_per_day = models.IntegerField(default=4500, help_text="Kite refuses above 5000")
    price_band_pct = PercentField(default=Decimal("0.400"))
    stale_price_s = models.IntegerField(default=5)
    reward_to_costs = PercentField(default=Decimal("3.000"), help_text="reward must be this many times costs")
    cooldown_min = models.IntegerField(default=5)
    losses_in_a_row = models.IntegerField(default=6)
    signal_age_s = models.IntegerField(default=60, help_text="a signal older than this is not entered")
    spread_pct = PercentField(default=Decimal("0.500"), help_text="of the price, between bid and ask")
    expiry_day_until_h = models.IntegerField(
        default=14,
        help_text="full hour, IST; a contract settled in shares is not entered on its last day at all",
    )
    rejections_in_a_row = models.IntegerField(default=5, help_text="entries that were refused")
    rejections_pause_min = models.IntegerField(default=15)
    order_latency_ms = models.IntegerField(default=2000, help_text="the middle of the newest five entries")
    latency_pause_min = models.IntegerField(default=10)

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "risk limits"
        constraints = [UniqueConstraint(fields=["account", "version"], name="limits_version_once")]

    def __str__(self) -> str:
        return f"limits v{self.version}"

    def value(self) -> Limits:
        """These numbers as the pure rules take them."""
        return Limits(**{name: getattr(self, name) for name in LIMIT_NAMES})

    def clean(self) -> None:
        found = problems(self.value())
        if found:
            raise ValidationError(found)

    def save(self, *args: object, **options: object) -> None:
        """Refuse a wrong sign or range before it is stored, whoever saves it."""
        self.clean()
        super().save(*args, **options)  # type: ignore[arg-type]  # passed through as they came


class EntriesOff(models.Model):
    """One reason why entries are off. It stands until the role that set it lifts it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    reason = models.CharField(max_length=20, choices=choices(PauseReason))
    why = models.CharField(max_length=300)
    set_by = models.CharField(max_length=60)
    set_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=60, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-set_at", "-id"]
        verbose_name_plural = "entries off"
        constraints = [
            UniqueConstraint(
                fields=["account", "reason"],
                condition=Q(lifted_at=None),
                name="one_standing_reason_of_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.why}"


class Lock(models.Model):
    """One time that a protection locked entries by itself: why, until when, and who let go of it before.

    Kept for what the rules count anyway; only `lifted_at` has an effect on them (see `risk.protections`).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    protection = models.CharField(max_length=20, choices=choices(Protection))
    exchange = models.CharField(max_length=4, blank=True, help_text="empty: the whole account")
    tradingsymbol = models.CharField(max_length=40, blank=True, help_text="empty: the whole account")
    why = models.CharField(max_length=300)
    cause_at = models.DateTimeField(help_text="market time")
    until = models.DateTimeField(null=True, blank=True, help_text="market time; empty: until the day ends")
    locked_at = models.DateTimeField(help_text="market time at which it was first seen")
    lifted_by = models.CharField(max_length=60, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-locked_at", "-id"]
        constraints = [
            UniqueConstraint(
                fields=["session", "protection", "exchange", "tradingsymbol", "cause_at"],
                name="lock_once_for_its_cause",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.protection} {self.tradingsymbol}".strip()


class RuleTally(models.Model):
    """How often a rule was asked about an entry on one day, and what it said: a guard nobody asks guards nothing."""

    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    rule = models.CharField(max_length=30, choices=choices(RiskReason), help_text="by the reason it gives")
    passes = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-trading_date", "rule"]
        verbose_name_plural = "rule tallies"
        constraints = [UniqueConstraint(fields=["session", "trading_date", "rule"], name="tally_once_a_day")]

    def __str__(self) -> str:
        return self.rule


class Blackout(models.Model):
    """A dated event during which nothing new is entered: for one name of the universe, or for all."""

    event = models.CharField(max_length=100, help_text="such as: RBI policy")
    name = models.CharField(
        max_length=40, blank=True, help_text="underlying or share; empty: every instrument"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="blackout_ends_after_it_starts",
                violation_error_message="It ends before it starts: write a later end.",
            )
        ]

    def __str__(self) -> str:
        return self.event


class BurninDay(models.Model):
    """The verdict on one paper day and the evidence for it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.OneToOneField(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    market = models.CharField(max_length=20, help_text="only kite counts for the gate")
    passed = models.BooleanField()
    criteria = models.JSONField(help_text='[{"name", "passed", "figures"}]')
    problems = models.JSONField(default=list)
    trades = models.PositiveIntegerField()
    gross_inr = MoneyField()
    charges_inr = MoneyField()
    net_inr = MoneyField()
    evidence = models.CharField(max_length=64, help_text="hash of code, strategy parameters and limits")
    digest = models.CharField(max_length=64, help_text="hash of the day's decisions and fills")
    reported_at = models.DateTimeField()

    class Meta:
        ordering = ["-trading_date", "-id"]

    def __str__(self) -> str:
        return f"{self.trading_date} {'passed' if self.passed else 'failed'}"


class AuditEntries(models.QuerySet["AuditEntry"]):
    """Entries, whose calendar is known without reading them all."""

    def datetimes(self, field_name: str, kind: str, *args: Any, **options: Any) -> Any:
        """Each year, month or day from the first entry to the last, for the console's date hierarchy.

        Those without an entry are among them: Django's own looks at every row to leave them out.
        """
        ends = self.order_by().aggregate(first=Min(field_name), last=Max(field_name))
        if ends["first"] is None:
            return []
        first, last = (localtime(moment).date() for moment in (ends["first"], ends["last"]))
        begun = {"year": date(first.year, 1, 1), "month": first.replace(day=1), "day": first}[kind]
        every = (begun + timedelta(days=number) for number in range((last - begun).days + 1))
        days = (
            day for day in every if kind == "day" or (day.day == 1 and (kind == "month" or day.month == 1))
        )
        return [make_aware(datetime.combine(day, time.min)) for day in days]


class AuditEntry(models.Model):
    """What somebody did, changed or was refused. The database stamps it and refuses to change or remove it.

    No constraint on the account: it would lock the account's row, and whoever is refused may be waiting for it.
    """

    at = models.DateTimeField(db_default=Now(), help_text="machine time of the database")
    actor = models.CharField(max_length=150, blank=True, help_text="user, API key, process or database role")
    address = models.CharField(max_length=60, blank=True, help_text="where the call came from")
    action = models.CharField(max_length=20, choices=choices(AuditAction))
    outcome = models.CharField(max_length=10, choices=choices(AuditOutcome), default=AuditOutcome.DONE)
    subject = models.CharField(max_length=120, help_text="what it was about, such as: account paper")
    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    before = models.JSONField(null=True, blank=True, help_text="changed columns alone; … stands for a secret")
    after = models.JSONField(null=True, blank=True)
    words = models.TextField(blank=True, help_text="why, in the sentences that the caller got")

    objects = AuditEntries.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "audit"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_by_time"),
            models.Index(fields=["action", "-at", "-id"], name="audit_by_action"),
            models.Index(fields=["outcome", "-at", "-id"], name="audit_by_outcome"),
            models.Index(fields=["account", "-at", "-id"], name="audit_by_account"),
            models.Index(fields=["actor"], opclasses=["text_pattern_ops"], name="audit_by_actor"),
            models.Index(fields=["subject"], opclasses=["text_pattern_ops"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
