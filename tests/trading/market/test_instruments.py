"""The day's file goes over the old one, keyed by symbol, and one line comes back as the value it was."""

from dataclasses import replace
from datetime import date

import pytest

from tests.days.market import DAY, NIFTY, STEEL
from trading.market import instruments
from trading.market.instruments import UnknownInstrument
from trading.models import Instrument

pytestmark = pytest.mark.django_db


def test_a_line_comes_back_as_it_was_read():
    assert instruments.refresh([NIFTY, STEEL], DAY) == 2
    found = instruments.spec_of("NFO", "NIFTY25NOVFUT", DAY)
    assert found == replace(NIFTY, previous_close_paise=0)


def test_a_new_file_goes_over_the_old_one_and_is_seen_at_once():
    instruments.refresh([NIFTY], DAY)
    assert instruments.spec_of("NFO", "NIFTY25NOVFUT", DAY).lot_size == 75
    instruments.refresh([replace(NIFTY, lot_size=65, instrument_token=42)], date(2026, 1, 1))
    found = instruments.spec_of("NFO", "NIFTY25NOVFUT", DAY)
    assert (found.lot_size, found.instrument_token) == (65, 42)
    assert Instrument.objects.count() == 1
    assert Instrument.objects.get().read_on == date(2026, 1, 1)


def test_a_token_may_pass_on_to_another_symbol():
    instruments.refresh([NIFTY], DAY)
    instruments.refresh([replace(STEEL, instrument_token=NIFTY.instrument_token)], DAY)
    assert Instrument.objects.count() == 2


def test_a_line_is_read_once_a_day(django_assert_num_queries):
    instruments.refresh([NIFTY], DAY)
    with django_assert_num_queries(1):
        for _ in range(5):
            instruments.spec_of("NFO", "NIFTY25NOVFUT", DAY)


def test_an_instrument_of_no_file_is_named_with_what_to_do():
    instruments.refresh([NIFTY], DAY)
    with pytest.raises(UnknownInstrument, match="NFO:BANKNIFTY25NOVFUT is in no instrument file: refresh"):
        instruments.spec_of("NFO", "BANKNIFTY25NOVFUT", DAY)
