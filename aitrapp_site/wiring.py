"""Where parts become a system: settings, broker, clocks and market of one trading day, opened for a loop.

Everything below is handed what it works with; only here is it decided which broker, which clock, which books.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from threading import Event
from typing import Final

import structlog
from django.conf import settings

from aitrapp_site import kite_token, recordings
from aitrapp_site.clocks import MachineClocks, VenueClocks
from trading import current, feed, universe
from trading.broker.base import BrokerUnavailable
from trading.broker.kite import environment, instruments
from trading.broker.kite.client import KiteBroker, venue_state
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.frames import TickMode
from trading.broker.kite.ticker import Ticker, TickerCalls
from trading.broker.kite.venue_clock import VenueState
from trading.core.candles import Bars
from trading.core.clocks import Clocks
from trading.core.enums import Exchange
from trading.core.market_state import MarketState
from trading.core.session import DayTimes, Session, at
from trading.core.values import InstrumentSpec
from trading.desk import Desk
from trading.exchange import contracts
from trading.exchange.synthetic import FUTURES, SHARES
from trading.feed import Feed
from trading.lease import Held
from trading.market import calendar
from trading.market import instruments as instrument_rows
from trading.models import Account, VenueSession
from trading.wakeups import Bell

log = structlog.get_logger(__name__)

#: calendar days that hold at least three trading days, whatever holidays and weekends lie between
WARM_UP_SPAN: Final = timedelta(days=12)
QUOTES_PER_CALL: Final = 500
#: Kite takes three historical calls a second; our own exchange is asked again only when it says so
TOO_MANY_WAIT_S: Final = 0.35
TRIES: Final = 8


class WrongLogin(Exception):
    """The token opens another account than the one that trades. Log in as that user, or set ACCOUNT_NAME."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDay:
    """One trading day as a loop works on it."""

    desk: Desk
    #: the desk's own broker, with what only Kite offers
    broker: KiteBroker
    market: MarketState
    sessions: tuple[Session, ...]
    clocks: MachineClocks
    #: of the login it was opened with; another one in use means that the day is opened anew
    access_token: str = field(repr=False)
    #: what the market was warmed up with, where the day is recorded, until it is
    bars: dict[int, Bars] = field(default_factory=dict, repr=False)


def place() -> KiteEnvironment:
    """Where orders go, from the settings."""
    match settings.KITE_ENVIRONMENT:
        case "sandbox":
            return environment.SANDBOX
        case "production":
            return environment.PRODUCTION
        case "rehearsal":
            return environment.rehearsal(settings.EXCHANGE_URL, settings.EXCHANGE_TICKER_URL)
        case _:
            return environment.EXCHANGE.at(settings.EXCHANGE_URL, settings.EXCHANGE_TICKER_URL)


def clocks_now() -> MachineClocks:
    """The clocks an edge acts under: the exchange's market time where it answers, else the computer's."""
    where = place()
    if not where.paces_frames:
        return MachineClocks()
    try:
        state = venue_state(where)
    except BrokerUnavailable:
        return MachineClocks()
    return VenueClocks(state.market_at, state.speed)


def open_day(account: Account, held: Held) -> OpenDay:
    """Books, broker, clocks, and a market that knows its circuit limits and nothing else: see `warm_up`.

    Raises BrokerUnavailable, SessionExpired or WrongLogin.
    """
    where = place()
    state = venue_state(where) if where.paces_frames else None
    clocks = VenueClocks(state.market_at, state.speed) if state else MachineClocks()
    token = kite_token.of_account(account.pk, where.name)
    broker = broker_with(where, token, clocks, state.venue_session if state else "")
    user = broker.user_id()
    if user != account.broker_user:
        raise WrongLogin(f"the token is {user}'s, the account {account} trades as {account.broker_user}")
    trading_date = state.trading_date if state else clocks.market_now().date()
    specs = tuple(watched_specs(broker, trading_date, watched_names(account.pk)))
    instrument_rows.refresh(specs, trading_date)
    sessions = calendar.sessions_of(specs, trading_date)
    market = MarketState(specs, sessions)
    _take_circuits(broker, market)
    desk = Desk(
        account=account,
        session=_session(account, state, clocks),
        trading_date=trading_date,
        broker=broker,
        clocks=clocks,
        lease=held,
        installation=settings.INSTALLATION,
    )
    return OpenDay(
        desk=desk, broker=broker, market=market, sessions=sessions, clocks=clocks, access_token=token
    )


def warm_up(day: OpenDay, meanwhile: Callable[[], object]) -> None:
    """Give the market the closed minutes of the days before and of today so far, before its first tick.

    It takes a second or more; `meanwhile` is called between two questions. Raises BrokerUnavailable or
    SessionExpired.
    """
    begin, end = at(day.desk.trading_date, DayTimes().opens) - WARM_UP_SPAN, day.clocks.market_now()
    bars: dict[int, Bars] = {}
    for spec in day.market.specs:
        bars[spec.instrument_token] = minute_bars(day.broker, spec.instrument_token, begin, end)
        meanwhile()
    day.market.warm_up(bars)
    if recordings.is_wanted(place()):
        day.bars.update(bars)
    meanwhile()


def broker_at(where: KiteEnvironment, clocks: MachineClocks) -> KiteBroker:
    """The installation's own account as a broker, by the login in use."""
    return broker_with(where, kite_token.of_installation(where.name), clocks)


def broker_with(
    where: KiteEnvironment, access_token: str, clocks: Clocks, venue_session: str = ""
) -> KiteBroker:
    """A broker by this very token."""
    return KiteBroker(
        where,
        api_key=settings.KITE_API_KEY,
        access_token=access_token,
        clocks=clocks,
        venue_session=venue_session,
    )


def refresh_instruments() -> int:
    """Read the day's instrument file into rows; how many are watched. Raises BrokerUnavailable."""
    clocks = clocks_now()
    today, names = clocks.market_now().date(), watched_names(current.account_named().pk)
    return instrument_rows.refresh(tuple(watched_specs(broker_at(place(), clocks), today, names)), today)


def open_feed(day: OpenDay, bell: Bell, announce: str) -> Feed:
    """Connect to the day's ticks and order updates; they ring `bell`."""
    recorder = recordings.begin(place(), day.desk, announce, day.market.specs, day.bars)
    day.bars.clear()
    day.broker.record_to(recorder)
    ticker = Ticker(
        place(),
        api_key=settings.KITE_API_KEY,
        access_token=day.access_token,
        user_id=day.desk.account.broker_user,
        clocks=day.clocks,
        announce=announce,
        recorder=recorder,
        calls=TickerCalls(
            connected=lambda: bell.ring(feed.CONNECTED),
            frame=lambda: bell.ring(feed.FRAME),
            clock=lambda: bell.ring(feed.FRAME),
            order_update=lambda report: feed.ring_order(bell, report.broker_order_id if report else ""),
            session_expired=lambda: bell.ring(feed.LOGIN_DEAD),
        ),
    )
    ticker.watch({spec.instrument_token: TickMode.FULL for spec in day.market.specs})
    ticker.start()
    return Feed(ticker, day.clocks.stamp, recorder)


def _session(account: Account, state: VenueState | None, clocks: MachineClocks) -> VenueSession:
    session, _ = VenueSession.objects.get_or_create(
        account=account,
        key=state.venue_session if state else "",
        defaults={
            "market": state.market if state else settings.KITE_ENVIRONMENT,
            "description": state.description if state else "",
            "started_at": state.market_at if state else clocks.market_now(),
        },
    )
    return session


def watched_names(account_id: int) -> frozenset[str]:
    """The account's universe; without rows the setting's, without that the synthetic market's."""
    return universe.names_of(account_id) or default_names()


def default_names() -> frozenset[str]:
    """What is watched where no row says otherwise."""
    return frozenset(settings.INSTRUMENTS or (*FUTURES, *SHARES))


def watched_specs(broker: KiteBroker, trading_date: date, names: frozenset[str]) -> Iterable[InstrumentSpec]:
    """The front-month futures and the shares of these names."""
    front: dict[str, InstrumentSpec] = {}
    futures = instruments.read_specs(
        broker.instrument_lines(Exchange.NFO), exchanges=[Exchange.NFO], names=names, instrument_types=["FUT"]
    )
    for spec in futures:
        best = front.get(spec.name)
        if (
            spec.expiry
            and spec.expiry >= trading_date
            and not (best and best.expiry and best.expiry <= spec.expiry)
        ):
            front[spec.name] = spec
    for name, spec in front.items():
        known = name in contracts.FREEZES
        freeze = contracts.freeze_quantity(name, trading_date) if known else spec.freeze_quantity
        yield replace(spec, freeze_quantity=freeze)
    shares = instruments.read_specs(
        broker.instrument_lines(Exchange.NSE), exchanges=[Exchange.NSE], names=names, instrument_types=["EQ"]
    )
    for spec in shares:
        # The file does not say; the shares we watch all have futures, and leaving a share earlier is never wrong.
        yield replace(spec, has_derivatives=True)


def minute_bars(broker: KiteBroker, token: int, begin: datetime, end: datetime) -> Bars:
    """One instrument's minutes; asked again a little later where the broker says that it was too often."""
    for _ in range(TRIES - 1):
        try:
            return broker.minute_bars(token, begin, end)
        except BrokerUnavailable as error:
            if error.http_status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            Event().wait(TOO_MANY_WAIT_S)
    return broker.minute_bars(token, begin, end)


def _take_circuits(broker: KiteBroker, market: MarketState) -> None:
    """Put the day's circuit limits into the market; without them a price is clamped by its tick alone."""
    names = {f"{spec.exchange}:{spec.tradingsymbol}": slot for slot, spec in enumerate(market.specs)}
    wanted = list(names)
    try:
        for first in range(0, len(wanted), QUOTES_PER_CALL):
            for name, quote in broker.quotes(wanted[first : first + QUOTES_PER_CALL]).items():
                market.lower_circuit_paise[names[name]] = quote.lower_circuit_paise
                market.upper_circuit_paise[names[name]] = quote.upper_circuit_paise
    except BrokerUnavailable as error:
        log.warning("circuits_unknown", reason=str(error))
