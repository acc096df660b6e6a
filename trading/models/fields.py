"""Columns that mean something: enum words, prices on the grid, rupees."""

from enum import StrEnum

from django.db import models


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
