"""Whether this process records its day, and where to.

At the paper exchange it does so only when told to: there the seed and the journal are the record, and a second one
would cost disk for nothing. Everywhere else what came is kept by nobody but us.
"""

from collections.abc import Mapping, Sequence

from django.conf import settings

from trading.broker.kite import recorder
from trading.broker.kite.environment import KiteEnvironment
from trading.broker.kite.recorder import Recorder
from trading.core.candles import Bars
from trading.core.values import InstrumentSpec
from trading.desk import Desk


def is_wanted(where: KiteEnvironment) -> bool:
    """By the setting AITRAPP_RECORD: 1, 0, or auto, which leaves out the paper exchange."""
    if settings.RECORD == "auto":
        return not where.paces_frames
    return bool(settings.RECORD == "1")


def begin(
    where: KiteEnvironment, desk: Desk, name: str, specs: Sequence[InstrumentSpec], bars: Mapping[int, Bars]
) -> Recorder | None:
    """One loop's recording of its day, with the minutes that its market began with; None where none is wanted.

    A day at the paper exchange that is begun again is another day, so its session stands in the file's name.
    """
    if not is_wanted(where):
        return None
    ours = recorder.begin(
        settings.VAR_DIR / "recordings",
        desk.trading_date,
        "-".join(word for word in (name, desk.session.key) if word),
        desk.clocks,
        days_kept=settings.RECORD_DAYS,
        max_bytes=settings.RECORD_MAX_MB << 20,
    )
    if ours is not None:
        ours.open(desk.trading_date, where.name, tuple(specs))
        for token, minutes in bars.items():
            ours.bars(token, minutes)
    return ours
