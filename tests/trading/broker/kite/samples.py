"""Recorded payloads: our own odd ones, and Kite's published samples where they lie beside the project."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
PUBLISHED = ROOT.parent / "shared" / "kite-samples"
OWN = ROOT / "tests" / "kite"


def data(name: str) -> Any:
    """`data` of a payload, from our own folder or the published samples; skips where neither has it."""
    for folder in (OWN, PUBLISHED):
        if (folder / name).exists():
            payload = json.loads((folder / name).read_text())
            return payload.get("data", payload)
    pytest.skip(f"{name} is not here: Kite's published samples are not part of the project")


def text(name: str) -> str:
    """A published sample as it is written; skips where it is not here."""
    if not (PUBLISHED / name).exists():
        pytest.skip(f"{name} is not here: Kite's published samples are not part of the project")
    return (PUBLISHED / name).read_text()
