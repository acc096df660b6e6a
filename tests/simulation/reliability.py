"""The reliability sheet: a campaign and its mutants as a page anybody can check by running the same commands."""

import platform
import subprocess
from pathlib import Path
from typing import Any

LEGS = "two resting legs"


def commit_of(root: Path) -> str:
    """The commit the sheet speaks of, with a mark where files differ from it; empty outside a repository."""
    named = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return named.stdout.strip()


def page(
    sheet: dict[str, Any],
    mutants: list[dict[str, Any]],
    legs: dict[str, Any],
    *,
    commit: str,
    start: int,
    seeds_each: int,
) -> str:
    """The whole page as Markdown. `legs` is what `campaign.spoil` says of two resting legs."""
    caught = sum(one["caught"] for one in mutants)
    last = start + sheet["seeds"] - 1
    parts = [
        "# Reliability",
        f"Commit `{commit or 'unknown'}`, Python {platform.python_version()}. Seeds {start} to {last}; each is "
        "24 market minutes with faults, then 6 in a healed world, judged by the venue's own orders and executions "
        "after each event.",
        _figures(sheet, caught, len(mutants)),
        "## Replay",
        "\n".join(
            [
                "```",
                f"python manage.py simulate --start {start} --seeds {sheet['seeds']} --json",
                "python manage.py simulate --seed 17 --trace",
                f"python manage.py simulate --mutants --seeds {seeds_each} --json",
                "```",
            ]
        ),
        "## Faults",
        _faults(sheet),
        "## Violations",
        _violations(sheet),
        "## Deliberate defects",
        _mutants(mutants, seeds_each),
        "## One resting order, or two",
        _legs(sheet, legs, start),
        "## What this layer does not show",
        "I11 (PAPER never calls the production broker) and I12 (the console says since when a value is old) are proven "
        "by tests of their own. In one process there is neither Redis to wipe nor a task queue to deliver twice: "
        "passes are run twice instead, and processes are killed for real by another harness.",
    ]
    return "\n\n".join(parts) + "\n"


def _figures(sheet: dict[str, Any], caught: int, mutants: int) -> str:
    bare, flat, least = sheet["unprotected_s"], sheet["flatten_s"], sheet["minima"]
    rows = [
        (
            "seeds",
            f"{sheet['seeds']}, {sheet['healthy_seeds']} of them without faults"
            + (" (the campaign was ended before its rest was played)" if sheet.get("is_cut_short") else ""),
        ),
        ("market hours", sheet["market_hours"]),
        ("entries, fills", f"{sheet['entries']}, {sheet['fills']}"),
        ("crashes", sheet["crashes"]),
        ("violations", len(sheet["violations"])),
        ("defects caught", f"{caught} of {mutants}"),
        ("without a live stop", f"p50 {bare['p50']} s, p99 {bare['p99']} s, worst {bare['max']} s"),
        ("worst of it where nothing failed", f"{bare['healthy_max']} s"),
        ("flatten to flat", f"p50 {flat['p50']} s, p99 {flat['p99']} s, worst {flat['max']} s"),
        ("each faulty seed at least", ", ".join(f"{least[name]} {name.replace('_', ' ')}" for name in least)),
        (
            "faulty seeds that met no open position with a fault",
            ", ".join(map(str, sheet["thin_seeds"])) or "none",
        ),
        ("digest", f"`{sheet['digest']}`"),
    ]
    return _table(("", ""), rows)


def _faults(sheet: dict[str, Any]) -> str:
    rows = [(kind, one["count"], one["while_open"]) for kind, one in sheet["faults"].items()]
    return _table(("fault", "times", "while a position was open"), rows)


def _violations(sheet: dict[str, Any]) -> str:
    if not sheet["violations"]:
        return "None."
    rows = [(one["seed"], one["at"], one["invariant"], one["what"]) for one in sheet["violations"]]
    return _table(("seed", "at", "invariant", "what"), rows)


def _mutants(mutants: list[dict[str, Any]], seeds_each: int) -> str:
    rows = [
        (
            one["name"],
            one["undoes"],
            f"seed {one['seed']}, {one['by']}" if one["caught"] else "**not caught**",
        )
        for one in mutants
    ]
    return f"Each is tried on up to {seeds_each} seeds.\n\n" + _table(("defect", "lesson", "caught by"), rows)


def _legs(sheet: dict[str, Any], legs: dict[str, Any], start: int) -> str:
    last = start + legs["seeds"] - 1
    one = len({each["seed"] for each in sheet["violations"] if each["seed"] <= last})
    first = ", ".join(f"{invariant} in {count}" for invariant, count in legs["by"].items())
    return (
        f"Seeds {start} to {last} were played with a stop and a target resting side by side, all else the same: "
        f"{legs['spoilt']} of {legs['seeds']} broke a promise (first broken: {first or 'none'}). With one order that "
        f"is modified: {one} of {legs['seeds']}."
    )


def _table(heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
