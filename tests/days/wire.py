"""The wire between a day's broker and its exchange: each call that writes may end as a test says."""

from collections.abc import Callable
from typing import Any

from tests.days.broker import SimulatedCrash
from trading.broker.kite.errors import KiteFailure, Stage, read_error, write_error
from trading.broker.paper import PaperBroker

Call = Callable[[], Any]
#: makes the call, or not, and answers or raises
Fault = Callable[[Call], Any]

DEAD_TOKEN = KiteFailure(
    "Incorrect `api_key` or `access_token`.",
    stage=Stage.ANSWERED,
    http_status=403,
    error_type="TokenException",
)


def lost(status: int = 0, *, done: bool) -> Fault:
    """No answer that can be believed: a time-out, a 5xx, a page of HTML. `done`: the exchange has acted."""

    def end(call: Call) -> None:
        if done:
            call()
        words = f"HTTP {status} without Kite's JSON" if status else "ReadTimeout"
        raise write_error(KiteFailure(words, stage=Stage.UNANSWERED, http_status=status))

    return end


def refused(status: int, error_type: str, message: str) -> Fault:
    """Kite's own no: nothing was done."""

    def end(call: Call) -> None:
        raise write_error(
            KiteFailure(message, stage=Stage.ANSWERED, http_status=status, error_type=error_type)
        )

    return end


def crash(*, done: bool) -> Fault:
    """The process ends before the call, or after it and before it knew the answer."""

    def end(call: Call) -> None:
        if done:
            call()
        raise SimulatedCrash

    return end


def after(happens: Callable[[], object]) -> Fault:
    """Something happens at the exchange in the moment before the call arrives."""

    def end(call: Call) -> Any:
        happens()
        return call()

    return end


class Wire:
    """What a PaperBroker is, with one fault at the n-th call that writes. `token_is_dead` fails every call."""

    def __init__(self, inner: PaperBroker) -> None:
        self._inner = inner
        self._fault: tuple[int, Fault] | None = None
        self.writes = 0
        self.token_is_dead = False

    def will(self, number: int, fault: Fault) -> None:
        """The `number`-th write from now on ends so; every other goes through."""
        self._fault, self.writes = (number, fault), 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if self.token_is_dead and name.endswith(("_reports", "_history", "funds")):
            raise read_error(DEAD_TOKEN)
        return found

    def place(self, *words: Any) -> Any:
        return self._write(lambda: self._inner.place(*words))

    def modify(self, *words: Any) -> Any:
        return self._write(lambda: self._inner.modify(*words))

    def cancel(self, *words: Any) -> Any:
        return self._write(lambda: self._inner.cancel(*words))

    def _write(self, call: Call) -> Any:
        self.writes += 1
        if self.token_is_dead:
            raise write_error(DEAD_TOKEN)
        if self._fault and self._fault[0] == self.writes:
            return self._fault[1](call)
        return call()
