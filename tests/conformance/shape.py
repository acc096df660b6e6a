"""Whether an answer has the shape and types of sample answers, told as a list of differences."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

#: may be null in any answer, whatever a sample happens to show
NULLABLE = {
    "avatar_url",
    "exchange_order_id",
    "exchange_timestamp",
    "exchange_update_timestamp",
    "meta",
    "parent_order_id",
    "status_message",
    "status_message_raw",
    "tag",
}
#: keys that answers of today have beside those of the older samples: Kite's documentation names them
LATER = {"algo_id", "charges", "tags", "validity_ttl"}
#: counted in units: never with a fraction
WHOLE = re.compile(r"(quantity|token|volume|orders|multiplier|^id|_id)$")
STAMPS = (
    re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    re.compile(r"\d\d:\d\d:\d\d"),
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0530"),
)


def differences(samples: Sequence[Any], value: Any, path: str = "answer") -> list[str]:
    """How `value` differs from all of `samples`, which are answers to the same question."""
    name = path.rsplit(".", 1)[-1].removesuffix("[]")
    kinds = {_kind(sample) for sample in samples}
    kind = _kind(value)
    if kind == "null":
        return [] if "null" in kinds or name in NULLABLE else [f"{path} is null"]
    same = [sample for sample in samples if _kind(sample) == kind]
    if not same:
        return [] if kinds == {"null"} else [f"{path} is {kind}, the samples have {', '.join(sorted(kinds))}"]
    if kind == "object":
        return _of_object(same, value, path)
    if kind == "list":
        return _of_list(same, value, path)
    if kind == "text":
        return _of_text(same, value, path)
    is_broken = (
        isinstance(value, float) and WHOLE.search(name) and not any(isinstance(s, float) for s in same)
    )
    return [f"{path} is {value}, and the samples have whole numbers"] if is_broken else []


def _of_object(samples: Sequence[dict[str, Any]], value: dict[str, Any], path: str) -> list[str]:
    known = set().union(*samples)
    if known and all(":" in key for key in known):
        inner = [row for sample in samples for row in sample.values()]
        return _flat(differences(inner, row, f"{path}.{key}") for key, row in value.items())
    always = set.intersection(*(set(sample) for sample in samples))
    found = [f"{path}.{key} is missing" for key in sorted(always - value.keys())]
    found += [f"{path}.{key} is unknown to the samples" for key in sorted(value.keys() - known - LATER)]
    return found + _flat(
        differences([sample[key] for sample in samples if key in sample], value[key], f"{path}.{key}")
        for key in value
        if key in known
    )


def _of_list(samples: Sequence[list[Any]], value: list[Any], path: str) -> list[str]:
    items = [item for sample in samples for item in sample]
    if not items:
        return []
    if len({_kind(item) for item in items}) > 1:
        # A row without names, such as a candle: each place has its own type.
        if len(value) not in {len(sample) for sample in samples}:
            return [f"{path} has {len(value)} places"]
        return _flat(
            differences(
                [sample[place] for sample in samples if place < len(sample)], each, f"{path}[{place}]"
            )
            for place, each in enumerate(value)
        )
    return _flat(differences(items, each, f"{path}[]") for each in value)


def _of_text(samples: Sequence[str], value: str, path: str) -> list[str]:
    forms = {_form(sample) for sample in samples if sample}
    if len(forms) == 1 and None not in forms and _form(value) not in forms:
        return [f"{path} is {value!r}, and the samples have {samples[0]!r}"]
    return []


def _form(text: str) -> int | None:
    return next((place for place, stamp in enumerate(STAMPS) if stamp.fullmatch(text)), None)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return names[type(value)]


def _flat(parts: Iterable[list[str]]) -> list[str]:
    return [difference for part in parts for difference in part]
