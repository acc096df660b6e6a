"""Who trades, where, what and on which days: rows an operator or a day's file writes."""

from datetime import date
from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from trading.core.enums import Loop, Mode, Product
from trading.models.fields import MoneyField, PriceField, choices


class Account(models.Model):
    """One broker login that trades. `mode` is written by the LIVE gate alone."""

    name = models.CharField(max_length=40, unique=True)
    broker_user = models.CharField(max_length=20, help_text="Kite user id, such as AB1234")
    mode = models.CharField(max_length=8, choices=choices(Mode), default=Mode.PAPER)
    product = models.CharField(max_length=8, choices=choices(Product), default=Product.MIS)
    paper_capital_inr = MoneyField(default=Decimal("2500000.00"))
    live_since = models.DateField(null=True, blank=True, help_text="first LIVE trading date")
    asks_first = models.BooleanField(
        default=False, help_text="an entry waits for an operator's yes; without one it is not made"
    )

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(paper_capital_inr__gt=0), name="account_capital_positive"),
        ]
        permissions = [("operate", "May pause, resume and flatten"), ("live", "May switch to real money")]

    def __str__(self) -> str:
        return self.name

    def is_first_live_day(self, trading_date: date) -> bool:
        """Whether real money is traded for the first time that day: its caps then hold."""
        return self.mode == Mode.LIVE and self.live_since == trading_date


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


class MarketDay(models.Model):
    """A day that is not an ordinary weekday: a holiday, or a special session with its times (IST)."""

    day = models.DateField(unique=True)
    name = models.CharField(max_length=60)
    is_holiday = models.BooleanField(default=True, help_text="off: a special session")
    opens = models.TimeField(
        null=True, blank=True, help_text="of a special session; empty: the ordinary day's"
    )
    closes = models.TimeField(null=True, blank=True)
    is_provisional = models.BooleanField(default=False, help_text="until the exchange's own list is out")

    class Meta:
        ordering = ["-day"]
        constraints = [
            CheckConstraint(
                condition=Q(opens=None, closes=None) | Q(is_holiday=False, opens__lt=models.F("closes")),
                name="market_day_times_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"
