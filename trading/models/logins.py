"""Daily logins at a broker."""

from django.db import models
from django.db.models import UniqueConstraint

from trading.models.desks import Account


class KiteLogin(models.Model):
    """One login of an account at one place that speaks Kite Connect; the one that has not ended counts.

    The token is sealed with the installation's secret key: who reads the database alone cannot trade with it.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT)
    place = models.CharField(max_length=20, help_text="exchange, sandbox or production")
    broker_user = models.CharField(max_length=20)
    sealed_token = models.TextField(editable=False)
    logged_in_at = models.DateTimeField(help_text="the broker's own time of the login")
    dies_at = models.DateTimeField(help_text="the next 06:00 IST after it")
    asked_by = models.CharField(max_length=60, help_text="who went through the login page")
    stored_at = models.DateTimeField(help_text="machine time")
    probed_at = models.DateTimeField(
        null=True, blank=True, help_text="machine time at which the one-share probe passed with this login"
    )
    ended_at = models.DateTimeField(null=True, blank=True, help_text="machine time; empty: in use")
    ended_why = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "Kite login"
        constraints = [
            UniqueConstraint(
                fields=["account", "place"],
                condition=models.Q(ended_at=None),
                name="one_kite_login_in_use",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.broker_user} at {self.place}"
