"""The short way from bytes to a packet finds what the long way finds, or leaves it to that."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import WireError
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import _decode_long_way, packet_bytes
from netglass.wire.plain import decode_plain
from netglass.wire.tcp import TcpSegment
from tests.wire.values import packet_says, packets, segments


def long_way(frame: bytes, verify: bool) -> IpPacket | None:
    try:
        return _decode_long_way(frame, verify)
    except WireError:
        return None


@given(packets(), st.booleans(), st.binary(max_size=9))
def test_both_ways_say_the_same(packet: IpPacket, verify: bool, behind: bytes):
    frame = packet_bytes(packet) + behind
    short = decode_plain(frame, verify)
    if short is not None:
        whole = _decode_long_way(frame, verify)
        assert packet_says(short) == packet_says(whole)
        assert short.size == whole.size
        assert isinstance(short.payload, TcpSegment)
        assert isinstance(whole.payload, TcpSegment)
        assert short.payload.raw_options == whole.payload.raw_options


@given(segments(), st.binary(min_size=4, max_size=4))
def test_ordinary_segments_go_the_short_way(segment: TcpSegment, address: bytes):
    assert decode_plain(packet_bytes(IpPacket(address, b"abcd", TCP, segment)), True) is not None


@given(segments(), st.randoms(use_true_random=False), st.booleans())
def test_what_is_broken_is_left_to_the_long_way(segment: TcpSegment, dice: random.Random, mend: bool):
    frame = bytearray(packet_bytes(IpPacket(b"\1\2\3\4", b"\5\6\7\x08", TCP, segment)))
    for _ in range(dice.randint(1, 3)):
        frame[dice.randrange(len(frame))] = dice.randrange(256)
    if mend:
        frame[10:12] = b"\0\0"
        frame[10:12] = checksum(ones_sum(bytes(frame[:20]))).to_bytes(2, "big")
    for cut in (len(frame), dice.randrange(len(frame))):
        data = bytes(frame[:cut])
        for verify in (True, False):
            short = decode_plain(data, verify)
            whole = long_way(data, verify)
            if short is not None:
                assert whole is not None
                assert packet_says(short) == packet_says(whole)
