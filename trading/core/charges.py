"""What an executed order costs at Zerodha: brokerage, taxes and fees, from dated tables of rates.

Sources of the table in force since 2026-04-01: Zerodha's list of charges, Budget 2026 for STT. The exchange
rates contain the investor protection levy (IPFT), so it is not added again.
`/charges/orders` of Kite is the authority.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from trading.core.enums import Exchange, Side
from trading.core.values import Charges, InstrumentSpec

PAISA = Decimal("0.01")
HUNDRED = Decimal(100)


class Segment(StrEnum):
    """What is traded, as far as its costs are concerned. Shares are intraday (MIS) only."""

    SHARES_INTRADAY = "SHARES_INTRADAY"
    FUTURES = "FUTURES"
    OPTIONS = "OPTIONS"


#: by Kite's instrument_type
SEGMENTS: Mapping[str, Segment] = {
    "EQ": Segment.SHARES_INTRADAY,
    "FUT": Segment.FUTURES,
    "CE": Segment.OPTIONS,
    "PE": Segment.OPTIONS,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Rates of one segment; `_pct` is per cent of the traded value (an option's premium)."""

    #: None: the cap is a flat fee
    brokerage_pct: Decimal | None
    brokerage_cap_inr: Decimal
    stt_sell_pct: Decimal
    stamp_buy_pct: Decimal
    exchange_pct: Mapping[Exchange, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeTable:
    """All rates in force from one day on."""

    effective_from: date
    name: str
    sebi_pct: Decimal
    gst_pct: Decimal
    rates: Mapping[Segment, Rates]


def _exchange_pct(national: str, bombay: str) -> dict[Exchange, Decimal]:
    nse, bse = Decimal(national), Decimal(bombay)
    return {Exchange.NSE: nse, Exchange.NFO: nse, Exchange.BSE: bse, Exchange.BFO: bse}


_TWENTY = Decimal(20)

#: oldest first
TABLES: tuple[ChargeTable, ...] = (
    ChargeTable(
        effective_from=date(2026, 4, 1),
        name="Zerodha, NSE and BSE, 2026-04-01",
        sebi_pct=Decimal("0.0001"),  # ₹10 a crore
        gst_pct=Decimal(18),
        rates={
            Segment.SHARES_INTRADAY: Rates(
                brokerage_pct=Decimal("0.03"),
                brokerage_cap_inr=_TWENTY,
                stt_sell_pct=Decimal("0.025"),
                stamp_buy_pct=Decimal("0.003"),
                exchange_pct=_exchange_pct("0.00307", "0.00375"),
            ),
            Segment.FUTURES: Rates(
                brokerage_pct=Decimal("0.03"),
                brokerage_cap_inr=_TWENTY,
                stt_sell_pct=Decimal("0.05"),
                stamp_buy_pct=Decimal("0.002"),
                exchange_pct=_exchange_pct("0.00183", "0"),
            ),
            Segment.OPTIONS: Rates(
                brokerage_pct=None,
                brokerage_cap_inr=_TWENTY,
                stt_sell_pct=Decimal("0.15"),
                stamp_buy_pct=Decimal("0.003"),
                exchange_pct=_exchange_pct("0.03553", "0.0325"),
            ),
        },
    ),
)


def segment_of(spec: InstrumentSpec) -> Segment:
    """Raises ValueError for an instrument type that has no row in the tables."""
    if spec.instrument_type not in SEGMENTS:
        raise ValueError(
            f"{spec.exchange}:{spec.tradingsymbol} is of type {spec.instrument_type!r}; "
            f"charges are known for {', '.join(SEGMENTS)}"
        )
    return SEGMENTS[spec.instrument_type]


def table_on(trade_date: date) -> ChargeTable:
    """The table in force on a day; a day before the first gets the first: an old day pays today's costs."""
    in_force = [table for table in TABLES if table.effective_from <= trade_date]
    return in_force[-1] if in_force else TABLES[0]


def describe(trade_date: date) -> str:
    """One line for a report: which table a day's charges come from, and whether it is younger than it."""
    table = table_on(trade_date)
    if trade_date < table.effective_from:
        return f"charges: {table.name}; {trade_date} is before it, so the day is charged at today's rates"
    return f"charges: {table.name}"


def charges_of_order(
    segment: Segment, side: Side, quantity: int, price: Decimal, *, trade_date: date, exchange: Exchange
) -> Charges:
    """Costs of one executed order of `quantity` units at its average price in rupees."""
    return charges_of_value(segment, side, price * quantity, trade_date=trade_date, exchange=exchange)


def charges_of_value(
    segment: Segment, side: Side, value_inr: Decimal, *, trade_date: date, exchange: Exchange
) -> Charges:
    """Costs of one executed order whose fills are worth `value_inr` together; no fill costs nothing.

    Each line is computed exactly and rounded once, half up, to the paisa; the total is the sum of the lines.
    STT too is kept to the paisa, as in Kite's virtual contract note; a day's note rounds its sum to rupees.

    Raises:
        ValueError: the value is negative.
    """
    if value_inr < 0:
        raise ValueError(
            f"an order's value is not negative, got {value_inr}; its side says which way it went"
        )
    if value_inr == 0:
        return Charges()
    table = table_on(trade_date)
    rates = table.rates[segment]
    brokerage = rates.brokerage_cap_inr
    if rates.brokerage_pct is not None:
        brokerage = min(brokerage, value_inr * rates.brokerage_pct / HUNDRED)
    exchange_fee = value_inr * rates.exchange_pct[exchange] / HUNDRED
    sebi = value_inr * table.sebi_pct / HUNDRED
    stt = value_inr * rates.stt_sell_pct / HUNDRED if side is Side.SELL else Decimal(0)
    stamp = value_inr * rates.stamp_buy_pct / HUNDRED if side is Side.BUY else Decimal(0)
    gst = (brokerage + exchange_fee + sebi) * table.gst_pct / HUNDRED
    return _note(brokerage, stt, exchange_fee, sebi, stamp, gst)


def _note(*lines_inr: Decimal) -> Charges:
    brokerage, stt, exchange_fee, sebi, stamp, gst = (
        line.quantize(PAISA, rounding=ROUND_HALF_UP) for line in lines_inr
    )
    return Charges(
        brokerage_inr=brokerage,
        stt_inr=stt,
        exchange_inr=exchange_fee,
        sebi_inr=sebi,
        stamp_inr=stamp,
        gst_inr=gst,
        total_inr=brokerage + stt + exchange_fee + sebi + stamp + gst,
    )


def sum_charges(notes: Iterable[Charges]) -> Charges:
    """Add notes line by line."""
    every = tuple(notes)
    zero = Decimal(0)
    return Charges(
        brokerage_inr=sum((note.brokerage_inr for note in every), zero),
        stt_inr=sum((note.stt_inr for note in every), zero),
        exchange_inr=sum((note.exchange_inr for note in every), zero),
        sebi_inr=sum((note.sebi_inr for note in every), zero),
        stamp_inr=sum((note.stamp_inr for note in every), zero),
        gst_inr=sum((note.gst_inr for note in every), zero),
        total_inr=sum((note.total_inr for note in every), zero),
    )


def round_trip_charges_inr(
    segment: Segment,
    side: Side,
    *,
    entry_price: Decimal,
    exit_price: Decimal,
    entry_quantities: Sequence[int],
    exit_quantities: Sequence[int],
    trade_date: date,
    exchange: Exchange,
) -> Decimal:
    """Expected costs of a whole trade in rupees; `side` is the entry's, each quantity is an order of its own.

    Brokerage is per order, so a trade that leaves in two groups pays it three times.

    Raises:
        ValueError: what goes in is not what comes out.
    """
    if sum(entry_quantities) != sum(exit_quantities):
        raise ValueError(
            f"a round trip ends flat: {sum(entry_quantities)} units go in, {sum(exit_quantities)} come out"
        )
    legs = [(side, quantity, entry_price) for quantity in entry_quantities]
    legs += [(side.opposite, quantity, exit_price) for quantity in exit_quantities]
    notes = (
        charges_of_order(segment, way, quantity, price, trade_date=trade_date, exchange=exchange)
        for way, quantity, price in legs
    )
    return sum_charges(notes).total_inr


def round_trip_slippage_inr(quantity: int, spread_paise: int) -> Decimal:
    """Expected rupees lost to the spread: half of it on the way in and half on the way out."""
    return Decimal(quantity * spread_paise) / HUNDRED
