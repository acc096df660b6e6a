import base64
import json
import struct
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from tests.trading.broker.kite.samples import text
from trading.broker.kite.frames import BrokenFrame, TickMode, decode, encode, select
from trading.core.ticks import TickFrame

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
INFY, NIFTY_INDEX, CURRENCY = 408065, 256265, 412675


def framed(*packets: bytes) -> bytes:
    body = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
    return struct.pack(">H", len(packets)) + body


def sample_packet(name: str) -> bytes:
    return base64.b64decode(text(name))


def test_kites_full_packet_gives_the_published_values():
    frame = decode(framed(sample_packet("ticker_full.packet")), NOW)
    assert (frame.tokens.tolist(), frame.last_price_paise.tolist()) == ([408065], [157370])
    assert (frame.volume.tolist(), frame.average_price_paise.tolist()) == ([1192471], [157037])
    assert frame.exchange_time_s.tolist() == [1625461887]  # 2021-07-05 10:41:27 IST
    assert frame.open_interest.tolist() == [0]
    assert frame.bid_price_paise.tolist() == [[157340, 157300, 157295, 157290, 157285]]
    assert frame.bid_quantity.tolist() == [[5, 140, 2, 219, 50]]
    assert frame.ask_price_paise.tolist() == [[157370, 157375, 157385, 157390, 157395]]
    assert frame.ask_quantity.tolist() == [[172, 44, 302, 141, 724]]
    assert frame.received_at == NOW


def test_kites_quote_packet_has_no_time_and_no_depth():
    frame = decode(framed(sample_packet("ticker_quote.packet")), NOW)
    assert (frame.last_price_paise.tolist(), frame.volume.tolist()) == ([157315], [1175986])
    assert (frame.exchange_time_s.tolist(), frame.bid_price_paise.tolist()) == ([0], [[0] * 5])


def test_packets_of_all_kinds_keep_their_order_and_equal_the_official_client():
    index = struct.pack(">8I", NIFTY_INDEX, 2600010, 2610000, 2590000, 2595000, 2592000, 8010, 1625461880)
    message = framed(
        struct.pack(">2I", INFY, 157360),
        sample_packet("ticker_full.packet"),
        index,
        index[:28],
        sample_packet("ticker_quote.packet"),
    )
    frame = decode(message, NOW)
    theirs = KiteTicker("key", "token")._parse_binary(message)
    assert frame.tokens.tolist() == [INFY, INFY, NIFTY_INDEX, NIFTY_INDEX, INFY]
    assert frame.last_price_paise.tolist() == [157360, 157370, 2600010, 2600010, 157315]
    assert frame.exchange_time_s.tolist() == [0, 1625461887, 1625461880, 0, 0]
    assert frame.volume.tolist() == [0, 1192471, 0, 0, 1175986]
    assert [round(tick["last_price"] * 100) for tick in theirs] == frame.last_price_paise.tolist()
    assert [tick.get("volume_traded", 0) for tick in theirs] == frame.volume.tolist()
    assert [
        [round(level["price"] * 100) for level in tick["depth"]["sell"]] if "depth" in tick else [0] * 5
        for tick in theirs
    ] == frame.ask_price_paise.tolist()


def test_a_currency_packet_is_left_out_since_a_paisa_is_too_coarse_for_it():
    message = framed(struct.pack(">2I", CURRENCY, 725000000), struct.pack(">2I", INFY, 157360))
    assert decode(message, NOW).tokens.tolist() == [INFY]


def test_a_packet_of_an_unknown_kind_is_passed_over():
    message = framed(b"\x00" * 12, struct.pack(">2I", INFY, 157360))
    assert decode(message, NOW).last_price_paise.tolist() == [157360]


@pytest.mark.parametrize("message", [b"\x00", b"", b"\x00\x00"])
def test_a_heartbeat_is_a_frame_of_no_rows(message):
    assert len(decode(message, NOW)) == 0


@pytest.mark.parametrize(
    "message",
    [
        framed(struct.pack(">2I", INFY, 157360))[:-1],
        struct.pack(">H", 2) + framed(struct.pack(">2I", INFY, 157360))[2:],
        struct.pack(">HH", 1, 0),
    ],
)
def test_a_frame_that_ends_too_soon_is_broken(message):
    with pytest.raises(BrokenFrame, match="announces"):
        decode(message, NOW)


def frame_of(*tokens: int) -> TickFrame:
    count = len(tokens)
    flat = np.arange(1, count + 1, dtype=np.int64)
    ladder = flat[:, None] * 100 + np.arange(5)
    return TickFrame(
        received_at=NOW,
        tokens=np.array(tokens, np.int64),
        last_price_paise=flat * 1000,
        volume=flat * 7,
        average_price_paise=flat * 999,
        open_interest=flat * 3,
        exchange_time_s=flat + 1_795_000_000,
        bid_price_paise=ladder,
        bid_quantity=ladder + 1,
        ask_price_paise=ladder + 2,
        ask_quantity=ladder + 3,
    )


def columns(frame: TickFrame) -> dict[str, list[int]]:
    names = [name for name in TickFrame.__slots__ if name not in ("received_at", "packets")]
    return {name: getattr(frame, name).tolist() for name in names}


def test_a_frame_written_in_full_reads_back_the_same():
    frame = frame_of(INFY, 257, 513)
    assert columns(decode(encode(frame, TickMode.FULL), NOW)) == columns(frame)


def test_the_official_client_reads_what_we_write():
    tick = KiteTicker("key", "token")._parse_binary(encode(frame_of(INFY), TickMode.FULL))[0]
    assert (tick["mode"], tick["instrument_token"], tick["last_price"]) == ("full", INFY, 10.0)
    assert (tick["volume_traded"], tick["oi"], tick["average_traded_price"]) == (7, 3, 9.99)
    assert tick["depth"]["buy"][0] == {"quantity": 101, "price": 1.0, "orders": 0}
    assert tick["depth"]["sell"][4] == {"quantity": 107, "price": 1.06, "orders": 0}
    assert (tick["total_buy_quantity"], tick["total_sell_quantity"]) == (515, 525)


def test_an_index_among_shares_is_written_as_an_index():
    message = encode(frame_of(INFY, NIFTY_INDEX), TickMode.FULL)
    assert len(message) == 2 + 2 + 184 + 2 + 32
    frame = decode(message, NOW)
    assert frame.last_price_paise.tolist() == [1000, 2000]
    assert frame.bid_price_paise.tolist() == [[100, 101, 102, 103, 104], [0] * 5]


@pytest.mark.parametrize(("mode", "length"), [(TickMode.LTP, 8), (TickMode.QUOTE, 44), (TickMode.FULL, 184)])
def test_a_mode_decides_the_length_of_a_packet(mode, length):
    assert len(encode(frame_of(INFY, 257), mode)) == 2 + 2 * (2 + length)


def as_it_came(*packets: bytes) -> TickFrame:
    return replace(decode(framed(*packets), NOW), packets=packets)


@pytest.mark.parametrize(("mode", "length"), [(TickMode.LTP, 8), (TickMode.QUOTE, 44), (TickMode.FULL, 184)])
def test_a_recorded_packet_is_written_as_it_came_as_far_as_the_mode_goes(mode, length):
    packet = sample_packet("ticker_full.packet")
    assert encode(as_it_came(packet), mode) == framed(packet[:length])


def test_a_row_without_a_packet_is_written_by_its_values_among_recorded_ones():
    packet = sample_packet("ticker_full.packet")
    index = struct.pack(">2I", NIFTY_INDEX, 2600010)
    frame = as_it_came(packet, index)
    bare = replace(frame, packets=(packet, b""))
    prices = np.array([[1, 2, 3, 4], [2595000, 2610000, 2590000, 2592000]])
    written = struct.pack(">7I", NIFTY_INDEX, 2600010, 2610000, 2590000, 2595000, 2592000, 0)
    assert encode(bare, TickMode.QUOTE, prices) == framed(packet[:44], written)


def test_picked_rows_keep_the_packets_they_came_in():
    packets = (sample_packet("ticker_full.packet"), struct.pack(">2I", INFY, 1), struct.pack(">2I", 257, 2))
    frame = select(as_it_came(*packets), np.array([2, 0]))
    assert encode(frame, TickMode.FULL) == framed(packets[2], packets[0])


def test_rows_can_be_picked_from_a_frame():
    assert select(frame_of(INFY, 257, 513), np.array([2, 0])).tokens.tolist() == [513, INFY]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_decoder_fail_in_another_way(message):
    try:
        frame = decode(message, NOW)
    except BrokenFrame:
        return
    assert len(frame) <= 0xFFFF


def test_the_published_samples_name_the_same_instrument():
    published = json.loads(text("ticker_full.json"))
    frame = decode(framed(sample_packet("ticker_full.packet")), NOW)
    assert frame.tokens[0] == published["instrument_token"]
    assert frame.last_price_paise[0] == round(published["last_price"] * 100)
