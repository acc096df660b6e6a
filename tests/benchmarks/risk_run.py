"""One run of `bench risk`, in a process whose settings point at the bench's own server: prints its figures as JSON.

python -m tests.benchmarks.risk_run SAMPLES EARLIER
"""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402  # Django reads its settings above

from risk import check, rules  # noqa: E402
from risk.models import RiskLimits  # noqa: E402
from risk.rules import EntryRequest, RiskContext  # noqa: E402
from tests.days.desk import Day  # noqa: E402
from tests.days.market import NIFTY, STEEL  # noqa: E402
from trading import decisions, sending  # noqa: E402
from trading.core.enums import OrderStatus  # noqa: E402
from trading.core.values import OrderRequest, Quote  # noqa: E402
from trading.decisions import Market  # noqa: E402
from trading.models import Command, Decision, Order, Signal  # noqa: E402

ROUNDS = 5
#: the rules are timed so many times an entry, as one time is near the timer's own
RULES_TIMES = 20


class Books:
    """A day's books and clock. Entries end cancelled, so that each sample meets the same account."""

    def __init__(self, earlier: int) -> None:
        self.day = Day.opens(NIFTY, STEEL)
        RiskLimits.objects.create(
            account=self.day.account,
            version=2,
            created_by="bench",
            why="room",
            orders_per_day=5000,
            open_positions=9,
        )
        assert self.day.enters().approved
        self.asked: tuple[EntryRequest, RiskContext]
        self._candle = 0
        self._began_s = 0.0
        self.written_ms: list[float] = []
        self.sent_ms: list[float] = []
        self._carry_out = sending.carry_out
        sending.carry_out = self._written  # to see when the intent was committed
        self.day.broker.place = self._place  # type: ignore[method-assign]  # to see when it would leave
        decisions.check_entry = self._note  # type: ignore[attr-defined]  # to have a real entry for the rules alone
        self._fill(earlier)

    def sample(self) -> float:
        """Milliseconds from a recorded signal to its entry's committed intent."""
        self.day.replayed.clocks.move_to(self.day.now + timedelta(seconds=2))
        self.day.replayed.renew_leases()
        self._candle += 1
        signal = self.day.sees(
            stop="990",
            target="1030",
            spec=STEEL,
            candle_at=self.day.now - timedelta(hours=1, seconds=self._candle),
        )
        assert signal is not None
        market = self._market()
        self._began_s = perf_counter()
        (order,) = decisions.decide(self.day.loop.desk, signal, market, seen_s=0.0)
        Order.objects.filter(pk=order.pk).update(status=OrderStatus.CANCELED)
        return self.written_ms[-1]

    def _note(self, request: EntryRequest, order: OrderRequest, context: RiskContext) -> Any:
        self.asked = (request, context)
        return check.check_entry(request, order, context)

    def _written(self, *args: Any, **more: Any) -> sending.Answer:
        self.written_ms.append((perf_counter() - self._began_s) * 1000)
        return self._carry_out(*args, **more)

    def _place(self, request: OrderRequest) -> str:
        self.sent_ms.append((perf_counter() - self._began_s) * 1000)
        return f"bench-{self._candle}"

    def _market(self) -> Market:
        """The other instrument, not the one that is held."""
        quote = Quote(
            last_price_paise=100_000, bid_paise=99_995, ask_paise=100_005, exchange_time=self.day.now
        )
        session = self.day.loop.market.sessions[1]
        return Market(spec=STEEL, session=session, quote=quote, quotes=lambda *_: None)

    def _fill(self, earlier: int) -> None:
        """Earlier signals, decisions, orders and commands of the same day, as copies of the first."""
        signal, decision = Signal.objects.get(), Decision.objects.get()
        order = Order.objects.get(role="ENTRY")
        command, sent = Command.objects.get(order=order), Command.objects.count()
        for number in range(earlier):
            signal.pk, signal.candle_at, signal.plan_id = (
                None,
                signal.candle_at - timedelta(seconds=1),
                f"p{number}",
            )
            signal.save(force_insert=True)
            decision.pk, decision.signal = None, signal
            decision.save(force_insert=True)
            order.pk, order.decision, order.status = None, decision, OrderStatus.CANCELED
            order.client_order_id, order.tag, order.broker_order_id = f"c{number}", f"t{number}", f"b{number}"
            order.filled_quantity, order.asked_at = 0, order.asked_at - timedelta(seconds=1)
            order.save(force_insert=True)
            command.pk, command.order, command.day_number = None, order, sent + number + 1
            command.intent_at -= timedelta(minutes=2)
            command.save(force_insert=True)
        with connection.cursor() as cursor:
            # A server that runs has done so by itself; here the rows came all at once.
            cursor.execute("ANALYZE")


def time_rules(asked: tuple[EntryRequest, RiskContext]) -> float:
    """Milliseconds for every rule, once."""
    began_s = perf_counter()
    for _ in range(RULES_TIMES):
        rules.check(*asked)
    return (perf_counter() - began_s) * 1000 / RULES_TIMES


def figures(sample: Callable[[], float], count: int) -> dict[str, float]:
    """Medians, over the rounds, of the 50th and the 99th percentile."""
    rounds = [quantiles([sample() for _ in range(count)], n=100) for _ in range(ROUNDS)]
    return {
        "p50_ms": round(median(one[49] for one in rounds), 4),
        "p99_ms": round(median(one[98] for one in rounds), 4),
    }


def main(samples: int, earlier: int) -> dict[str, Any]:
    books = Books(earlier)
    for _ in range(20):
        books.sample()
    books.sent_ms.clear()
    decision = figures(books.sample, samples)
    asked = books.asked
    return {
        "orders": Order.objects.count(),
        "open_positions": asked[1].account.open_positions,
        "rules": figures(lambda: time_rules(asked), samples),
        "decision": decision,
        "to_the_call_p50_ms": round(median(books.sent_ms), 4),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
