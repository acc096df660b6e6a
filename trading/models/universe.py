"""What an account watches, and what of it it enters."""

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from trading.core.enums import Exclusion
from trading.models.desks import Account
from trading.models.fields import choices


class UniverseRow(models.Model):
    """One underlying or share. What is only watched says why: it is decided on, and denied, like everything else."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="universe")
    name = models.CharField(
        max_length=40, help_text="underlying of futures or symbol of a share: NIFTY, RELIANCE"
    )
    is_watched = models.BooleanField(default=True, help_text="read when a day is opened")
    exclusion = models.CharField(
        max_length=20, choices=choices(Exclusion), blank=True, help_text="empty: it is entered"
    )
    why = models.CharField(max_length=200, blank=True, help_text="such as: on the ban list since 21 Nov")
    changed_by = models.CharField(max_length=60, blank=True)
    changed_at = models.DateTimeField(auto_now=True, help_text="machine time")

    class Meta:
        ordering = ["name"]
        verbose_name = "watched instrument"
        constraints = [
            UniqueConstraint(fields=["account", "name"], name="universe_name_once"),
            CheckConstraint(condition=~Q(exclusion="") | Q(why=""), name="universe_why_needs_exclusion"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.exclusion})" if self.exclusion else self.name
