"""Whether every rule is asked: a refactoring once lost the only caller of a check, and nothing noticed (lessons 1)."""

from collections.abc import Collection
from datetime import date
from typing import Final

from django.db import connection

from risk.models import RuleTally
from trading.core.enums import RiskReason

#: what a rule must be asked for; the ranking comes before all rules, an operator's answer after them
EXPECTED: Final = frozenset(RiskReason) - {RiskReason.NOT_RANKED, RiskReason.NOT_AGREED}

_COUNT = """
    INSERT INTO risk_ruletally (session_id, trading_date, rule, passes, refusals)
    SELECT %s, %s, rule, (NOT refused)::int, refused::int
      FROM unnest(%s::text[], %s::boolean[]) AS asked (rule, refused)
     ORDER BY rule
    ON CONFLICT (session_id, trading_date, rule)
    DO UPDATE SET passes = risk_ruletally.passes + EXCLUDED.passes,
                  refusals = risk_ruletally.refusals + EXCLUDED.refusals
"""


def count(
    session_id: int, trading_date: date, asked: Collection[RiskReason], refused: Collection[RiskReason]
) -> None:
    """Add one entry's answers: one statement for all rules, in the transaction of its decision."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            [session_id, trading_date, [one.value for one in asked], [one in refused for one in asked]],
        )


def unasked(session_id: int, trading_date: date) -> frozenset[RiskReason]:
    """The rules that were not asked that day although others were. Empty where no entry was looked at."""
    rows = RuleTally.objects.filter(session_id=session_id, trading_date=trading_date)
    asked = {RiskReason(word) for word in rows.values_list("rule", flat=True)}
    return EXPECTED - asked if asked else frozenset()
