"""What the market did while we traded it."""

from django.db import models
from django.db.models import UniqueConstraint

from trading.models.desks import VenueSession


class DayMinutes(models.Model):
    """The closed minutes of an instrument on a day on which it was traded, as the strategy loop had them.

    Kept for the charts of its trades; nothing is decided by them. See `trading.minutes`.
    """

    session = models.ForeignKey(VenueSession, on_delete=models.PROTECT)
    trading_date = models.DateField()
    exchange = models.CharField(max_length=4)
    tradingsymbol = models.CharField(max_length=40)
    packed = models.BinaryField(
        help_text="rows of six 64-bit integers: opened (epoch s), OHLC (paise), volume"
    )
    until = models.DateTimeField(help_text="end of the newest minute")

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["session", "trading_date", "exchange", "tradingsymbol"], name="day_minutes_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trading_date} {self.exchange}:{self.tradingsymbol}"
