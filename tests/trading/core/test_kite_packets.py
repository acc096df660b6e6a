"""Every field against the official client's parser, on the same bytes."""

import base64
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.broker.kite.samples import text
from tests.trading.core.official_packets import OFFICIAL, differences, framed
from trading.core import kite_packets
from trading.core.kite_packets import BrokenFrame, Packets

INFY, NIFTY_INDEX, CURRENCY = 408065, 256265, 412675
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)
LENGTHS = (8, 28, 32, 44, 184)


@st.composite
def packet(draw, lengths=LENGTHS) -> bytes:
    length = draw(st.sampled_from(lengths))
    token = draw(st.integers(0, 0xFFFFFF)) << 8 | draw(st.sampled_from(SEGMENTS))
    body: bytes = draw(st.binary(min_size=length - 4, max_size=length - 4))
    return struct.pack(">I", token) + body


@settings(deadline=None, max_examples=300)
@given(st.lists(packet(), min_size=1, max_size=12))
def test_every_field_of_every_mode_and_segment_is_the_official_clients(packets):
    message = framed(*packets)
    read = kite_packets.read(message)
    assert differences(read, OFFICIAL._parse_binary(message)) == []
    assert read.lengths.tolist() == [len(one) for one in packets]


@settings(deadline=None)
@given(st.sampled_from(LENGTHS), st.data())
def test_a_frame_of_one_kind_is_the_official_clients_too(length, data):
    packets = data.draw(st.lists(packet((length,)), min_size=2, max_size=5))
    message = framed(*packets)
    assert differences(kite_packets.read(message), OFFICIAL._parse_binary(message)) == []


@pytest.mark.parametrize("name", ["ticker_full.packet", "ticker_quote.packet"])
def test_a_published_packet_is_the_official_clients(name):
    message = framed(base64.b64decode(text(name)))
    assert differences(kite_packets.read(message), OFFICIAL._parse_binary(message)) == []


def test_kites_full_packet_gives_every_published_value():
    packets = kite_packets.read(framed(base64.b64decode(text("ticker_full.packet"))))
    flat = (packets.tokens, packets.last_price, packets.last_quantity, packets.average_price)
    assert [column.tolist() for column in flat] == [[408065], [157370], [7], [157037]]
    totals = (packets.volume, packets.total_buy_quantity, packets.total_sell_quantity)
    assert [column.tolist() for column in totals] == [[1192471], [256443], [363009]]
    day = (packets.open, packets.high, packets.low, packets.close)
    assert [column.tolist() for column in day] == [[156915], [157500], [156105], [156780]]
    assert (packets.last_trade_time_s.tolist(), packets.exchange_time_s.tolist()) == (
        [1625461887],  # 2021-07-05 10:41:27 IST
        [1625461887],
    )
    assert packets.bid_orders.tolist() == [[1, 2, 1, 7, 1]]
    assert packets.ask_orders.tolist() == [[3, 3, 3, 2, 5]]
    assert packets.ask_price.tolist() == [[157370, 157375, 157385, 157390, 157395]]


def test_an_index_packet_puts_high_low_open_and_close_where_a_shares_are():
    index = struct.pack(">8I", NIFTY_INDEX, 2600010, 2610000, 2590000, 2595000, 2592000, 8010, 1625461880)
    packets = kite_packets.read(framed(index, index[:28]))
    day = (packets.open, packets.high, packets.low, packets.close)
    assert [column.tolist() for column in day] == [[2595000] * 2, [2610000] * 2, [2590000] * 2, [2592000] * 2]
    assert packets.exchange_time_s.tolist() == [1625461880, 0]
    assert packets.volume.tolist() == [0, 0]


def test_a_segment_says_in_what_parts_of_a_rupee_it_is_priced():
    tokens = [5 << 8 | segment for segment in (1, 3, 6, 9, 12)]
    packets = kite_packets.read(framed(*(struct.pack(">2I", token, 725_000_000) for token in tokens)))
    assert packets.price_divisors().tolist() == [100, 10_000_000, 10_000, 100, 10_000]


def test_all_columns_are_native_whole_numbers_of_eight_bytes():
    packets = kite_packets.read(framed(struct.pack(">2I", INFY, 1), struct.pack(">11I", INFY, *range(10))))
    columns = [getattr(packets, name) for name in Packets.__slots__]
    assert {column.dtype for column in columns} == {np.dtype(np.int64)}
    assert {column.shape for column in columns} == {(2,), (2, 5)}


def test_a_packet_of_an_unknown_kind_is_left_out_however_long_it_is():
    long, known = b"\x01" * 300, struct.pack(">2I", INFY, 157360)
    packets = kite_packets.read(framed(long, known, b"\x00" * 12, known))
    assert (packets.lengths.tolist(), packets.last_price.tolist()) == ([8, 8], [157360, 157360])


def test_a_message_comes_apart_into_its_bare_packets():
    packets = [b"\x01" * 300, struct.pack(">2I", INFY, 157360), b"\x00" * 12]
    assert list(kite_packets.packets_of(framed(*packets))) == packets
    assert list(kite_packets.packets_of(framed(*packets) + b"more")) == packets
    assert list(kite_packets.packets_of(b"\x00")) == []


@pytest.mark.parametrize("cut", [1, 7, 180])
def test_a_frame_cut_off_is_broken_in_the_middle_of_any_kind(cut):
    message = framed(struct.pack(">2I", INFY, 1), struct.pack(">46I", INFY, *range(45)))
    with pytest.raises(BrokenFrame, match="packet 2 of 2 announces 184 bytes at 14"):
        kite_packets.read(message[:-cut])
