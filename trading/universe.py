"""The account's universe as rows: which names are watched, which of them are not entered, and why.

An exclusion counts for the next decision, in every process. What is watched at all is read when a day is opened.
"""

import csv
import re
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from trading.core.enums import Exclusion
from trading.core.values import InstrumentSpec
from trading.models import Account, UniverseRow

COLUMNS: Final = ("name", "exclusion", "why")
_NAME: Final = re.compile(r"[A-Z0-9][A-Z0-9&\-]{0,39}")
WHY_LENGTH: Final = 200


class UnreadableUniverse(ValueError):
    """A file that cannot be taken over; the text names every line and what to write. Nothing was changed."""


def names_of(account_id: int) -> frozenset[str]:
    """The names an account watches; empty where it has no rows, which leaves it to the settings."""
    watched = UniverseRow.objects.filter(account_id=account_id, is_watched=True)
    return frozenset(watched.values_list("name", flat=True))


def name_of(spec: InstrumentSpec) -> str:
    """What an instrument is called in the universe: a derivative by its underlying."""
    return spec.tradingsymbol if spec.instrument_type == "EQ" else spec.name


def as_lines(account: Account) -> list[list[str]]:
    """The rows as lines of the file `load` reads, head first."""
    rows = account.universe.filter(is_watched=True).values_list(*COLUMNS)
    return [list(COLUMNS), *([str(word) for word in row] for row in rows)]


def load(account: Account, lines: Iterable[str], *, by: str) -> int:
    """Put the lines of a CSV file (name, exclusion, why) in the place of the account's rows; returns how many.

    Raises UnreadableUniverse, and nothing is changed then.
    """
    reader = csv.reader(lines)
    head = [word.strip().lower() for word in next(reader, [])]
    if tuple(head) != COLUMNS:
        raise UnreadableUniverse(f"line 1: write {','.join(COLUMNS)}, not {','.join(head) or 'nothing'}")
    found: dict[str, UniverseRow] = {}
    problems = []
    for words in reader:
        if not any(word.strip() for word in words):
            continue
        name, exclusion, why = [*(word.strip() for word in words), "", "", ""][:3]
        problem = _problem(name.upper(), exclusion.upper(), why, found)
        if problem:
            problems.append(f"line {reader.line_num}: {problem}")
        else:
            found[name.upper()] = UniverseRow(
                account=account, name=name.upper(), exclusion=exclusion.upper(), why=why, changed_by=by[:60]
            )
    if not found and not problems:
        problems.append("no name at all: an account that watches nothing trades nothing")
    if problems:
        raise UnreadableUniverse("; ".join(problems))
    with transaction.atomic():
        account.universe.all().delete()
        UniverseRow.objects.bulk_create(found.values())
    return len(found)


def _problem(name: str, exclusion: str, why: str, before: Iterable[str]) -> str:
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name: write an underlying or a share such as NIFTY or M&M"
    if name in before:
        return f"{name} stands here twice"
    if exclusion and exclusion not in set(Exclusion):
        return f"{exclusion} is no exclusion: write one of {', '.join(Exclusion)}, or nothing"
    if why and not exclusion:
        return f"{name} has a reason and no exclusion: write which, such as {Exclusion.OPERATOR}"
    return f"the reason is longer than {WHY_LENGTH} characters" if len(why) > WHY_LENGTH else ""
