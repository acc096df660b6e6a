"""Limits, the reasons entries are off, and the evidence of each burn-in day."""

from dataclasses import fields
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, UniqueConstraint

from risk.limits import Limits, problems
from trading.core.enums import PauseReason
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
