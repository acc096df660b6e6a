"""The shipped holidays and special sessions as rows, from where on the operator keeps them."""

from typing import Any

from django.db import migrations

from trading.core.holidays import DEFAULT_HOLIDAYS, DEFAULT_SPECIAL_SESSIONS, PROVISIONAL_YEARS


def fill(apps: Any, schema_editor: Any) -> None:
    """Add the shipped rows; a day the operator already has stays as it is."""
    market_day = apps.get_model("trading", "MarketDay")
    rows = {
        day: market_day(day=day, name=name, is_holiday=True, is_provisional=day.year in PROVISIONAL_YEARS)
        for day, name in DEFAULT_HOLIDAYS
    }
    # A holiday with an hour of trading is a day with a session.
    rows |= {
        special.day: market_day(
            day=special.day, name=special.name, is_holiday=False, opens=special.opens, closes=special.closes
        )
        for special in DEFAULT_SPECIAL_SESSIONS
    }
    market_day.objects.bulk_create(rows.values(), ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_calendar")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
