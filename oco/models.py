"""Protected quantities, the kill switch's runs and the day's table."""

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from trading.core.enums import ExitReason, FlattenState, GroupState, LegKind, LegState, MoveState, Side
from trading.models import Account, Order, PriceField, Trade, VenueSession, choices


class OcoGroup(models.Model):
    """One protected quantity: a stop that rests at the exchange and a target that is held here.

    Its exit orders are the orders with its entry and number; the newest is the one order at the broker, so a crash
    between sending and linking loses nothing. Quantities never move between groups.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="groups")
    entry_order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="oco_groups")
    number = models.PositiveSmallIntegerField(help_text="1, or 2 for the second half")
    side = models.CharField(max_length=4, choices=choices(Side), help_text="of the entry")
    state = models.CharField(max_length=8, choices=choices(GroupState), default=GroupState.OPENING)
    planned_quantity = models.PositiveIntegerField()
    entered_quantity = models.PositiveIntegerField(default=0)
    exited_quantity = models.PositiveIntegerField(default=0)
    taken_by_others_quantity = models.IntegerField(
        default=0,
        help_text="closed by somebody else's order; below zero: taken back by one after too much was exited",
    )
    initial_stop_price = PriceField()
    stop_price = PriceField()
    target_price = PriceField()
    entry_atr = PriceField(default=Decimal(0))
    best_close = PriceField(null=True, blank=True, help_text="best closed price since the entry")
    first_filled_at = models.DateTimeField()
    time_stop_at = models.DateTimeField()
    armed_at = models.DateTimeField(null=True, blank=True)
    unprotected_since = models.DateTimeField(null=True, blank=True, help_text="machine time")
    unprotected_ms = models.PositiveIntegerField(default=0, help_text="longest time without a live stop")
    close_reason = models.CharField(max_length=12, choices=choices(ExitReason), blank=True)
    exit_reason = models.CharField(max_length=12, choices=choices(ExitReason), blank=True)
    problem = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-first_filled_at", "-id"]
        constraints = [
            UniqueConstraint(fields=["entry_order", "number"], name="one_group_per_entry_and_number"),
            CheckConstraint(
                condition=Q(exited_quantity__lte=F("entered_quantity")), name="group_never_reversed"
            ),
            CheckConstraint(
                condition=Q(entered_quantity__lte=F("planned_quantity")), name="group_never_over_its_plan"
            ),
        ]
        indexes = [
            models.Index(fields=["session", "closed_at"], name="group_live"),
            models.Index(fields=["first_filled_at", "id"], name="group_listed"),
        ]

    def __str__(self) -> str:
        return f"{self.trade} group {self.number}"


class OcoLeg(models.Model):
    """Stop or target of a group. The target has an id but no order: it is the stop's order, modified."""

    group = models.ForeignKey(OcoGroup, on_delete=models.PROTECT, related_name="legs")
    kind = models.CharField(max_length=8, choices=choices(LegKind))
    client_order_id = models.CharField(max_length=24, unique=True)
    price = PriceField()
    state = models.CharField(max_length=10, choices=choices(LegState))

    class Meta:
        constraints = [UniqueConstraint(fields=["group", "kind"], name="one_leg_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class Flatten(models.Model):
    """One run of the kill switch, from request to verdict. Idempotent and resumable: the row is the state."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    asked_by = models.CharField(max_length=60)
    reason = models.CharField(max_length=12, choices=choices(ExitReason))
    tradingsymbols = models.JSONField(default=list, help_text="empty: everything of ours")
    latches = models.BooleanField(
        default=True, help_text="entries stay off until the operator says otherwise"
    )
    state = models.CharField(max_length=20, choices=choices(FlattenState), default=FlattenState.REQUESTED)
    asked_at = models.DateTimeField()
    asked_machine_at = models.DateTimeField(help_text="machine time, what `took_ms` counts from")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    positions_at_start = models.PositiveIntegerField(default=0)
    took_ms = models.PositiveIntegerField(null=True, blank=True, help_text="from request to verdict")
    verdict = models.JSONField(default=dict)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            UniqueConstraint(
                fields=["account", "session"],
                condition=Q(finished_at=None, tradingsymbols=[]),
                name="one_flatten_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.state}"


class StopMove(models.Model):
    """An operator's wish for a group's stop. The exits' leader carries it out or says why not; the row is both."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    group = models.ForeignKey(OcoGroup, on_delete=models.PROTECT, related_name="stop_moves")
    price = PriceField()
    from_price = PriceField(help_text="the stop when it was asked for")
    asked_by = models.CharField(max_length=60)
    asked_at = models.DateTimeField()
    asked_machine_at = models.DateTimeField(help_text="machine time, what `took_ms` counts from")
    state = models.CharField(max_length=8, choices=choices(MoveState), default=MoveState.ASKED)
    why = models.CharField(max_length=300, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    took_ms = models.PositiveIntegerField(null=True, blank=True, help_text="from request to answer")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            UniqueConstraint(
                fields=["group"], condition=Q(finished_at=None), name="one_move_of_a_stop_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["session"], condition=Q(finished_at=None), name="stop_move_standing"),
        ]

    def __str__(self) -> str:
        return f"{self.group} stop {self.price} {self.state}"


class DayStep(models.Model):
    """A row of the day's table that was run, once per trading date and venue session."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    name = models.CharField(max_length=30)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField()
    result = models.JSONField(default=dict)

    class Meta:
        ordering = ["due_at", "id"]
        constraints = [
            UniqueConstraint(fields=["account", "session", "trading_date", "name"], name="day_step_once"),
        ]

    def __str__(self) -> str:
        return f"{self.trading_date} {self.name}"
