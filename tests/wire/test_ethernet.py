"""Frames, ARP and MAC addresses as bytes: known answers, round trips, every cut, and a great many mutations."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError, WireError
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, REQUEST, REVERSE_REQUEST, ArpMessage, decode_arp, encode_arp
from netglass.wire.ethernet import (
    BROADCAST_MAC,
    NO_MAC,
    UNTAGGED,
    EthernetFrame,
    decode_frame,
    frame_bytes,
    group_mac,
    is_group_mac,
    mac_text,
    parse_mac,
    split_frame,
)
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes
from netglass.wire.udp import UdpDatagram
from tests.wire.values import packet_says, packets

ONE = parse_mac("02:00:00:00:00:01")
TWO = parse_mac("02:00:00:00:00:02")
A = parse("10.0.0.1")
B = parse("10.0.0.2")
ASK = ArpMessage(REQUEST, ONE, A, NO_MAC, B)
# RFC 826's fields in their order: Ethernet, IPv4, sizes, operation, sender, target.
ASK_BYTES = bytes.fromhex("0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002")


def reason(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode_frame(data)
    return caught.value.reason


def test_a_question_as_bytes() -> None:
    frame = EthernetFrame(BROADCAST_MAC, ONE, ASK)
    data = frame_bytes(frame)
    assert data == b"\xff" * 6 + ONE + b"\x08\x06" + ASK_BYTES
    assert frame.size == len(data) == 42


def test_a_tag_stands_before_the_type() -> None:
    packet = IpPacket(A, B, 17, UdpDatagram(1, 2, b"x"))
    frame = EthernetFrame(TWO, ONE, packet, tag=0xA00A)  # priority 5, VLAN 10
    data = frame_bytes(frame)
    assert data[12:18] == bytes.fromhex("8100 a00a 0800")
    assert frame.size == len(data) == 18 + 29
    back = decode_frame(data)
    assert (back.tag, back.vlan, back.type) == (0xA00A, 10, 0x0800)
    assert frame.tagged(UNTAGGED).size == 14 + 29


def test_padding_is_cut_off() -> None:
    packet = IpPacket(A, B, 17, UdpDatagram(1, 2, b"x"))
    frame = decode_frame(frame_bytes(EthernetFrame(TWO, ONE, packet)) + bytes(17))
    assert frame.size == 14 + 29
    assert isinstance(decode_frame(frame_bytes(EthernetFrame(TWO, ONE, ASK)) + bytes(18)).payload, ArpMessage)


@given(packets(), st.integers(-1, 0xFFFF), st.binary(min_size=6, max_size=6), st.binary(min_size=6, max_size=6))
def test_any_packet_survives_the_way_through_bytes(packet: IpPacket, tag: int, to: bytes, by: bytes) -> None:
    frame = EthernetFrame(to, by, packet, tag=tag)
    back = decode_frame(frame_bytes(frame))
    assert (back.destination, back.source, back.tag, back.type) == (to, by, tag, frame.type)
    assert isinstance(back.payload, IpPacket)
    assert packet_says(back.payload) == packet_says(decode_packet(packet_bytes(packet)))


@given(st.integers(1, 4), st.binary(min_size=20, max_size=20))
def test_any_arp_message_survives(operation: int, data: bytes) -> None:
    message = ArpMessage(operation, data[:6], data[6:10], data[10:16], data[16:])
    back = decode_arp(encode_arp(message))
    assert back.operation == operation
    assert (back.sender_mac, back.sender, back.target_mac, back.target) == (
        data[:6],
        data[6:10],
        data[10:16],
        data[16:],
    )


def test_what_is_wrong_has_a_name() -> None:
    arp = frame_bytes(EthernetFrame(BROADCAST_MAC, ONE, ASK))
    assert reason(arp[:13]) == "ethernet-short"
    assert reason(arp[:12] + b"\x81\x00\x00\x0a\x08") == "ethernet-short"
    assert reason(arp[:41]) == "arp-short"
    assert reason(arp[:15] + b"\x06" + arp[16:]) == "arp-format"  # IEEE 802 hardware
    assert reason(arp[:21] + b"\x09" + arp[22:]) == "arp-operation"
    assert reason(arp[:12] + b"\x80\x35" + arp[14:]) == "arp-operation"  # ARP under RARP's type
    packet = packet_bytes(IpPacket(A, B, 17, UdpDatagram(1, 2, b"x")))
    assert reason(ONE + TWO + b"\x86\xdd" + packet) == "ip-version"  # IPv4 under IPv6's type


def test_what_is_neither_ip_nor_arp_stays_bytes() -> None:
    frame = decode_frame(ONE + TWO + b"\x88\xcc" + b"LLDP")
    assert (frame.type, frame.payload) == (0x88CC, b"LLDP")
    stacked = decode_frame(ONE + TWO + bytes.fromhex("8100 000a 8100 0014") + b"inner")
    assert (stacked.vlan, stacked.type, stacked.payload) == (10, 0x8100, b"\x00\x14inner")


def test_a_switch_reads_the_header_only() -> None:
    data = bytearray(frame_bytes(EthernetFrame(TWO, ONE, IpPacket(A, B, 17, UdpDatagram(1, 2, b"x")))))
    data[20] ^= 1  # the IP header's checksum is wrong now
    assert reason(bytes(data)) == "ip-checksum"
    frame = split_frame(bytes(data))
    assert frame_bytes(frame) == bytes(data)


def test_every_cut_and_many_mutations_are_survived() -> None:
    draw = random.Random(1)
    frames = [
        frame_bytes(EthernetFrame(BROADCAST_MAC, ONE, ASK)),
        frame_bytes(EthernetFrame(TWO, ONE, ArpMessage(REVERSE_REQUEST, ONE, A, ONE, B), tag=7)),
        frame_bytes(EthernetFrame(TWO, ONE, IpPacket(A, B, 17, UdpDatagram(1, 2, b"hello")), tag=10)),
    ]
    read = 0
    for data in frames:
        for cut in range(len(data)):
            survive(data[:cut])
        for _ in range(2000):
            changed = bytearray(data)
            for _ in range(draw.randint(1, 4)):
                changed[draw.randrange(len(data))] = draw.randrange(256)
            read += survive(bytes(changed))
    assert read > 500


def survive(data: bytes) -> bool:
    try:
        frame = decode_frame(data)
    except WireError:
        return False
    assert len(frame_bytes(frame)) <= len(data)
    return True


def test_what_cannot_be_put_into_bytes_is_told() -> None:
    with pytest.raises(MisuseError, match="6 bytes"):
        frame_bytes(EthernetFrame(b"short", ONE, ASK))
    with pytest.raises(MisuseError, match="Ethernet type"):
        EthernetFrame(TWO, ONE, b"what is this?")
    with pytest.raises(MisuseError, match="16 bits"):
        frame_bytes(EthernetFrame(TWO, ONE, ASK, tag=0x10000))
    with pytest.raises(MisuseError, match="operation"):
        encode_arp(ArpMessage(9, ONE, A, ONE, B))
    with pytest.raises(MisuseError, match="MAC"):
        encode_arp(ArpMessage(REPLY, b"", A, ONE, B))
    with pytest.raises(MisuseError, match="IPv4"):
        encode_arp(ArpMessage(REPLY, ONE, bytes(16), ONE, B))


def test_mac_addresses_as_text() -> None:
    assert parse_mac("02-00-00-00-00-01") == ONE
    assert mac_text(parse_mac("2:0:0:0:a:FF")) == "02:00:00:00:0a:ff"
    for wrong in ("", "02:00:00:00:00", "02:00:00:00:00:0g", "020000000001", "002:0:0:0:0:0", "+2:0:0:0:0:0"):
        with pytest.raises(MisuseError, match="02:00:00:00:00:01"):
            parse_mac(wrong)


def test_groups_have_macs() -> None:
    assert group_mac(parse("239.129.2.3")) == parse_mac("01:00:5e:01:02:03")  # RFC 1112: 23 bits
    assert group_mac(parse("ff02::1:ff00:2")) == parse_mac("33:33:ff:00:00:02")
    assert is_group_mac(BROADCAST_MAC)
    assert not is_group_mac(ONE)
    with pytest.raises(MisuseError, match="multicast"):
        group_mac(A)


def test_what_a_message_means() -> None:
    assert ArpMessage(REQUEST, ONE, bytes(4), NO_MAC, A).probe
    assert ArpMessage(REQUEST, ONE, A, NO_MAC, A).announcement
    assert not ASK.probe
    assert not ASK.announcement


def test_a_type_of_zero_is_survived() -> None:
    assert decode_frame(ONE + TWO + b"\0\0" + b"what").type == 0
