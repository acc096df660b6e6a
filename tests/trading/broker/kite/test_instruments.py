from datetime import date

import pytest

from tests.trading.broker.kite.samples import text
from trading.broker.kite.instruments import UnreadableInstruments, read_specs
from trading.core.enums import Exchange
from trading.core.values import InstrumentSpec

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
FILE = [
    HEADER,
    "408065,1594,INFY,INFOSYS,0,,0,0.1,1,EQ,NSE,NSE",
    "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
    "15000066,58594,NIFTY26NOVFUT,NIFTY,26000.5,2026-11-24,0,0.1,65,FUT,NFO-FUT,NFO",
    "15000322,58595,BANKNIFTY26NOVFUT,BANKNIFTY,0,2026-11-24,0,0.2,30,FUT,NFO-FUT,NFO",
    '15000578,58596,NIFTY26N2426000CE,"NIFTY",0,2026-11-24,26000.0,0.05,65,CE,NFO-OPT,NFO',
    "500209,1953,INFY,INFOSYS,0,,0,0.05,1,EQ,BSE,BSE",
    "53496327,208970,GOLDPETAL26NOVFUT,GOLDPETAL,0,2026-11-30,0,1,1,FUT,MCX-FUT,MCX",
]


def specs(lines=FILE, **wanted) -> list[InstrumentSpec]:
    return list(read_specs(lines, **{"exchanges": [Exchange.NSE, Exchange.NFO], **wanted}))


def test_shares_and_futures_of_the_wanted_exchanges_are_read_without_indices():
    assert [spec.tradingsymbol for spec in specs()] == ["INFY", "NIFTY26NOVFUT", "BANKNIFTY26NOVFUT"]


def test_a_future_has_its_lot_tick_and_expiry_from_the_file():
    (spec,) = specs(names=["NIFTY"])
    assert spec == InstrumentSpec(
        exchange=Exchange.NFO,
        tradingsymbol="NIFTY26NOVFUT",
        instrument_token=15000066,
        name="NIFTY",
        instrument_type="FUT",
        segment="NFO-FUT",
        lot_size=65,
        tick_size_paise=10,
        expiry=date(2026, 11, 24),
    )


def test_an_option_has_its_strike_in_paise():
    (spec,) = specs(instrument_types=["CE"], names=["NIFTY"])
    assert (spec.strike_paise, spec.tick_size_paise) == (2_600_000, 5)


def test_a_share_is_wanted_by_its_symbol():
    assert [spec.instrument_token for spec in specs(names=["INFY"])] == [408065]
    assert specs(names=["INFOSYS"]) == []


def test_the_published_file_is_read():
    found = specs(text("instruments_nse.csv").splitlines())
    assert (found[0].tradingsymbol, found[0].tick_size_paise, found[0].lot_size) == ("CENTRALBK-BE", 5, 1)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "fetch it again"),
        (["<html>502 Bad Gateway</html>"], "no instrument_token, tradingsymbol"),
        ([HEADER, "408065,1594,INFY"], "line 2 is cut short"),
        ([HEADER, FILE[1].replace(",0.1,1,", ",0,1,")], "line 2, INFY: a lot or tick of 0 is none"),
        ([HEADER, FILE[1].replace(",0.1,1,", ",dear,1,")], "line 2, INFY"),
        ([HEADER, FILE[3].replace("2026-11-24", "soon")], "line 2, NIFTY26NOVFUT: Invalid isoformat"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_its_line(lines, reason):
    with pytest.raises(UnreadableInstruments, match=reason):
        specs(lines)


def test_broken_rows_of_what_nobody_wants_do_no_harm():
    assert len(specs([*FILE, FILE[7].replace(",1,1,FUT", ",,x,FUT"), ""])) == 3
