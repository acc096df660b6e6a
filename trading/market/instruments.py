"""The newest instrument file as rows, and one instrument as a value."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from trading.core.enums import Exchange
from trading.core.money import to_inr, to_paise
from trading.core.values import InstrumentSpec
from trading.models import Instrument

_COLUMNS = (
    "instrument_token",
    "name",
    "instrument_type",
    "segment",
    "lot_size",
    "tick_size_paise",
    "expiry",
    "strike",
    "freeze_quantity",
    "has_derivatives",
    "read_on",
)


class UnknownInstrument(LookupError):
    """No instrument file named it yet. Refresh the instruments, or check the symbol."""


def refresh(specs: Iterable[InstrumentSpec], read_on: date) -> int:
    """Write the day's lines over the old ones, keyed by (exchange, tradingsymbol). Returns how many."""
    rows = [
        Instrument(
            exchange=spec.exchange,
            tradingsymbol=spec.tradingsymbol,
            instrument_token=spec.instrument_token,
            name=spec.name,
            instrument_type=spec.instrument_type,
            segment=spec.segment,
            lot_size=spec.lot_size,
            tick_size_paise=spec.tick_size_paise,
            expiry=spec.expiry,
            strike=to_inr(spec.strike_paise),
            freeze_quantity=spec.freeze_quantity,
            has_derivatives=spec.has_derivatives,
            read_on=read_on,
        )
        for spec in specs
    ]
    Instrument.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["exchange", "tradingsymbol"],
        update_fields=list(_COLUMNS),
        batch_size=2000,
    )
    spec_of.cache_clear()
    return len(rows)


@lru_cache(maxsize=4096)
def spec_of(exchange: str, tradingsymbol: str, trading_date: date) -> InstrumentSpec:
    """One instrument of the day's file, read once a day. Raises UnknownInstrument."""
    row = Instrument.objects.filter(exchange=exchange, tradingsymbol=tradingsymbol).first()
    if row is None:
        raise UnknownInstrument(
            f"{exchange}:{tradingsymbol} is in no instrument file: refresh the instruments"
        )
    return InstrumentSpec(
        exchange=Exchange(row.exchange),
        tradingsymbol=row.tradingsymbol,
        instrument_token=row.instrument_token,
        name=row.name,
        instrument_type=row.instrument_type,
        segment=row.segment,
        lot_size=row.lot_size,
        tick_size_paise=row.tick_size_paise,
        expiry=row.expiry,
        strike_paise=to_paise(row.strike),
        freeze_quantity=row.freeze_quantity,
        has_derivatives=row.has_derivatives,
    )
