"""The places that speak Kite Connect, as data: what differs between them is a field, never an `if`."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from trading.core.enums import OrderType

ALL_TYPES = frozenset(OrderType)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True, slots=True)
class KiteEnvironment:
    """Where to send and what is taken there. URLs are scheme, host and port: the client drops a path."""

    name: str
    root_url: str
    ticker_url: str
    #: the page a browser logs in at
    login_url: str
    #: goes before every route but the instruments dump's
    route_prefix: str = ""
    order_types: frozenset[OrderType] = ALL_TYPES
    is_real_money: bool = False
    ticker_needs_user_id: bool = False
    #: above the market's own speed it sends the next frame when the last is acknowledged
    paces_frames: bool = False

    def __post_init__(self) -> None:
        for url in (self.root_url, self.ticker_url):
            parts = urlsplit(url)
            if not parts.scheme or not parts.netloc or parts.path not in ("", "/"):
                raise ValueError(
                    f"{self.name}: {url!r} must be scheme, host and port, such as https://api.kite.trade"
                )
            is_here = parts.hostname in LOOPBACK
            if self.is_real_money and not is_here and parts.scheme not in ("https", "wss"):
                raise ValueError(
                    f"{self.name}: {url!r} would send real orders without TLS; use https and wss"
                )

    def at(self, root_url: str, ticker_url: str) -> "KiteEnvironment":
        """The same kind of place at other addresses. Real money's address is fixed: ValueError."""
        if self.is_real_money:
            raise ValueError(f"the address of {self.name} is fixed: real orders go to {self.root_url} only")
        return replace(self, root_url=root_url, ticker_url=ticker_url, login_url=f"{root_url}/connect/login")


EXCHANGE = KiteEnvironment(
    name="exchange",
    root_url="http://127.0.0.1:8010",
    ticker_url="ws://127.0.0.1:8010",
    login_url="http://127.0.0.1:8010/connect/login",
    paces_frames=True,
)

SANDBOX = KiteEnvironment(
    name="sandbox",
    root_url="https://sandbox.kite.trade",
    ticker_url="wss://ws-sandbox.kite.trade",
    login_url="https://sandbox.kite.trade/connect/login",
    route_prefix="/oms",
    order_types=frozenset({OrderType.LIMIT}),
    ticker_needs_user_id=True,
)

PRODUCTION = KiteEnvironment(
    name="production",
    root_url="https://api.kite.trade",
    ticker_url="wss://ws.kite.trade",
    login_url="https://kite.zerodha.com/connect/login",
    is_real_money=True,
)


def rehearsal(root_url: str, ticker_url: str) -> KiteEnvironment:
    """PRODUCTION played on this machine: all that is decided because money is real is decided the same.

    Two things differ: the address, which must be this machine's own, and the time, which the exchange that plays Kite
    tells. Raises ValueError for any other address: a rehearsal never reaches a broker.
    """
    for url in (root_url, ticker_url):
        if urlsplit(url).hostname not in LOOPBACK:
            raise ValueError(f"a rehearsal stays on this machine: {url!r} is not an address of it")
    return replace(
        PRODUCTION,
        name="rehearsal",
        root_url=root_url,
        ticker_url=ticker_url,
        login_url=f"{root_url}/connect/login",
        paces_frames=True,
    )
