"""Writes trading/exchange/KITE.md: the Python client's public surface, and which of it the exchange serves.

python -m tests.conformance.page
"""

from typing import Final

from tests.conformance.surface import TABLE
from tests.trading.exchange.exchange_process import ROOT

PAGE: Final = ROOT / "trading" / "exchange" / "KITE.md"
HEAD: Final = """# What the paper exchange serves of Kite Connect v3

Each row is a public method of `kiteconnect` 5.2.2, driven unmodified against the running exchange by
`pytest tests/conformance`, which compares every field of every answer with Zerodha's published samples, in name, type
and form. A row says *pass* when that holds. The rows are read from the installed client, so a new method fails the
suite until it has one. Written by `python -m tests.conformance.page`.

The suite drives another address with

```
KITE_API_KEY=… KITE_API_SECRET=… KITE_ACCESS_TOKEN=… pytest tests/conformance \\
    --kite-root http://127.0.0.1:8010 --kite-ticker ws://127.0.0.1:8010
```

It buys and sells single shares there: not for an account with real money.

| method | group | |
|---|---|---|
"""
TAIL: Final = """
What is otherwise here than at Zerodha, on purpose:

- `/connect/login` logs in whoever presses its button; a request without `Accept: text/html` gets the request token as
  JSON at once. `--redirect` registers the address that the browser is sent on to, with `redirect_params` echoed.
- The access token that the launcher prints lives until somebody logs in or out; one from a login dies at 06:00 IST of
  market time. A request token is good once, for five minutes of machine time.
- Positions and orders end with the trading day; there are no holdings, mutual funds or alerts. Reading them finds
  nothing, writing answers 400 InputException. Triggers (GTT) wait on, as long as the same market and account are run
  in the same journal folder: through the days of one run, and from a finished day to a later one.
- The closing auction (shares with F&O, since 3 August 2026) trades at the last price that its market shows after
  15:15, within the band, or at the reference where none comes; which request is refused how is a guess.
- `--postback` registers the address that order updates are posted to; a further account names its own.
- Whoever is on the exchange's machine can end the login in the middle of the day (`DELETE /_exchange/token`), have
  something said on every ticker (`POST /_exchange/messages`, `{"text": "…"}`), open further accounts
  (`/_exchange/accounts`), set faults (`/_exchange/faults`) and have an order cancelled as the broker's own desk would
  (`POST /_exchange/cancel`, `{"order_id": "…"}`).
- An index is its nearest future's price less the interest to its expiry.
- Margins know no hedge benefit: a basket's `final` is its `initial`.
"""


def text() -> str:
    rows = (f"| `{name}` | {row.group} | {row.verdict} |\n" for name, row in TABLE.items())
    return HEAD + "".join(rows) + TAIL


if __name__ == "__main__":
    PAGE.write_text(text())
