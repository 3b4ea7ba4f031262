"""Addresses from text and to text, and the kinds that a host treats in a special way."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netglass.errors import MisuseError
from netglass.wire import address
from netglass.wire.address import parse


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:0db8::0001", "2001:db8::1"),  # RFC 5952 §4.1
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),  # §4.2.1
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  # §4.2.2
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),  # §4.2.3: the longest run
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),  # §4.2.3: the first of two
        ("2001:DB8::ABCD", "2001:db8::abcd"),  # §4.3
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),  # §5
        ("0:0:0:0:0:0:0:0", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80:0:0:0:0:0:0:0", "fe80::"),
    ],
)
def test_the_shortest_form(long: str, short: str) -> None:
    assert address.text(parse(long)) == short


@given(st.binary(min_size=16, max_size=16) | st.binary(min_size=4, max_size=4))
@example(bytes(16))
@example(bytes(10) + b"\x01" * 6)
def test_text_comes_back(packed: bytes) -> None:
    assert parse(address.text(packed)) == packed


@given(st.lists(st.sampled_from([0, 0, 0, 1, 0xFF, 0xABCD]), min_size=8, max_size=8))
def test_zeros_are_cut_where_the_standard_library_cuts_them(groups: list[int]) -> None:
    packed = b"".join([group.to_bytes(2, "big") for group in groups])
    if not packed.startswith(bytes(10) + b"\xff\xff"):
        assert address.text(packed) == str(ipaddress.IPv6Address(packed))


@pytest.mark.parametrize("wrong", ["", "server", "10.0.0", "10.0.0.256", "010.0.0.1", "1::2::3", "10.0.0.1/8"])
def test_what_is_no_address_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(MisuseError, match=r"not an address.*192\.0\.2\.1"):
        parse(wrong)


def test_a_zone_is_refused_and_not_dropped() -> None:
    with pytest.raises(MisuseError, match="zone"):
        parse("fe80::1%eth0")


def test_bytes_that_are_no_address_have_no_text() -> None:
    with pytest.raises(MisuseError, match="4 or 16 bytes; this has 5"):
        address.text(bytes(5))


def test_special_addresses() -> None:
    def kinds(text: str) -> str:
        packed = parse(text)
        found = {
            "multicast": address.is_multicast(packed),
            "broadcast": address.is_broadcast(packed),
            "loopback": address.is_loopback(packed),
            "unspecified": address.is_unspecified(packed),
        }
        return " ".join([name for name, true in found.items() if true])

    assert kinds("223.255.255.255") == kinds("240.0.0.1") == kinds("126.0.0.1") == kinds("2001:db8::1") == ""
    assert kinds("224.0.0.100") == kinds("239.255.255.255") == kinds("ff02::1") == "multicast"
    assert kinds("255.255.255.255") == "broadcast"
    assert kinds("127.0.0.1") == kinds("127.255.0.9") == kinds("::1") == "loopback"
    assert kinds("0.0.0.0") == kinds("::") == "unspecified"


@pytest.mark.parametrize(
    ("text", "network", "prefix", "inside"),
    [
        ("10.0.1.7", "10.0.1.0", 24, True),
        ("10.0.2.7", "10.0.1.0", 24, False),
        ("10.0.1.127", "10.0.1.0", 25, True),
        ("10.0.1.128", "10.0.1.0", 25, False),
        ("8.8.8.8", "0.0.0.0", 0, True),
        ("10.0.1.7", "10.0.1.7", 32, True),
        ("10.0.1.6", "10.0.1.7", 32, False),
        ("fd00::1", "fd00::", 64, True),
        ("fd00:0:0:1::1", "fd00::", 64, False),
        ("10.0.1.7", "::", 0, False),
    ],
)
def test_in_network(text: str, network: str, prefix: int, inside: bool) -> None:
    assert address.in_network(parse(text), parse(network), prefix) is inside


@pytest.mark.parametrize(
    ("text", "prefix", "network", "broadcast"),
    [
        ("117.128.134.111", 16, "117.128.0.0", "117.128.255.255"),
        ("117.128.134.111", 20, "117.128.128.0", "117.128.143.255"),
        ("10.1.2.3", 0, "0.0.0.0", "255.255.255.255"),
        ("10.1.2.3", 32, "10.1.2.3", "10.1.2.3"),
    ],
)
def test_network_and_broadcast(text: str, prefix: int, network: str, broadcast: str) -> None:
    assert address.text(address.network_of(parse(text), prefix)) == network
    assert address.text(address.broadcast_of(parse(text), prefix)) == broadcast


def test_a_wrong_prefix_says_what_is_right() -> None:
    with pytest.raises(MisuseError, match="between 0 and 32; this is 33"):
        address.network_of(parse("10.0.0.0"), 33)
    with pytest.raises(MisuseError, match="IPv6 has no broadcast"):
        address.broadcast_of(parse("fd00::"), 64)
