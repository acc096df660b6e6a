"""Faults the exchange is told to have: which requests they meet, and how often. Seconds are the client's own, on
a monotonic machine clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.exchange.rules import bad_input


class FaultKind(StrEnum):
    """What goes wrong."""

    DROP_BEFORE = "drop_before"  #: the connection is closed, the request never arrives
    DROP_AFTER = "drop_after"  #: the request is acted on, the connection is closed without an answer
    ARRIVE_LATE = "arrive_late"  #: 504 at once; the request is acted on after `seconds`
    ZOMBIE = "zombie"  #: an order is said to have timed out, and arrives after `seconds`
    DELAY = "delay"  #: acted on at once, answered after `ms`
    STATUS = "status"  #: an error of that HTTP status with a JSON body
    HTML_BODY = "html_body"  #: an error of that HTTP status with a page, as a proxy gives it
    TOO_MANY = "too_many"  #: 429, nothing is done
    WRONG_ADDRESS = "wrong_address"  #: 403: order calls come from an address that is not whitelisted
    FREEZE_SOCKET = "freeze_socket"  #: the ticker stays connected and says nothing for `seconds`
    LAG_BOOK = "lag_book"  #: orders and their histories are shown as they were `seconds` ago
    MODIFY_QUANTITY = "modify_quantity"  #: what `quantity` means in a modify of a partly filled order


#: (name of the setting, default, least, most) of the kinds that have a measure; no default: it must be given
_MEASURES: Final[Mapping[FaultKind, tuple[str, float | None, float, float]]] = {
    FaultKind.ARRIVE_LATE: ("seconds", None, 0, 86_400),
    FaultKind.ZOMBIE: ("seconds", 180, 0, 86_400),
    FaultKind.DELAY: ("ms", None, 0, 600_000),
    FaultKind.STATUS: ("status", 503, 500, 599),
    FaultKind.HTML_BODY: ("status", 502, 400, 599),
    FaultKind.FREEZE_SOCKET: ("seconds", None, 0, 86_400),
    FaultKind.LAG_BOOK: ("seconds", None, 0, 3_600),
}
#: go with any other fault; of the rest a request meets the one that was set first
_BESIDES: Final = (FaultKind.DELAY, FaultKind.LAG_BOOK)
#: kinds that may act before they fail: a 5xx says nothing of what was done
_MAY_ACT: Final = (FaultKind.STATUS, FaultKind.HTML_BODY)
#: kinds that are meant for some requests only, whatever `routes` says
_ONLY: Final = {
    FaultKind.ZOMBIE: "place",
    FaultKind.ARRIVE_LATE: "orders",
    FaultKind.WRONG_ADDRESS: "orders",
    FaultKind.LAG_BOOK: "books",
}
ROUTES: Final = ("all", "orders", "reads", "place", "modify", "cancel", "books")
MEANINGS: Final = ("total", "pending", "refuse")
_VERBS: Final = {"POST": "place", "PUT": "modify", "DELETE": "cancel"}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that is set. `left` is for how many requests more; None until it is cleared."""

    kind: FaultKind
    measure: float = 0
    routes: str = "all"
    left: int | None = None
    acts: bool = False

    def meets(self, groups: frozenset[str]) -> bool:
        return self.routes in groups and _ONLY.get(self.kind, "all") in groups

    def as_row(self) -> dict[str, Any]:
        """As `Faults.set` takes it."""
        row: dict[str, Any] = {"routes": self.routes}
        if self.kind in _MEASURES:
            row[_MEASURES[self.kind][0]] = self.measure
        if self.left is not None:
            row["next"] = self.left
        return row | ({"acts": True} if self.acts else {})


class Faults:
    """The faults of one exchange, at most one of each kind."""

    def __init__(self) -> None:
        self._set: dict[FaultKind, Fault] = {}
        self._frozen_until_s = 0.0

    def set(self, asked: Mapping[str, Any], now_s: float) -> str | None:
        """Set each fault of `asked`: its name, and its measure or an object of settings. All or none.

        Answers the new meaning of a modify's quantity where that was asked, which is the market's to keep.
        Raises VenueRefusal 400 with what can be given.
        """
        faults = [_read(name, given) for name, given in asked.items() if name != FaultKind.MODIFY_QUANTITY]
        meaning = asked.get(FaultKind.MODIFY_QUANTITY)
        if meaning is not None and meaning not in MEANINGS:
            raise bad_input(f"Invalid `modify_quantity`. Should be one of {', '.join(MEANINGS)}.")
        if not asked:
            raise bad_input(f"No fault was named. Give one of {', '.join(FaultKind)}.")
        for fault in faults:
            if fault.kind is FaultKind.FREEZE_SOCKET:
                self._frozen_until_s = now_s + fault.measure
            else:
                self._set[fault.kind] = fault
        return meaning

    def clear(self) -> None:
        self._set.clear()
        self._frozen_until_s = 0.0

    def rows(self, now_s: float) -> dict[str, Any]:
        """What is set, in the shape `set` takes."""
        rows: dict[str, Any] = {str(kind): fault.as_row() for kind, fault in self._set.items()}
        if self.frozen_s(now_s):
            rows[FaultKind.FREEZE_SOCKET] = {"seconds": round(self.frozen_s(now_s), 3)}
        return rows

    def frozen_s(self, now_s: float) -> float:
        """Seconds for which the ticker says nothing."""
        return max(self._frozen_until_s - now_s, 0.0)

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults this request meets, counted down: at most one of those that end it, and what goes besides."""
        if not self._set:
            return []
        groups = groups_of(method, path)
        met: list[Fault] = []
        for fault in list(self._set.values()):
            is_taken = any(other.kind not in _BESIDES for other in met)
            if not fault.meets(groups) or (fault.kind not in _BESIDES and is_taken):
                continue
            met.append(fault)
            if fault.left is not None:
                fault.left -= 1
                if fault.left <= 0:
                    del self._set[fault.kind]
        return met


def groups_of(method: str, path: str) -> frozenset[str]:
    """The names under which a request can be met; none for the exchange's own routes beside Kite's."""
    if path.startswith("/_exchange/"):
        return frozenset()
    is_order = path == "/orders" or path.startswith("/orders/")
    if is_order and method in _VERBS:
        return frozenset({"all", "orders", _VERBS[method]})
    if method == "GET":
        is_book = is_order and not path.endswith("/trades")
        return frozenset({"all", "reads", "books"} if is_book else {"all", "reads"})
    return frozenset({"all"})


def _read(name: str, given: Any) -> Fault:
    try:
        kind = FaultKind(name)
    except ValueError:
        raise bad_input(f"{name!r} is no fault. Give one of {', '.join(FaultKind)}.") from None
    word, default, _, _ = _MEASURES.get(kind, ("", None, 0, 0))
    is_bare = isinstance(given, int | float) and not isinstance(given, bool)
    settings = {word: given} if word and is_bare else given
    if settings is True:
        settings = {}
    if not isinstance(settings, dict):
        raise bad_input(f"Invalid `{name}`. Give true, {f'its {word}, ' if word else ''}or an object.")
    known = {word, "next", "routes"} | ({"acts"} if kind in _MAY_ACT else set())
    if kind is FaultKind.FREEZE_SOCKET:
        known = {word}
    unknown = sorted(settings.keys() - (known - {""}))
    if unknown:
        raise bad_input(f"Invalid `{name}`. {unknown[0]!r} is none of {', '.join(sorted(known - {''}))}.")
    return Fault(
        kind=kind,
        measure=_measure(kind, settings.get(word, default)) if word else 0,
        routes=_routes(kind, settings.get("routes", "all")),
        left=_left(kind, settings.get("next")),
        acts=settings.get("acts", False) is True,
    )


def _measure(kind: FaultKind, given: Any) -> float:
    word, _, least, most = _MEASURES[kind]
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not least <= given <= most:
        raise bad_input(f"Invalid `{kind}`. `{word}` should be a number from {least:g} to {most:g}.")
    if word == "status" and given != int(given):
        raise bad_input(f"Invalid `{kind}`. `status` should be a whole number.")
    return float(given) if word != "status" else int(given)


def _routes(kind: FaultKind, given: Any) -> str:
    if given not in ROUTES:
        raise bad_input(f"Invalid `{kind}`. `routes` should be one of {', '.join(ROUTES)}.")
    return str(given)


def _left(kind: FaultKind, given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise bad_input(f"Invalid `{kind}`. `next` should be a whole number above 0: for how many requests.")
    return given
