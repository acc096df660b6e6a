"""Beside a running paper system: every invariant over its rows and its exchange's books, as JSON.

`python -m tests.aitrapp_site.day_verdict` in the environment of that system.
"""

import json
import os

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"
    django.setup()
    from aitrapp_site import wiring
    from reporting import invariants, queries
    from trading import current
    from trading.broker.kite.client import venue_state
    from trading.models import VenueSession

    account = current.account_named()
    told = venue_state(wiring.place())
    session = VenueSession.objects.get(account=account, key=told.venue_session)
    broker = wiring.broker_at(wiring.place(), wiring.clocks_now())
    facts = queries.day_facts(account, session, told.trading_date, broker, now=told.market_at)
    answer = {
        "problems": invariants.problems(facts),
        "unprotected_ms": [group.unprotected_ms for group in facts.groups],
        "trades": len(facts.trades),
        "orders": len(facts.orders),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
