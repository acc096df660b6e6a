"""How answers are written as JSON: rupees as text, never as a float; times in IST to the millisecond."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from trading.core.session import IST


class IstEncoder(json.JSONEncoder):
    def default(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(IST).isoformat(timespec="milliseconds")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, frozenset | set):
            return sorted(value)
        return super().default(value)


def to_json(value: object) -> str:
    """Compact JSON text. Raises TypeError for what has no agreed form."""
    return json.dumps(value, cls=IstEncoder, separators=(",", ":"))
