"""One run of `bench lists`, in a process whose settings point at the bench's own server: prints its figures as JSON.

python -m tests.benchmarks.lists_run ROWS TIMES
"""

import json
import sys
from statistics import median
from time import perf_counter
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # Django reads its settings above
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from trading.models import Account, VenueSession  # noqa: E402

PER_DAY = 4000
#: {rows}, {account} and {session} are filled in; the day of row n is n / 4000 days before the newest
AT = "(timestamptz '2026-11-23 15:00+05:30' - interval '1 day' * ((n - 1) / 4000) - interval '5 s' * ((n - 1) % 4000))"
DAY = "(date '2026-11-23' - ((n - 1) / 4000))"
SYMBOL = "('SHARE' || lpad((n % 200)::text, 3, '0'))"
FROM = "FROM generate_series({rows}, 1, -1) n"
PLACE = "{account}, {session}, " + DAY
FILLING = (
    "INSERT INTO trading_signal (id, account_id, session_id, trading_date, strategy, exchange, tradingsymbol, side, "
    "candle_at, seen_at, entry_price, stop_price, target_price, atr, reason, score, score_parts, plan_id) "
    f"SELECT {{rows}} + 1 - n, {PLACE}, CASE n % 2 WHEN 0 THEN 'ORB' ELSE 'TrendPullback' END, 'NSE', {SYMBOL}, "
    f"'BUY', {AT}, {AT}, 100, 99, 102, 1, 'broke the range', 0.5, '{{{{}}}}', lpad(to_hex(n), 24, '0') {FROM}",
    "INSERT INTO trading_decision (id, signal_id, approved, quantity, reasons, decided_at, mode, limits_version, "
    "capital_inr, risk_inr, reward_inr, costs_inr, tick_to_decision_ms) "
    f"SELECT {{rows}} + 1 - n, {{rows}} + 1 - n, true, 10, '[]', {AT}, 'PAPER', 1, 2500000, 10, 20, 1, 1 {FROM}",
    "INSERT INTO trading_order (id, account_id, session_id, trading_date, mode, decision_id, role, slice, "
    "client_order_id, tag, broker_order_id, exchange_order_id, exchange, tradingsymbol, side, product, order_type, "
    "quantity, price, trigger_price, status, filled_quantity, average_price, status_message, books_without, asked_at, "
    "asked_machine_at, updated_at) "
    f"SELECT {{rows}} + 1 - n, {PLACE}, 'PAPER', {{rows}} + 1 - n, 'ENTRY', 0, lpad(to_hex(n), 24, '0'), "
    f"lpad(to_hex(n), 20, '0'), '26' || lpad(n::text, 13, '0'), '', 'NSE', {SYMBOL}, 'BUY', 'MIS', 'LIMIT', 10, 100, "
    f"0, CASE n % 20 WHEN 0 THEN 'CANCELED' ELSE 'FILLED' END, 10, 100, '', 0, {AT}, {AT}, {AT} {FROM}",
    "INSERT INTO trading_orderevent (order_id, at, from_status, to_status, who, why, filled_quantity, cause) "
    f"SELECT {{rows}} + 1 - n, {AT}, 'ACCEPTED', 'FILLED', 'exits ' || n % 40, 'book', 10, '{{{{}}}}' {FROM}",
    "INSERT INTO trading_command (order_id, session_id, trading_date, day_number, number, kind, purpose, arguments, "
    "fence, intent_at, intent_machine_at, outcome, reason) "
    f"SELECT {{rows}} + 1 - n, {{session}}, {DAY}, n, 1, 'PLACE', 'enter', '{{{{}}}}', 1, {AT}, {AT}, 'ACCEPTED', '' "
    f"{FROM}",
    "INSERT INTO trading_trade (id, account_id, session_id, trading_date, decision_id, exchange, tradingsymbol, "
    "product, side, strategy, opened_at, closed_at, entered_quantity, exited_quantity, entry_value_inr, "
    "exit_value_inr, risk_inr, gross_inr, charges_inr, net_inr) "
    f"SELECT {{rows}} + 1 - n, {PLACE}, {{rows}} + 1 - n, 'NSE', {SYMBOL}, 'MIS', 'BUY', 'ORB', {AT}, {AT}, 10, 10, "
    f"1000, 1010, 10, 10, 1, 9 {FROM}",
    "INSERT INTO trading_fill (account_id, session_id, trading_date, order_id, trade_id, exchange, broker_order_id, "
    "broker_trade_id, side, quantity, price, filled_at, applied_at) "
    f"SELECT {PLACE}, {{rows}} + 1 - n, {{rows}} + 1 - n, 'NSE', '26' || lpad(n::text, 13, '0'), 'T' || n, 'BUY', 10, "
    f"100, {AT}, {AT} {FROM}",
    "ANALYZE",
)
#: list → the field of its date hierarchy, and searches
LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "trading/signal": ("trading_date", {"symbol": "SHARE007", "plan": "{hex24}"}),
    "trading/decision": ("decided_at", {"symbol": "SHARE007"}),
    "trading/order": (
        "trading_date",
        {"symbol": "SHARE007", "client id": "{hex24}", "tag": "{hex20}", "broker id": "{broker}"},
    ),
    "trading/orderevent": ("at", {"symbol": "SHARE007", "broker id": "{broker}"}),
    "trading/command": ("intent_at", {"symbol": "SHARE007", "client id": "{hex24}"}),
    "trading/trade": ("trading_date", {"symbol": "SHARE007"}),
    "trading/fill": ("trading_date", {"symbol": "SHARE007", "broker id": "{broker}"}),
}
FILTERS = {
    "trading/signal": "strategy__exact=ORB",
    "trading/decision": "approved__exact=0",
    "trading/order": "status__exact=REJECTED",
    "trading/orderevent": "to_status__exact=REJECTED",
    "trading/command": "outcome__exact=REFUSED",
    "trading/trade": "strategy__exact=ORB",
    "trading/fill": "side__exact=SELL",
}


def fill(rows: int) -> None:
    account = Account.objects.create(name="paper", broker_user="AB1234")
    session = VenueSession.objects.create(
        account=account, key="bench", market="synthetic", started_at="2025-01-01T09:00+05:30"
    )
    with connection.cursor() as cursor:
        # What is referred to is there: checking it a million times is what takes long.
        cursor.execute("SET session_replication_role = replica")
        for statement in FILLING:
            cursor.execute(statement.format(rows=rows, account=account.pk, session=session.pk))
        cursor.execute("RESET session_replication_role")


def pages_of(name: str, rows: int) -> dict[str, str]:
    """What is looked at of one list, with its query."""
    field, searches = LISTS[name]
    middle = rows // 2
    ids = {
        "{hex24}": f"{middle:024x}",
        "{hex20}": f"{middle:020x}",
        "{broker}": f"26{middle:013}",
    }
    pages = {"first page": "", "last page counted": "p=200", "filtered": FILTERS[name]}
    pages |= {"year": f"{field}__year=2026", "day": f"{field}__year=2026&{field}__month=11&{field}__day=20"}
    pages |= {f"search {what}": f"q={ids.get(text, text)}" for what, text in searches.items()}
    return pages | {"search nothing": "q=ZZNOBODY"}


def time_page(client: Client, address: str, times: int) -> dict[str, Any]:
    """Median of the goes after the first, which warms up."""
    took_ms = []
    connection.force_debug_cursor = True
    answer = client.get(address)
    queries, connection.force_debug_cursor = len(connection.queries_log), False
    for _ in range(times):
        began_s = perf_counter()
        answer = client.get(address)
        took_ms.append((perf_counter() - began_s) * 1000)
    if answer.status_code != 200:
        raise SystemExit(f"{address} answered {answer.status_code}")
    return {"ms": round(median(took_ms), 1), "queries": queries}


def main(rows: int, times: int) -> dict[str, Any]:
    fill(rows)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("operator"))
    pages = [
        {"list": name, "what": what, **time_page(client, f"/admin/{name}/?{query}", times)}
        for name in LISTS
        for what, query in pages_of(name, rows).items()
    ]
    return {"rows": rows, "pages": pages}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
