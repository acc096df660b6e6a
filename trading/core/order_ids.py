"""Ids made before anything is sent: the same plan always gives the same id, any differing field another."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

from trading.core.enums import Role
from trading.core.values import Plan

ID_LENGTH = 24
#: Kite takes 20 characters: the role's letter and this much of the id
TAG_ID_LENGTH = 19

_PLAN_FIELDS = tuple(field.name for field in fields(Plan))
#: A mapping that names one of these means a Plan, so a forgotten field is an error and not just another id.
_PLAN_MARKS = frozenset({"installation", "broker_user", "venue_session", "signal_candle_at"})
_OUR_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_OUR_TAG = re.compile(rf"([ESTX])[0-9a-f]{{{TAG_ID_LENGTH}}}")
_ROLE_OF_LETTER = {role.letter: role for role in Role}


def plan_client_id(plan: Plan | Mapping[str, object]) -> str:
    """24 hex characters that name one intended trade.

    `plan` is a Plan, or a mapping of its 13 fields (which gives the same id), or any other mapping of plain
    values: text, numbers, dates, aware datetimes, enum members, booleans, None. 100, 100.0 and
    Decimal("100.00") are the same number; two datetimes of one instant are the same moment.

    Raises:
        ValueError: an empty mapping, a missing or unknown field of a Plan, a naive datetime, NaN or infinity.
        TypeError: a value or a name of another type.
    """
    values = _fields_of(plan)
    canonical = [[name, *_canonical(name, values[name])] for name in sorted(values)]
    return _digest(["plan", canonical])


def order_client_id(
    plan_id: str,
    role: Role,
    group: int | str | None = None,
    attempt: int = 0,
    slice: int = 0,
) -> str:
    """24 hex characters that name one order of a plan: its role, exit group, attempt and freeze slice.

    Raises:
        ValueError: `plan_id` is not an id, or `attempt` or `slice` is negative.
    """
    if not _OUR_ID.fullmatch(plan_id):
        raise ValueError(f"a plan's id is {ID_LENGTH} hex characters, got {plan_id!r}")
    if attempt < 0 or slice < 0:
        raise ValueError(f"attempt and slice count from 0, got attempt {attempt} and slice {slice}")
    named_group = None if group is None else str(group)
    return _digest(["order", plan_id, Role(role).value, named_group, attempt, slice])


def kite_tag(role: Role, client_order_id: str) -> str:
    """The 20 characters Kite keeps with an order: enough to tell an entry from a stop without the database.

    Raises:
        ValueError: `client_order_id` is not an id.
    """
    if not _OUR_ID.fullmatch(client_order_id):
        raise ValueError(f"a client order id is {ID_LENGTH} hex characters, got {client_order_id!r}")
    return role.letter + client_order_id[:TAG_ID_LENGTH]


def role_of_tag(tag: str) -> Role | None:
    """The role a tag of ours begins with; None when the tag is not ours."""
    found = _OUR_TAG.fullmatch(tag)
    return _ROLE_OF_LETTER[found[1]] if found else None


def _digest(value: list[object]) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:ID_LENGTH]


def _fields_of(plan: Plan | Mapping[str, object]) -> dict[str, object]:
    """Checks types too: a plan may come from a console or a script."""
    if isinstance(plan, Plan):
        return {name: getattr(plan, name) for name in _PLAN_FIELDS}
    if not isinstance(plan, Mapping):
        raise TypeError(f"a plan is a Plan or a mapping of its fields, got {type(plan).__name__}")
    values = dict(plan)
    if not values:
        raise ValueError("an empty plan has no id: give its fields")
    names: set[object] = set(values)
    strange = sorted(repr(name) for name in names if not isinstance(name, str))
    if strange:
        raise TypeError(f"field names are text, got {', '.join(strange)}")
    if _PLAN_MARKS & values.keys():
        _require_plan_fields(values)
    return values


def _require_plan_fields(values: Mapping[str, object]) -> None:
    missing = [name for name in _PLAN_FIELDS if name not in values]
    if missing:
        raise ValueError(f"the plan lacks {', '.join(missing)}: all {len(_PLAN_FIELDS)} fields make the id")
    unknown = [name for name in values if name not in _PLAN_FIELDS]
    if unknown:
        raise ValueError(
            f"the plan has no fields {', '.join(unknown)}; it is made of {', '.join(_PLAN_FIELDS)}"
        )


def _canonical(name: str, value: object) -> tuple[str, str]:
    """A kind and a text, so that the text "100" and the number 100 stay different."""
    match value:
        case Enum():
            return _canonical(name, value.value)
        case None:
            return "none", ""
        case str():
            return "text", value
        case bool():
            return "flag", str(value)
        case int() | float() | Decimal():
            return "number", _number(name, value)
        case datetime():
            return "moment", _moment(name, value)
        case date():
            return "date", value.isoformat()
    raise TypeError(
        f"{name} is a {type(value).__name__}: a plan holds text, numbers, dates, datetimes, booleans and None"
    )


def _number(name: str, value: float | Decimal) -> str:
    # A float stands for the number it prints as: 100.1, not its 50 binary digits.
    exact = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise ValueError(f"{name} is {value}, not a number that can be part of an id")
    text = format(exact, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _moment(name: str, value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError(f"{name} has no time zone: give an aware datetime")
    return value.astimezone(UTC).isoformat()
