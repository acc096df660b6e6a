"""What the program remembers of trading: signal → decision → order → command, event, fill → trade.

Rows written by the machine are never edited by hand; `Order.status` is written by `trading.orders` alone.
Prices are rupees with two decimals, averages with four, quantities are units, times are aware market time
unless a field says machine.
"""

from decimal import Decimal
from enum import StrEnum

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.utils import timezone

from trading.core.enums import (
    CommandKind,
    CommandOutcome,
    Loop,
    Mode,
    OrderStatus,
    OrderType,
    Product,
    Role,
    Side,
)


def choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    """An enum as Django choices, so that the list stands in one place."""
    return [(word.value, word.value) for word in words]


class PriceField(models.DecimalField):  # type: ignore[type-arg]  # generic only in the stubs
    """A rupee price on the exchange's grid."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_digits", 12)
        options.setdefault("decimal_places", 2)
        super().__init__(**options)  # type: ignore[arg-type]  # the stubs want each option named


class MoneyField(models.DecimalField):  # type: ignore[type-arg]  # generic only in the stubs
    """An amount of rupees, to the paisa."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_digits", 16)
        options.setdefault("decimal_places", 2)
        super().__init__(**options)  # type: ignore[arg-type]  # the stubs want each option named


class Account(models.Model):
    """One broker login that trades. `mode` is written by the LIVE gate alone."""

    name = models.CharField(max_length=40, unique=True)
    broker_user = models.CharField(max_length=20, help_text="Kite user id, such as AB1234")
    mode = models.CharField(max_length=8, choices=choices(Mode), default=Mode.PAPER)
    product = models.CharField(max_length=8, choices=choices(Product), default=Product.MIS)
    paper_capital_inr = MoneyField(default=Decimal("2500000.00"))
    live_since = models.DateField(null=True, blank=True, help_text="first LIVE trading date")

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(paper_capital_inr__gt=0), name="account_capital_positive"),
        ]
        permissions = [("operate", "May pause, resume and flatten"), ("live", "May switch to real money")]

    def __str__(self) -> str:
        return self.name


class VenueSession(models.Model):
    """One run of a venue's books. A replay of a date twice is two sessions, so nothing collides."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    key = models.CharField(max_length=60, help_text="empty at PRODUCTION")
    market = models.CharField(max_length=20, help_text="synthetic, replay, record, kite or production")
    description = models.TextField(blank=True)
    started_at = models.DateTimeField(help_text="market time")

    class Meta:
        constraints = [UniqueConstraint(fields=["account", "key"], name="venue_session_once")]

    def __str__(self) -> str:
        return self.key or "production"


class Instrument(models.Model):
    """A line of the newest instrument file, keyed by symbol: tokens are reused after expiry (kite-facts 6)."""

    exchange = models.CharField(max_length=4)
    tradingsymbol = models.CharField(max_length=40)
    instrument_token = models.BigIntegerField()
    name = models.CharField(max_length=60, blank=True)
    instrument_type = models.CharField(max_length=4)
    segment = models.CharField(max_length=10)
    lot_size = models.PositiveIntegerField()
    tick_size_paise = models.PositiveIntegerField()
    expiry = models.DateField(null=True, blank=True)
    strike = PriceField(default=Decimal(0))
    freeze_quantity = models.PositiveIntegerField(null=True, blank=True)
    has_derivatives = models.BooleanField(default=False)
    read_on = models.DateField(help_text="trading date of the file it was read from")

    class Meta:
        constraints = [UniqueConstraint(fields=["exchange", "tradingsymbol"], name="instrument_once")]

    def __str__(self) -> str:
        return f"{self.exchange}:{self.tradingsymbol}"


class Signal(models.Model):
    """A setup that a strategy saw, stored whether or not it traded."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    strategy = models.CharField(max_length=30)
    exchange = models.CharField(max_length=4)
    tradingsymbol = models.CharField(max_length=40)
    side = models.CharField(max_length=4, choices=choices(Side))
    candle_at = models.DateTimeField(help_text="opening time of the candle that made it")
    seen_at = models.DateTimeField(help_text="market time of the pass that stored it")
    entry_price = PriceField()
    stop_price = PriceField()
    target_price = PriceField()
    first_target_price = PriceField(null=True, blank=True)
    atr = PriceField(default=Decimal(0))
    time_stop_min = models.PositiveIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    score = models.FloatField(default=0)
    score_parts = models.JSONField(default=dict)
    plan_id = models.CharField(max_length=24)

    class Meta:
        ordering = ["-seen_at", "-id"]
        constraints = [
            UniqueConstraint(
                fields=[
                    "account", "session", "trading_date", "strategy", "exchange",
                    "tradingsymbol", "side", "candle_at",
                ],
                name="signal_seen_once",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["session", "trading_date", "-seen_at"], name="signal_by_day")]

    def __str__(self) -> str:
        return f"{self.strategy} {self.side} {self.tradingsymbol} {timezone.localtime(self.candle_at):%H:%M}"


class Decision(models.Model):
    """The answer to a signal: approved with a quantity, or refused with all reasons."""

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT)
    approved = models.BooleanField()
    quantity = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(
        default=list, help_text='[{"reason": RiskReason, "text": sentence with figures}]'
    )
    decided_at = models.DateTimeField()
    mode = models.CharField(max_length=8, choices=choices(Mode))
    limits_version = models.PositiveIntegerField()
    capital_inr = MoneyField()
    risk_inr = MoneyField(default=Decimal(0))
    reward_inr = MoneyField(default=Decimal(0))
    costs_inr = MoneyField(default=Decimal(0), help_text="round-trip charges and slippage expected")
    limit_price = PriceField(null=True, blank=True)
    tick_to_decision_ms = models.FloatField(default=0)

    class Meta:
        ordering = ["-decided_at", "-id"]
        constraints = [
            CheckConstraint(
                condition=Q(approved=False) | Q(quantity__gt=0), name="approved_decision_has_quantity"
            ),
        ]

    def __str__(self) -> str:
        return f"approved {self.quantity}" if self.approved else "refused"


class Order(models.Model):
    """What we remember asking for. `client_order_id` is made before anything is sent."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    mode = models.CharField(max_length=8, choices=choices(Mode))
    decision = models.ForeignKey(Decision, null=True, blank=True, on_delete=models.PROTECT)
    entry = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="exits")
    group_number = models.PositiveSmallIntegerField(null=True, blank=True, help_text="an exit's group")
    role = models.CharField(max_length=8, choices=choices(Role))
    slice = models.PositiveSmallIntegerField(default=0, help_text="part of a quantity above the freeze")
    client_order_id = models.CharField(max_length=24)
    tag = models.CharField(max_length=20, db_index=True)
    broker_order_id = models.CharField(max_length=30, blank=True, db_index=True)
    exchange_order_id = models.CharField(max_length=30, blank=True)
    exchange = models.CharField(max_length=4)
    tradingsymbol = models.CharField(max_length=40)
    side = models.CharField(max_length=4, choices=choices(Side))
    product = models.CharField(max_length=8, choices=choices(Product))
    order_type = models.CharField(max_length=8, choices=choices(OrderType))
    quantity = models.PositiveIntegerField()
    price = PriceField()
    trigger_price = PriceField(default=Decimal(0))
    status = models.CharField(max_length=20, choices=choices(OrderStatus))
    filled_quantity = models.PositiveIntegerField(default=0)
    average_price = models.DecimalField(max_digits=14, decimal_places=4, default=Decimal(0))
    status_message = models.CharField(max_length=300, blank=True)
    books_without = models.PositiveIntegerField(default=0, help_text="whole books read that did not show it")
    asked_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True, help_text="first seen working or filled")
    asked_machine_at = models.DateTimeField(help_text="machine time")
    first_seen_machine_at = models.DateTimeField(
        null=True, blank=True, help_text="machine time at which the broker's book first showed it"
    )
    triggered_machine_at = models.DateTimeField(
        null=True, blank=True, help_text="machine time at which a stop was first seen OPEN"
    )
    updated_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            UniqueConstraint(fields=["client_order_id"], name="order_asked_once"),
            UniqueConstraint(
                fields=["decision", "slice"],
                condition=Q(role="ENTRY"),
                name="one_entry_per_decision_and_slice",
            ),
            UniqueConstraint(
                fields=["account", "session", "trading_date", "broker_order_id"],
                condition=~Q(broker_order_id=""),
                name="broker_order_known_once",
            ),
            CheckConstraint(condition=Q(quantity__gt=0), name="order_quantity_positive"),
            CheckConstraint(condition=Q(filled_quantity__lte=F("quantity")), name="order_not_overfilled"),
            CheckConstraint(condition=Q(role="ENTRY") ^ Q(entry__isnull=False), name="exit_names_its_entry"),
        ]
        indexes = [models.Index(fields=["session", "trading_date", "status"], name="order_by_state")]

    def __str__(self) -> str:
        return f"{self.role} {self.side} {self.quantity} {self.tradingsymbol} {self.status}"


class OrderEvent(models.Model):
    """One change of an order: who, why, and what caused it."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20)
    who = models.CharField(max_length=40)
    why = models.CharField(max_length=300)
    filled_quantity = models.PositiveIntegerField(default=0)
    cause = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} → {self.to_status}"


class Command(models.Model):
    """One place, modify or cancel: the intent is committed before the call, the outcome after it."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="commands")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=choices(CommandKind))
    purpose = models.CharField(max_length=12, help_text="place, trail, resize, close or cancel")
    arguments = models.JSONField(default=dict)
    fence = models.BigIntegerField(help_text="fencing number of the lease it was written under")
    intent_at = models.DateTimeField()
    intent_machine_at = models.DateTimeField(help_text="machine time")
    outcome = models.CharField(max_length=10, choices=choices(CommandOutcome), default=CommandOutcome.PENDING)
    outcome_machine_at = models.DateTimeField(null=True, blank=True, help_text="machine time")
    reason = models.CharField(max_length=300, blank=True)
    latency_ms = models.FloatField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="when the book showed it done")

    class Meta:
        ordering = ["id"]
        constraints = [
            UniqueConstraint(fields=["order", "number"], name="command_once"),
            UniqueConstraint(fields=["order"], condition=Q(kind="PLACE"), name="order_placed_once"),
        ]
        indexes = [models.Index(fields=["intent_at"], name="command_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome}"


class Trade(models.Model):
    """A round trip from first entry fill to flat. P&L is its fills less its charges."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT)
    exchange = models.CharField(max_length=4)
    tradingsymbol = models.CharField(max_length=40)
    product = models.CharField(max_length=8, choices=choices(Product))
    side = models.CharField(max_length=4, choices=choices(Side))
    strategy = models.CharField(max_length=30)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    entered_quantity = models.PositiveIntegerField(default=0)
    exited_quantity = models.PositiveIntegerField(default=0)
    entry_value_inr = models.DecimalField(max_digits=18, decimal_places=4, default=Decimal(0))
    exit_value_inr = models.DecimalField(max_digits=18, decimal_places=4, default=Decimal(0))
    risk_inr = MoneyField(default=Decimal(0))
    gross_inr = MoneyField(default=Decimal(0))
    charges_inr = MoneyField(default=Decimal(0))
    net_inr = MoneyField(default=Decimal(0))

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            UniqueConstraint(
                fields=["account", "session", "exchange", "tradingsymbol", "product"],
                condition=Q(closed_at=None),
                name="one_open_trade_per_instrument",
            ),
            CheckConstraint(
                condition=Q(exited_quantity__lte=F("entered_quantity")), name="trade_never_reversed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.entered_quantity} {self.tradingsymbol}"


class Fill(models.Model):
    """One execution, applied once."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="fills")
    exchange = models.CharField(max_length=4)
    broker_order_id = models.CharField(max_length=30)
    broker_trade_id = models.CharField(max_length=30)
    side = models.CharField(max_length=4, choices=choices(Side))
    quantity = models.PositiveIntegerField()
    price = PriceField()
    filled_at = models.DateTimeField()
    applied_at = models.DateTimeField()

    class Meta:
        ordering = ["filled_at", "id"]
        constraints = [
            UniqueConstraint(
                fields=[
                    "account", "session", "trading_date", "exchange", "broker_order_id", "broker_trade_id",
                ],
                name="fill_applied_once",
            ),
            CheckConstraint(condition=Q(quantity__gt=0), name="fill_quantity_positive"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} @ {self.price}"


class Lease(models.Model):
    """Who may lead a loop. Times are the database's own clock; `fence` grows with each taking and never falls."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    loop = models.CharField(max_length=8, choices=choices(Loop))
    holder = models.CharField(max_length=80, blank=True)
    fence = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="machine time of the database")
    pass_at = models.DateTimeField(
        null=True, blank=True, help_text="machine time of the last pass that worked"
    )

    class Meta:
        constraints = [UniqueConstraint(fields=["account", "loop"], name="lease_once")]

    def __str__(self) -> str:
        return f"{self.loop} {self.holder}"


class StrategySetting(models.Model):
    """Whether a strategy runs for an account, and why it was switched off for a day."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    strategy = models.CharField(max_length=30)
    enabled = models.BooleanField(default=True)
    off_on = models.DateField(null=True, blank=True, help_text="switched off for this trading date")
    off_session = models.ForeignKey(VenueSession, null=True, blank=True, on_delete=models.PROTECT)
    off_why = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["account", "strategy"], name="strategy_setting_once")]

    def __str__(self) -> str:
        return self.strategy


class ApiKey(models.Model):
    """A program that may call the REST API. Only the SHA-256 of the key is kept; the key is shown once."""

    name = models.CharField(max_length=40, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, help_text="of read, operate, live")
    created_at = models.DateTimeField(auto_now_add=True, help_text="machine time")
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="machine time")

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name
