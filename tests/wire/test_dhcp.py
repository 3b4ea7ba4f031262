"""DHCP messages as bytes: a known answer, round trips, what is void, and a great many mutations."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError, WireError
from netglass.wire import dhcp
from netglass.wire.address import parse
from netglass.wire.dhcp import DhcpMessage, decode_dhcp, encode_dhcp

MAC = bytes.fromhex("020000000001")


def test_a_discover_as_bytes() -> None:
    data = encode_dhcp(DhcpMessage(dhcp.DISCOVER, 0x12345678, MAC, broadcast=True))
    assert data[:12] == bytes.fromhex("01 01 06 00 12345678 0000 8000")
    assert data[28:34] == MAC
    assert data[236:] == bytes.fromhex("63825363 35 01 01 ff") + bytes(300 - 244)


options = st.dictionaries(st.integers(1, 254).filter(lambda code: code != dhcp.MESSAGE_TYPE), st.binary(max_size=255))
addresses = st.binary(min_size=4, max_size=4)


@given(st.integers(1, 8), st.integers(0, 0xFFFFFFFF), addresses, addresses, st.booleans(), options)
def test_any_message_survives(
    kind: int, transaction: int, client: bytes, your: bytes, broadcast: bool, told: dict[int, bytes]
) -> None:
    back = decode_dhcp(encode_dhcp(DhcpMessage(kind, transaction, MAC, client, your, broadcast, 7, told)))
    assert (back.type, back.transaction, back.mac, back.client, back.your) == (kind, transaction, MAC, client, your)
    assert (back.broadcast, back.seconds, back.options) == (broadcast, 7, told)


def test_options_are_read() -> None:
    told = {
        dhcp.SUBNET_MASK: dhcp.mask_of(20),
        dhcp.ROUTERS: parse("10.0.0.1") + parse("10.0.0.2"),
        dhcp.LEASE_TIME: (3600).to_bytes(4, "big"),
        dhcp.SERVER_ID: b"\x0a",
    }
    message = DhcpMessage(dhcp.ACK, 1, MAC, options=told)
    assert message.prefix == 20
    assert message.addresses(dhcp.ROUTERS) == [parse("10.0.0.1"), parse("10.0.0.2")]
    assert message.number(dhcp.LEASE_TIME, 0) == 3600
    assert message.number(dhcp.RENEWAL_TIME, 5) == 5
    assert message.address(dhcp.SERVER_ID) == b""
    message.options[dhcp.SUBNET_MASK] = b"\xff\x00\xff\x00"
    assert message.prefix == 24


def test_what_is_void_has_a_name() -> None:
    good = encode_dhcp(DhcpMessage(dhcp.OFFER, 1, MAC))
    for data, reason in [
        (good[:235], "dhcp-short"),
        (good[:236] + bytes(64), "dhcp-cookie"),
        (good[:240] + b"\x35\x01", "dhcp-option"),
        (good[:240] + b"\xff", "dhcp-type"),
        (good[:240] + b"\x35\x01\x09\xff", "dhcp-type"),
        (b"\x01" + good[1:], "dhcp-type"),  # an offer that says it comes from a client
        (good[:1] + b"\x06" + good[2:], "dhcp-hardware"),
    ]:
        with pytest.raises(WireError) as caught:
            decode_dhcp(data)
        assert caught.value.reason == reason


def test_mutations_are_survived() -> None:
    draw = random.Random(3)
    good = encode_dhcp(DhcpMessage(dhcp.ACK, 1, MAC, options={1: b"\xff" * 4, 51: bytes(4), 54: bytes(4)}))
    read = 0
    for _ in range(4000):
        data = bytearray(good[: draw.randint(0, len(good))] if draw.random() < 0.3 else good)
        for _ in range(draw.randint(1, 4)):
            if data:
                data[draw.randrange(max(len(data) - 80, 0), len(data))] = draw.randrange(256)
        try:
            message = decode_dhcp(bytes(data))
        except WireError:
            continue
        read += 1
        assert 0 <= message.prefix <= 32
    assert read > 500


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(MisuseError, match="1 to 8"):
        encode_dhcp(DhcpMessage(9, 1, MAC))
    with pytest.raises(MisuseError, match="255"):
        encode_dhcp(DhcpMessage(dhcp.ACK, 1, MAC, options={6: bytes(256)}))
