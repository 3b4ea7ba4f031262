"""Neighbour discovery's messages: round trips, what is void, and a great many mutations."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError, WireError
from netglass.wire import nd
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage, decode_icmp, encode_icmp

MAC = bytes.fromhex("020000000001")
A = parse("fe80::1")
B = parse("fe80::2")
u32 = st.integers(0, 0xFFFFFFFF)


def through_bytes(message: IcmpMessage) -> IcmpMessage:
    return decode_icmp(b"".join(encode_icmp(message, A, B)), A, B)


def test_who_has_an_address() -> None:
    message = through_bytes(nd.neighbor_solicitation(B, MAC))
    assert (message.type, nd.read_target(message), nd.read_options(message).mac) == (135, B, MAC)
    assert nd.read_options(nd.neighbor_solicitation(B, b"")).mac == b""


def test_whose_it_is() -> None:
    message = through_bytes(nd.neighbor_advertisement(B, MAC, nd.SOLICITED | nd.OVERRIDE))
    assert (message.rest, nd.read_target(message), nd.read_options(message).mac) == (0x60000000, B, MAC)


def test_the_group_of_an_address() -> None:
    assert nd.solicited_node(parse("fd00::12:3456")) == parse("ff02::1:ff12:3456")


prefixes = st.builds(
    nd.Prefix,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 128),
    u32,
    u32,
    st.booleans(),
    st.booleans(),
)


@given(st.integers(0, 0xFFFF), st.integers(0, 255), u32, u32, st.lists(prefixes, max_size=3), u32, st.booleans())
def test_any_router_advertisement_survives(
    lifetime: int, hops: int, reachable: int, retransmit: int, told: list[nd.Prefix], mtu: int, managed: bool
) -> None:
    sent = nd.RouterAdvertisement(lifetime, hops)
    sent.reachable_ms, sent.retransmit_ms, sent.managed, sent.other = reachable, retransmit, managed, not managed
    sent.options.prefixes = told
    sent.options.mtu = mtu
    sent.options.mac = MAC
    sent.options.dns, sent.options.dns_lifetime_s = [A, B], 60
    back = nd.read_router_advertisement(through_bytes(nd.router_advertisement(sent)))
    assert (back.lifetime_s, back.hop_limit, back.managed, back.other) == (lifetime, hops, managed, not managed)
    assert (back.reachable_ms, back.retransmit_ms) == (reachable, retransmit)
    assert (back.options.mtu, back.options.mac) == (mtu, MAC)
    assert (back.options.dns, back.options.dns_lifetime_s) == ([A, B], 60)
    assert [says(each) for each in back.options.prefixes] == [says(each) for each in told]


def says(prefix: nd.Prefix) -> tuple[object, ...]:
    return (
        *(prefix.network, prefix.length, prefix.valid_s, prefix.preferred_s),
        *(prefix.on_link, prefix.autonomous),
    )


def test_a_redirect() -> None:
    message = through_bytes(nd.redirect(A, parse("2001:db8::7"), MAC, b"q" * 3000))
    assert nd.read_target(message) == A
    assert nd.read_redirected(message) == parse("2001:db8::7")
    options = nd.read_options(message)
    assert options.mac == MAC
    assert options.quote == b"q" * len(options.quote)
    assert 1000 < len(options.quote) < 1280 - 40 - 40


def test_what_is_void_has_a_name() -> None:
    good = nd.neighbor_solicitation(B, MAC)
    for message, reason in [
        (IcmpMessage(6, 135, 0, 0, B[:15]), "nd-short"),
        (IcmpMessage(6, 135, 0, 0, good.payload[:-1]), "nd-option"),
        (IcmpMessage(6, 135, 0, 0, B + bytes([1, 0]) + MAC), "nd-option"),  # a length of zero would never end
        (IcmpMessage(6, 135, 1, 0, good.payload), "nd-code"),
        (nd.neighbor_solicitation(parse("ff02::1"), MAC), "nd-address"),
    ]:
        with pytest.raises(WireError) as caught:
            read(message)
        assert caught.value.reason == reason


def read(message: IcmpMessage) -> None:
    nd.read_target(message)
    nd.read_options(message)


def test_mutations_are_survived() -> None:
    draw = random.Random(2)
    told = nd.RouterAdvertisement()
    told.options.prefixes = [nd.Prefix(parse("fd00::"), 64, 1, 1)]
    told.options.dns = [A]
    messages = [
        nd.neighbor_solicitation(B, MAC),
        nd.neighbor_advertisement(B, MAC, 0),
        nd.router_solicitation(MAC),
        nd.router_advertisement(told),
        nd.redirect(A, B, MAC, b"quoted packet"),
    ]
    read = 0
    for message in messages:
        for _ in range(1500):
            data = bytearray(message.payload[: draw.randint(0, len(message.payload))])
            for _ in range(draw.randint(0, 3)):
                if data:
                    data[draw.randrange(len(data))] = draw.randrange(256)
            changed = IcmpMessage(6, message.type, draw.choice([0, 0, 0, 1]), draw.getrandbits(32), bytes(data))
            try:
                nd.read_options(changed)
                if message.type == nd.ROUTER_ADVERTISEMENT:
                    nd.read_router_advertisement(changed)
                elif message.type != nd.ROUTER_SOLICITATION:
                    nd.read_target(changed)
                read += 1
            except WireError:
                continue
    assert read > 300


def test_a_prefix_that_is_none_is_told() -> None:
    told = nd.RouterAdvertisement()
    told.options.prefixes = [nd.Prefix(bytes(4), 24, 1, 1)]
    with pytest.raises(MisuseError, match="IPv6 network"):
        nd.router_advertisement(told)
