"""Order updates Kite posts to us over HTTP. They only wake: status and quantity are not signed."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any


def is_genuine(payload: Mapping[str, Any], api_secret: str) -> bool:
    """Whether `checksum` is SHA-256 of order_id, order_timestamp as sent, and the API secret."""
    order_id, stamp, checksum = (payload.get(key) for key in ("order_id", "order_timestamp", "checksum"))
    if not (
        isinstance(order_id, str) and isinstance(stamp, str) and isinstance(checksum, str) and api_secret
    ):
        return False
    expected = sha256(f"{order_id}{stamp}{api_secret}".encode()).hexdigest()
    return hmac.compare_digest(expected.encode(), checksum.encode())
