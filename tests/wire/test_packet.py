"""IP packets as bytes: known answers, round trips, sizes, every cut and a great many mutations."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError, WireError
from netglass.wire.address import parse
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.extension import fragment_header
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import (
    decode_packet,
    encode_packet,
    forwarded,
    packet_bytes,
    packet_size,
    reassembled,
)
from netglass.wire.tcp import ACK, SYN, TcpOptions, TcpSegment
from netglass.wire.udp import UdpDatagram
from tests.wire.values import packet_says, packets

A = parse("10.0.0.1")
B = parse("10.0.0.2")
ONE = parse("::1")


def reason(frame: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode_packet(frame)
    return caught.value.reason


def syn_packet(source: bytes = A, destination: bytes = B) -> IpPacket:
    options = TcpOptions(1460, 7, True, None, ((254, b"ab"),))
    segment = TcpSegment(1000, 80, 1, 0, SYN, 0xFFFF, (), 0, 5, 0, (), options)
    return IpPacket(source, destination, TCP, segment)


def data_packet(size: int, source: bytes = A, destination: bytes = B) -> IpPacket:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    return IpPacket(source, destination, TCP, TcpSegment(1, 2, 3, 4, ACK, 5, (payload,), size, 6, 7))


def repaired(frame: bytes) -> bytes:
    """`frame` with the right checksum in its IPv4 header."""
    size = (frame[0] & 15) * 4
    header = frame[:10] + b"\0\0" + frame[12:size]
    return header[:10] + checksum(ones_sum(header)).to_bytes(2, "big") + frame[12:]


# Known answers. The sums were added up by hand; b861 is the widely printed example of an IPv4 header.


def test_an_ipv4_header() -> None:
    packet = IpPacket(parse("192.168.0.1"), parse("192.168.0.199"), UDP, bytes(95))
    header = bytes.fromhex("4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7")
    packet.more_fragments = False
    assert packet_bytes(packet)[:20] == header


def test_an_ipv6_header() -> None:
    packet = IpPacket(ONE, ONE, 59, b"abc", ttl=7, tos=0xB9, flow_label=0x12345)
    frame = bytes.fromhex("6b912345 0003 3b 07") + ONE + ONE + b"abc"
    assert packet_bytes(packet) == frame
    assert packet_says(decode_packet(frame)) == packet_says(packet)


def test_an_echo_request() -> None:
    # 0800 + 0001 + 0001 = 0802
    packet = IpPacket(A, B, ICMP, IcmpMessage(4, 8, 0, 0x00010001))
    assert packet_bytes(packet)[20:] == bytes.fromhex("0800 f7fd 0001 0001")


def test_an_echo_request_over_ipv6() -> None:
    # Pseudo-header 0001 + 0001 + 0008 + 003a = 0044, message 8002.
    packet = IpPacket(ONE, ONE, ICMPV6, IcmpMessage(6, 128, 0, 0x00010001))
    assert packet_bytes(packet)[40:] == bytes.fromhex("8000 7fb9 0001 0001")


def test_a_datagram() -> None:
    # Pseudo-header 141d, datagram 0001 + 0002 + 0009 + 6100 = 610c.
    packet = IpPacket(A, B, UDP, UdpDatagram(1, 2, b"a"))
    assert packet_bytes(packet)[20:] == bytes.fromhex("0001 0002 0009 8ad6 61")


def test_a_datagram_whose_checksum_comes_out_as_zero_sends_all_ones() -> None:
    packet = IpPacket(A, B, UDP, UdpDatagram(1, 2, b"\xeb\xd4"))
    frame = packet_bytes(packet)
    assert frame[26:28] == b"\xff\xff"
    assert packet_says(decode_packet(frame)) == packet_says(packet)


# Round trips


@given(packets())
def test_every_packet_comes_back(packet: IpPacket) -> None:
    frame = packet_bytes(packet)
    assert packet_size(packet) == len(frame)
    got = decode_packet(frame)
    assert packet_says(got) == packet_says(packet)
    assert got.size == len(frame)
    assert packet_bytes(got) == frame
    assert packet_says(decode_packet(memoryview(frame + b"trailer"))) == packet_says(packet)


@given(packets())
def test_forwarding_takes_one_hop_and_nothing_else(packet: IpPacket) -> None:
    packet.ttl = max(1, packet.ttl)
    before = packet_says(packet)
    copy = forwarded(packet)
    assert packet_says(packet) == before
    assert copy.ttl == packet.ttl - 1
    copy.ttl += 1
    assert packet_says(copy) == before
    assert copy.payload is packet.payload


@pytest.mark.parametrize("size", [1, 1460, 8139, 8140, 8141, 65483])
def test_payloads_of_every_size(size: int) -> None:
    packet = data_packet(size)
    frame = packet_bytes(packet)
    for buffer in (frame, memoryview(frame)):
        assert packet_says(decode_packet(buffer)) == packet_says(packet)


def test_a_large_frame_is_not_copied() -> None:
    frame = packet_bytes(data_packet(60000))
    payload = decode_packet(frame).payload
    assert isinstance(payload, TcpSegment)
    (chunk,) = payload.chunks
    assert isinstance(chunk, memoryview)
    assert chunk.obj is frame


def test_headers_come_in_one_buffer_before_the_chunks() -> None:
    packet = data_packet(100)
    assert isinstance(packet.payload, TcpSegment)
    header, chunk = encode_packet(packet)
    assert len(header) == 20 + 20 + 12
    assert chunk is packet.payload.chunks[0]
    header, chunk = encode_packet(IpPacket(A, B, 89, b"xyz"))
    assert (len(header), chunk) == (20, b"xyz")


def test_a_size_once_reckoned_is_remembered() -> None:
    packet = data_packet(100)
    assert packet.size == 0
    assert packet_size(packet) == packet.size == 152
    packet.size = 99
    assert packet_size(packet) == 99


# What malformed bytes do


def test_short_and_foreign_frames() -> None:
    assert reason(b"") == "ip-short"
    assert reason(b"\x45") == "ip-short"
    assert reason(b"\x60" + bytes(38)) == "ip-short"
    for version in (0, 1, 5, 7, 15):
        assert reason(bytes((version << 4,)) + bytes(60)) == "ip-version"


def test_a_header_length_that_cannot_be() -> None:
    frame = packet_bytes(syn_packet())
    assert reason(b"\x44" + frame[1:]) == "ip-header-length"
    assert reason(b"\x46" + frame[1:20]) == "ip-header-length"


def test_a_wrong_header_checksum() -> None:
    frame = packet_bytes(syn_packet())
    assert reason(frame[:8] + b"\x01" + frame[9:]) == "ip-checksum"
    with pytest.raises(WireError, match="ip-checksum"):
        decode_packet(frame[:8] + b"\x01" + frame[9:], verify=False)


def test_a_total_length_smaller_than_the_header() -> None:
    frame = packet_bytes(syn_packet())
    assert reason(repaired(frame[:2] + b"\x00\x13" + frame[4:])) == "ip-length"


def test_a_ttl_of_zero_is_the_hosts_business() -> None:
    packet = syn_packet()
    packet.ttl = 0
    assert decode_packet(packet_bytes(packet)).ttl == 0


def test_datagram_lengths() -> None:
    good = packet_bytes(IpPacket(A, B, UDP, UdpDatagram(1, 2, b"abcd")))
    assert reason(good[:24] + b"\x00\x07" + good[26:]) == "udp-length"
    assert reason(good[:24] + b"\x00\x0d" + good[26:]) == "udp-length"
    assert reason(good[:31] + b"x") == "udp-checksum"
    # Shorter than its packet: the rest is no data, and is not passed on.
    shorter = good[:24] + b"\x00\x0a" + b"\x00\x00" + good[28:]
    got = decode_packet(shorter)
    assert isinstance(got.payload, UdpDatagram)
    assert (got.payload.payload, got.payload.checksummed) == (b"ab", False)
    assert packet_size(got) == len(packet_bytes(got)) == 30


def test_ipv6_datagrams_need_a_checksum() -> None:
    frame = packet_bytes(IpPacket(ONE, ONE, UDP, UdpDatagram(1, 2, b"ab")))
    assert reason(frame[:46] + b"\0\0" + frame[48:]) == "udp-checksum"
    with pytest.raises(MisuseError, match="RFC 8200"):
        packet_bytes(IpPacket(ONE, ONE, UDP, UdpDatagram(1, 2, b"ab", checksummed=False)))


def test_icmp_errors_in_its_bytes() -> None:
    frame = packet_bytes(IpPacket(A, B, ICMP, IcmpMessage(4, 0, 0, 0, b"ping")))
    assert reason(frame[:31] + b"x") == "icmp-checksum"
    assert reason(packet_bytes(IpPacket(A, B, ICMP, bytes(7)))) == "icmp-short"
    assert reason(packet_bytes(IpPacket(A, B, ICMP, bytes(8)))) == "icmp-checksum"


def test_icmp_of_the_other_version_is_only_bytes() -> None:
    assert decode_packet(packet_bytes(IpPacket(A, B, ICMPV6, bytes(8)))).payload == bytes(8)
    assert decode_packet(packet_bytes(IpPacket(ONE, ONE, ICMP, bytes(8)))).payload == bytes(8)


def test_a_fragment_stays_bytes() -> None:
    head = IpPacket(A, B, TCP, bytes(24), dont_fragment=False, more_fragments=True)
    tail = IpPacket(A, B, TCP, bytes(3), dont_fragment=False, fragment_offset=24)
    for fragment in (head, tail):
        got = decode_packet(packet_bytes(fragment))
        assert packet_says(got) == packet_says(fragment)


VALID = [
    IpPacket(
        ONE, ONE, UDP, UdpDatagram(1, 2, b"abc"), options=bytes([0, 0, 1, 4, 0, 0, 0, 0]) + bytes([60, 0]) + bytes(6)
    ),
    syn_packet(),
    syn_packet(ONE, ONE),
    data_packet(50),
    data_packet(51, ONE, ONE),
    IpPacket(A, B, UDP, UdpDatagram(53, 53, b"question")),
    IpPacket(ONE, ONE, UDP, UdpDatagram(53, 53, b"question")),
    IpPacket(A, B, ICMP, IcmpMessage(4, 3, 4, 1400, bytes(range(28)))),
    IpPacket(ONE, ONE, ICMPV6, IcmpMessage(6, 2, 0, 1400, bytes(48))),
    IpPacket(A, B, UDP, b"fragment", fragment_offset=1480, options=b"\x94\x04\0\0"),
    IpPacket(ONE, ONE, TCP, b"some of it", more_fragments=True, options=b"\x2c\0\0\x01abcd"),
]


@pytest.mark.parametrize("packet", VALID)
def test_every_truncation_is_refused(packet: IpPacket) -> None:
    frame = packet_bytes(packet)
    for size in range(len(frame)):
        for verify in (True, False):
            with pytest.raises(WireError, match=r"^ip-"):
                decode_packet(frame[:size], verify)


@pytest.mark.parametrize("packet", VALID)
def test_every_truncation_with_a_length_to_match(packet: IpPacket) -> None:
    # The IP header is right, so it is what stands inside that is cut: refused, or a fragment or unknown bytes.
    frame = packet_bytes(packet)
    header = 40 if frame[0] >> 4 == 6 else (frame[0] & 15) * 4
    for size in range(header, len(frame)):
        if header == 40:
            cut = frame[:4] + (size - 40).to_bytes(2, "big") + frame[6:size]
        else:
            cut = repaired(frame[:2] + size.to_bytes(2, "big") + frame[4:size])
        if packet.options and header == 40 and size < 40 + len(packet.options):
            assert reason(cut) == "ip-extension-short"
        elif isinstance(packet.payload, bytes):
            assert decode_packet(cut).payload == frame[header + len(packet.options) * (header == 40) : size]
        else:
            assert reason(cut).startswith(("tcp-", "udp-", "icmp-"))


@pytest.mark.parametrize("verify", [True, False])
def test_mutations_give_a_packet_or_a_wire_error(verify: bool) -> None:
    # Deterministic and quick: whatever is let through can be passed on, and reads the same at the next hop.
    draw = random.Random(1071)
    frames = [packet_bytes(packet) for packet in VALID]
    passed = 0
    reasons: set[str] = set()
    for i in range(100_000):
        frame = bytearray(frames[i % len(frames)])
        for _ in range(draw.randrange(1, 4)):
            frame[draw.randrange(len(frame))] = draw.randrange(256)
        mutant = bytes(frame)
        if mutant[0] >> 4 == 4:
            mutant = repaired(mutant)
        try:
            packet = decode_packet(mutant, verify)
        except WireError as error:
            reasons.add(error.reason)
            continue
        passed += 1
        if not i & 7:
            again = decode_packet(packet_bytes(packet))
            assert packet_says(again) == packet_says(packet)
            assert packet_size(packet) == len(packet_bytes(packet))
    assert {"ip-version", "ip-length", "ip-header-length", "tcp-data-offset", "udp-length"} <= reasons
    assert ("tcp-checksum" in reasons) is verify
    assert passed > 1000


@given(st.binary(max_size=80))
def test_noise_gives_a_packet_that_can_be_sent_or_a_wire_error(noise: bytes) -> None:
    for first in (b"", b"\x45", b"\x60"):
        try:
            packet_bytes(decode_packet(first + noise, verify=False))
        except WireError:
            continue


# IPv6 extension headers: in `options` each begins with its own type, on the wire with the next one's


HOP_BY_HOP = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # PadN of six bytes
STATIONS = bytes([43, 2, 0, 1, 0, 0, 0, 0]) + ONE  # a Routing header of type 0 with one station left


def test_a_chain_of_extension_headers() -> None:
    options = HOP_BY_HOP + fragment_header(0x12345678, 16, True)
    packet = IpPacket(ONE, ONE, UDP, b"12345678", ident=0x12345678, more_fragments=True, fragment_offset=16)
    packet.options = options
    frame = packet_bytes(packet)
    assert frame[6] == 0  # the fixed header says: Hop-by-Hop
    assert frame[40:48] == bytes([44]) + HOP_BY_HOP[1:]
    assert frame[48:56] == bytes.fromhex("1100 0011 12345678")
    again = decode_packet(frame)
    assert (again.protocol, again.options, again.payload) == (UDP, options, b"12345678")
    assert (again.ident, again.more_fragments, again.fragment_offset) == (0x12345678, True, 16)
    assert again.size == packet_size(packet) == 40 + 16 + 8


def test_an_atomic_fragment_is_whole() -> None:
    packet = IpPacket(ONE, ONE, UDP, UdpDatagram(1, 2, b"all of it"), options=fragment_header(7, 0, False))
    again = decode_packet(packet_bytes(packet))
    assert isinstance(again.payload, UdpDatagram)
    assert (again.payload.payload, again.ident, again.more_fragments) == (b"all of it", 7, False)


def test_what_has_stations_before_it_is_not_read() -> None:
    # Its checksum is that for its last destination.
    packet = IpPacket(ONE, ONE, UDP, b"any bytes", options=STATIONS)
    assert decode_packet(packet_bytes(packet)).payload == b"any bytes"


def test_a_datagram_put_together_again() -> None:
    whole = IpPacket(ONE, ONE, UDP, UdpDatagram(1, 2, b"0123456789"), options=HOP_BY_HOP)
    text = packet_bytes(whole)[48:]
    head = IpPacket(ONE, ONE, UDP, text[:8], more_fragments=True, ident=7)
    head.options = HOP_BY_HOP + fragment_header(7, 0, True)
    assert packet_says(reassembled(head, text)) == packet_says(whole)
    with pytest.raises(WireError, match="udp-checksum"):
        reassembled(head, text[:-1] + b"!")
    # Another Fragment header inside: nobody sends such a thing (RFC 8200 §4.1).
    head.protocol = 44
    with pytest.raises(WireError, match="ip-fragment-nested"):
        reassembled(head, bytes([17, 0, 0, 1, 0, 0, 0, 9]) + text)


# What callers may not do


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (IpPacket(A, ONE, UDP, b""), "both 4 or both 16 bytes; these have 4 and 16"),
        (IpPacket(A, B, UDP, b"", ttl=256), "ttl has 8 bits"),
        (IpPacket(A, B, UDP, b"", tos=-1), "tos has 8 bits"),
        (IpPacket(A, B, UDP, b"", ident=65536), "ident has 16 bits"),
        (IpPacket(A, B, UDP, bytes(65516)), "length has 16 bits"),
        (IpPacket(A, B, UDP, b"", options=b"\x01"), "a multiple of 4 bytes and at most 40"),
        (IpPacket(A, B, UDP, b"", fragment_offset=4), "a multiple of 8 up to 65528; this is 4"),
        (IpPacket(A, B, UDP, b"", fragment_offset=65536), "this is 65536"),
        (IpPacket(A, B, UDP, b"", flow_label=1), "no flow label"),
        (IpPacket(ONE, ONE, UDP, b"", flow_label=1 << 20), "flow_label has 20 bits"),
        (IpPacket(ONE, ONE, UDP, b"", tos=256), "tos has 8 bits"),
        (IpPacket(ONE, ONE, 256, b""), "protocol has 8 bits"),
        (IpPacket(ONE, ONE, UDP, b"", options=bytes(4)), "the last extension header ends at 0; the chain has 4"),
        (IpPacket(ONE, ONE, UDP, b"", options=b"\x11" + bytes(7)), "17 is no type of extension header"),
        (IpPacket(ONE, ONE, UDP, b"", fragment_offset=8), "extension header"),
        (IpPacket(A, B, UDP, UdpDatagram(1, 2, b""), more_fragments=True), "a fragment carries bytes"),
        (IpPacket(A, B, TCP, UdpDatagram(1, 2, b"")), "UdpDatagram goes with protocol 17; the packet says 6"),
        (IpPacket(A, B, UDP, UdpDatagram(1, 65536, b"")), "destination_port has 16 bits"),
        (IpPacket(A, B, UDP, UdpDatagram(1, 2, bytes(65528))), "length with header has 16 bits"),
        (IpPacket(A, B, ICMPV6, IcmpMessage(6, 128, 0)), "version 6 cannot go between addresses of 4 bytes"),
        (IpPacket(A, B, ICMP, IcmpMessage(4, 256, 0)), "type has 8 bits"),
    ],
)
def test_a_packet_that_cannot_be_says_why(wrong: IpPacket, text: str) -> None:
    with pytest.raises(MisuseError, match=text):
        packet_bytes(wrong)


def test_nothing_is_forwarded_that_has_no_hop_left() -> None:
    with pytest.raises(MisuseError, match="time exceeded"):
        forwarded(IpPacket(A, B, UDP, b"", ttl=0))
