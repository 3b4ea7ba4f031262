"""TCP segments as bytes: known answers, Linux's order of options, and what malformed bytes do."""

from __future__ import annotations

import pytest
from hypothesis import given

from netglass.errors import MisuseError, WireError
from netglass.wire.tcp import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    TcpOptions,
    TcpSegment,
    decode_option_list,
    decode_tcp,
    encode_options,
    encode_tcp,
    flag_letters,
    flag_text,
    options_size,
)
from tests.wire.values import raw_segments, segment_says, segments

CLIENT = bytes((10, 0, 0, 1))
SERVER = bytes((10, 0, 0, 2))
# Ports 1000 and 80, seq 1, SYN, the largest window. The checksum was added up by hand:
# pseudo-header 141d, header 543b, together 6858, complement 97a7.
BARE_SYN = bytes.fromhex("03e8 0050 00000001 00000000 5002 ffff 97a7 0000")


def segment(flags: int = ACK, ts: bool = False, sack: int = 0, **options: object) -> TcpSegment:
    made = TcpSegment(1000, 80, 1, 0, flags, 0xFFFF)
    if ts:
        made.ts_val, made.ts_ecr = 0x11223344, 0x55667788
    made.sack = tuple([(i, i + 9) for i in range(sack)])
    if options:
        made.options = TcpOptions(**options)  # type: ignore[arg-type]
    return made


def wire(made: TcpSegment) -> bytes:
    return b"".join(encode_tcp(made, CLIENT, SERVER))


def read(frame: bytes) -> TcpSegment:
    return decode_tcp(frame, CLIENT, SERVER)


def with_options(raw: bytes) -> TcpSegment:
    made = segment(SYN)
    made.raw_options = raw.ljust((len(raw) + 3) & ~3, b"\0")
    return read(wire(made))


def test_a_bare_syn_by_hand() -> None:
    assert wire(segment(SYN)) == BARE_SYN
    syn = read(BARE_SYN)
    assert (syn.source_port, syn.destination_port, syn.seq, syn.ack) == (1000, 80, 1, 0)
    assert (syn.flags, syn.window, syn.chunks, syn.length, syn.options) == (SYN, 0xFFFF, (), 0, None)


TS = "080a 11223344 55667788"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (segment(), ""),
        (segment(ts=True), f"0101 {TS}"),
        (segment(sack=1), "0101 050a 00000000 00000009"),
        (segment(ts=True, sack=1), f"0101 {TS} 0101 050a 00000000 00000009"),
        (segment(SYN, mss=1460), "020405b4"),
        (segment(SYN, ts=True, mss=1460, sack_permitted=True, window_scale=7), f"020405b4 0402 {TS} 01 030307"),
        (segment(SYN, ts=True, mss=1460, window_scale=7), f"020405b4 0101 {TS} 01 030307"),
        (segment(SYN, mss=1460, sack_permitted=True, window_scale=7), "020405b4 0101 0402 01 030307"),
        (segment(SYN, mss=1460, fast_open=b""), "020405b4 2202 0101"),
        (segment(SYN, fast_open=b"12345678"), "220a 3132333435363738 0101"),
        (segment(SYN, fast_open=b"123456"), "2208 313233343536"),
        (segment(SYN, window_scale=0, unknown=((253, b"abc"), (254, b""))), "01030300 fd05 616263 fe02 00"),
    ],
)
def test_options_in_the_order_of_linux(made: TcpSegment, expected: str) -> None:
    raw = bytes.fromhex(expected)
    assert encode_options(made) == raw
    assert options_size(made) == len(raw)
    assert segment_says(read(wire(made))) == segment_says(made)


@given(segments())
def test_every_field_comes_back(made: TcpSegment) -> None:
    frame = wire(made)
    assert segment_says(read(frame)) == segment_says(made)
    assert len(frame) == 20 + options_size(made) + made.length


@given(raw_segments)
def test_option_bytes_that_came_go_on_unchanged(made: TcpSegment) -> None:
    frame = wire(made)
    assert wire(read(frame)) == frame


def test_chunks_are_handed_on_and_not_copied() -> None:
    made = segment(ACK | PSH)
    made.chunks = (b"abc", memoryview(b"de"))
    made.length = 5
    header, first, second = encode_tcp(made, CLIENT, SERVER)
    assert first is made.chunks[0]
    assert second is made.chunks[1]
    assert read(b"".join((header, first, second))).chunks == (b"abcde",)


def test_a_view_of_a_frame_gives_a_view_of_its_payload() -> None:
    made = segment()
    made.chunks, made.length = (b"hello",), 5
    frame = wire(made)
    (chunk,) = decode_tcp(memoryview(frame), CLIENT, SERVER).chunks
    assert isinstance(chunk, memoryview)
    assert chunk.obj is frame
    assert bytes(chunk) == b"hello"


# What malformed bytes do


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "tcp-short"),
        (BARE_SYN[:19], "tcp-short"),
        (BARE_SYN[:12] + b"\x40" + BARE_SYN[13:], "tcp-data-offset"),
        (BARE_SYN[:12] + b"\x60" + BARE_SYN[13:], "tcp-data-offset"),
        (BARE_SYN[:7] + b"\x02" + BARE_SYN[8:], "tcp-checksum"),
    ],
)
def test_a_malformed_header_is_refused(frame: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        read(frame)
    assert caught.value.reason == reason


def test_a_checksum_that_the_link_vouches_for_is_not_looked_at() -> None:
    wrong = BARE_SYN[:16] + b"\0\0" + BARE_SYN[18:]
    with pytest.raises(WireError, match="tcp-checksum"):
        read(wrong)
    assert decode_tcp(wrong, CLIENT, SERVER, verify=False).flags == SYN


@pytest.mark.parametrize(
    ("raw", "mss", "malformed"),
    [
        ("020405b4", 1460, False),
        ("01 020405b4", 1460, False),
        ("020405b4 01010303", 1460, True),  # a window scale that leaves the header
        ("0300 020405b4", -1, True),  # length 0: nothing after it can be read
        ("0301 020405b4", -1, True),
        ("00 020405b4", -1, False),  # behind the end mark
        ("020405b4 02040218", 536, False),  # twice: the last counts
        ("02030500 01", -1, False),  # an MSS of the wrong length is an unknown option
        ("fd0401 020405b4", -1, True),  # kind 253 takes "0102" with it, and "0405b4" wants 5 bytes
        ("010101 fd", -1, True),  # no room for a length
    ],
)
def test_options_are_read_up_to_where_the_list_breaks(raw: str, mss: int, malformed: bool) -> None:
    syn = with_options(bytes.fromhex(raw))
    found = syn.options or TcpOptions()
    assert (found.mss, found.malformed) == (mss, malformed)


def test_a_known_kind_with_a_wrong_length_is_kept_as_unknown() -> None:
    syn = with_options(bytes.fromhex("0205aabbcc 0302 0403dd 0807aabbccddee 0506aabbccdd"))
    assert syn.options is not None
    assert [kind for kind, _ in syn.options.unknown] == [2, 3, 4, 8, 5]
    assert (syn.ts_val, syn.sack, syn.options.malformed) == (-1, (), False)


def test_fast_open_in_its_experimental_form_is_unknown() -> None:
    syn = with_options(bytes.fromhex("fe04f989"))
    assert syn.options is not None
    assert syn.options.fast_open is None
    assert syn.options.unknown == ((254, b"\xf9\x89"),)


def test_timestamps_that_are_not_aligned_are_read_too() -> None:
    got = with_options(bytes.fromhex("080a 00000005 00000006 0101"))
    assert (got.ts_val, got.ts_ecr) == (5, 6)
    assert got.raw_options == bytes.fromhex("080a 00000005 00000006 0101")


def test_the_list_of_options_for_tools() -> None:
    raw = bytes.fromhex("020405b4 01 030307 04 02 00 00")
    assert decode_option_list(raw) == [(2, b"\x05\xb4"), (1, b""), (3, b"\x07"), (4, b""), (0, b"")]
    assert decode_option_list(b"\x01\x03\x00") == [(1, b"")]


# What callers may not do


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (segment(sack=5), "at most 40; these are 44"),
        (segment(ts=True, sack=4), "at most 40; these are 48"),
        (segment(SYN, fast_open=bytes(40)), "at most 40; these are 44"),
        (segment(SYN, mss=1 << 16), "mss has 16 bits"),
        (segment(SYN, window_scale=256), "window_scale has 8 bits"),
        (segment(SYN, unknown=((1, b""),)), "kind 1 has no body"),
        (segment(SYN, unknown=((256, b""),)), "kinds 2 to 255 do"),
        (segment(1 << 12), "flags has 12 bits"),
        (TcpSegment(65536, 80, 0, 0, ACK, 0), "source_port has 16 bits, from 0 to 65535; 65536 does not fit"),
        (TcpSegment(1, 80, 1 << 32, 0, ACK, 0), "seq has 32 bits"),
        (TcpSegment(1, 80, 0, -1, ACK, 0), "ack has 32 bits"),
        (TcpSegment(1, 80, 0, 0, ACK, 0, urgent=65536), "urgent has 16 bits"),
        (TcpSegment(1, 80, 0, 0, ACK, 0, ts_val=7), "ts_ecr has 32 bits"),
        (TcpSegment(1, 80, 0, 0, ACK, 0, sack=((0, 1 << 32),)), "sack edge has 32 bits"),
        (TcpSegment(1, 80, 0, 0, ACK, 0, raw_options=b"\x01"), "a multiple of 4 bytes"),
        (TcpSegment(1, 80, 0, 0, ACK, 0, (b"abc",), 4), "hold 3 bytes, but length says 4"),
    ],
)
def test_a_segment_that_cannot_be_says_why(wrong: TcpSegment, text: str) -> None:
    with pytest.raises(MisuseError, match=text):
        wire(wrong)


def test_flags_as_text() -> None:
    assert flag_text(SYN | ACK) == "SYN,ACK"
    assert flag_letters(SYN | ACK) == "S."
    assert flag_letters(FIN | PSH | ACK) == "FP."
    assert flag_letters(RST) == "R"
    assert flag_text(0x1FF) == "FIN,SYN,RST,PSH,ACK,URG,ECE,CWR,AE"
    assert flag_letters(0x1FF) == "FSRP.UEWA"
    assert (flag_text(0), flag_letters(0)) == ("none", "-")
    assert flag_text(ACK | 0xA00) == "ACK,0xa00"
