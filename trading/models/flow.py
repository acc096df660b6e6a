"""The flow: signal → decision → order → command, event, fill → trade. Machine-written, never edited by hand."""

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.utils import timezone

from trading.core import order_states
from trading.core.enums import (
    ApprovalAnswer,
    CommandKind,
    CommandOutcome,
    Mode,
    OrderStatus,
    OrderType,
    Product,
    Role,
    Side,
)
from trading.models.desks import Account, VenueSession
from trading.models.fields import MoneyField, PriceField, choices

#: sorted, so that the condition of an index is the same in each run
CLOSED_STATUSES = sorted(status.value for status in order_states.CLOSED)


def beginning(field: str, name: str) -> models.Index:
    """An index that answers how a text begins, which a plain one does only in the C collation."""
    return models.Index(fields=[field], name=name, opclasses=["varchar_pattern_ops"])


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
        indexes = [
            models.Index(fields=["session", "trading_date", "-seen_at"], name="signal_by_day"),
            # The console's list, its dates and its search.
            models.Index(fields=["trading_date", "id"], name="signal_listed"),
            beginning("tradingsymbol", "signal_by_symbol"),
            beginning("plan_id", "signal_by_plan"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} {self.side} {self.tradingsymbol} {timezone.localtime(self.candle_at):%H:%M}"


class Approval(models.Model):
    """An entry that waits for an operator's yes, or waited; its signal has no decision until then."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    signal = models.OneToOneField(Signal, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField(help_text="as it was sized when it was asked for")
    limit_price = PriceField()
    risk_inr = MoneyField()
    asked_at = models.DateTimeField()
    until = models.DateTimeField(help_text="market time after which nobody is waited for")
    answer = models.CharField(max_length=4, blank=True, choices=choices(ApprovalAnswer))
    answered_by = models.CharField(max_length=60, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]

    def __str__(self) -> str:
        return f"{self.quantity} {self.signal}"


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
        indexes = [models.Index(fields=["decided_at", "id"], name="decision_listed")]

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
        indexes = [
            models.Index(fields=["session", "trading_date", "status"], name="order_by_state"),
            # The two that each entry is counted with (`trading.counts`): they hold few rows, however long the day.
            models.Index(
                fields=["session", "trading_date"],
                condition=Q(role="ENTRY") & (Q(filled_quantity__gt=0) | ~Q(status__in=CLOSED_STATUSES)),
                name="entry_that_counts",
            ),
            models.Index(
                fields=["session", "trading_date", "-asked_at", "-id"],
                condition=Q(role="ENTRY"),
                name="entry_by_time",
            ),
            # The console's list, its dates and its search.
            models.Index(fields=["trading_date", "id"], name="order_listed"),
            beginning("tradingsymbol", "order_by_symbol"),
            beginning("client_order_id", "order_by_client_id"),
            beginning("exchange_order_id", "order_by_exchange_id"),
        ]

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
        indexes = [models.Index(fields=["at", "id"], name="event_listed")]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} → {self.to_status}"


class Command(models.Model):
    """One place, modify or cancel: the intent is committed before the call, the outcome after it."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="commands")
    # The books its order is in, once more: what was sent today is counted for each entry, and a join costs too much.
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT, db_index=False)
    trading_date = models.DateField()
    day_number = models.PositiveIntegerField(help_text="from 1, one for each command of its books that day")
    number = models.PositiveIntegerField(help_text="from 1, one for each command of its order")
    kind = models.CharField(max_length=8, choices=choices(CommandKind))
    purpose = models.CharField(max_length=12, help_text="enter, place, trail, resize, close or cancel")
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
            UniqueConstraint(fields=["session", "trading_date", "day_number"], name="command_numbered_once"),
            UniqueConstraint(fields=["order"], condition=Q(kind="PLACE"), name="order_placed_once"),
        ]
        indexes = [models.Index(fields=["intent_at"], name="command_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome}"


class Trade(models.Model):
    """A round trip from first entry fill to flat. P&L is its fills less its charges.

    No constraint keeps `exited_quantity` below what was entered: an order given up may execute all the same, and a
    database that refuses to book what happened hides a position on the wrong side instead of having it closed.
    """

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
    exited_quantity = models.IntegerField(default=0)
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
        ]
        indexes = [
            models.Index(fields=["session", "trading_date"], name="trade_of_day"),
            models.Index(fields=["trading_date", "id"], name="trade_listed"),
            beginning("tradingsymbol", "trade_by_symbol"),
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
        indexes = [models.Index(fields=["trading_date", "id"], name="fill_listed")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} @ {self.price}"
