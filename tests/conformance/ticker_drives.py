"""The ticker client's methods and callbacks, driven by one talk with the exchange."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import Any

from tests.conformance.desk import Desk, sample
from tests.conformance.session_drives import Problems
from tests.conformance.shape import differences
from tests.conformance.ticker_talk import LENGTHS
from tests.trading.exchange.exchange_process import ROOT


@cache
def _talk(root: str, ticker_root: str, api_key: str, access_token: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.conformance.ticker_talk", root, ticker_root, api_key, access_token]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    told: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return told


def talk(desk: Desk) -> dict[str, Any]:
    """What one run of every method brought; the same for all rows of the table."""
    return _talk(desk.root, desk.ticker_root, desk.api_key, desk.access_token)


def did(name: str) -> Callable[[Desk], Problems]:
    def drive(desk: Desk) -> Problems:
        told = talk(desk)
        return [] if name in told["done"] else [f"only {told['done']} were done; {told['seen']}"]

    return drive


def set_mode(desk: Desk) -> Problems:
    seen = talk(desk)["seen"]
    found = did("set_mode")(desk)
    for mode, lengths in LENGTHS.items():
        if set(seen.get(f"{mode}_lengths", ())) != lengths:
            found.append(f"packets of mode {mode} have {seen.get(f'{mode}_lengths')} bytes")
    share, index = sorted(seen.get("full", [{}, {}]), key=lambda tick: not tick["tradable"])
    if len(share["depth"]["buy"]) != 5 or "depth" in index or not index["exchange_timestamp"]:
        found.append(f"full ticks are {share} and {index}")
    return found


def unsubscribe(desk: Desk) -> Problems:
    late = talk(desk)["seen"].get("ticks_after_unsubscribe", 0)
    # A frame may have been on its way.
    return did("unsubscribe")(desk) + ([f"{late} ticks came after it"] if late > 2 else [])


def on_order_update(desk: Desk) -> Problems:
    data = talk(desk)["seen"].get("order_update", {})
    found = differences([sample("postback.json")], data)
    word = f"{data.get('order_id')}{data.get('order_timestamp')}{desk.api_secret}"
    if data.get("checksum") != sha256(word.encode()).hexdigest():
        found.append("its checksum is wrong")
    return found


def on_error(desk: Desk) -> Problems:
    seen = talk(desk)["seen"]
    is_told = seen.get("error", "").startswith("0 ") and "403" in seen.get("refusal", "")
    return [] if is_told else [f"{seen.get('error')} {seen.get('refusal')}"]
