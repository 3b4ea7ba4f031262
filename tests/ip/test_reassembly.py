"""Fragments: any order, any duplicates, any overlaps give the datagram or nothing; memory and time are bounded."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.ip.fragment import fragments
from netglass.ip.reassembly import DROP_ALL, FIRST_WINS, LAST_WINS, OVERHEAD, Reassembly
from netglass.times import NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.extension import fragment_header
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.packet import decode_packet, packet_bytes, packet_size
from netglass.wire.udp import UdpDatagram
from tests.wire.values import packet_says

A, B = parse("10.0.0.1"), parse("10.0.0.2")
A6, B6 = parse("fd00::1"), parse("fd00::2")
PROTOCOL = 253  # for experiments (RFC 3692): the payload is bytes
HOP_BY_HOP = bytes([0, 0, 1, 4, 0, 0, 0, 0])


def book(limit: int = 1 << 20) -> Reassembly:
    return Reassembly(30 * SECOND, limit)


def datagram(size: int, version: int = 4, options: bytes = b"", ident: int = 7) -> IpPacket:
    data = random.Random(size).randbytes(size)
    if version == 4:
        return IpPacket(A, B, UDP, UdpDatagram(1, 2, data), ident=ident, dont_fragment=False, options=options)
    return IpPacket(A6, B6, UDP, UdpDatagram(1, 2, data), options=options)


def piece(offset: int, data: bytes, more: bool = True, tos: int = 0, ident: int = 7) -> IpPacket:
    return IpPacket(A, B, PROTOCOL, data, 64, tos, ident, False, more, offset)


def outcome(pieces: list[IpPacket], overlap: int = DROP_ALL) -> bytes | str:
    """What becomes of these: the datagram's payload, why the last one was refused, or "" if more is waited for."""
    reassembly = book()
    reassembly.overlap = overlap
    for each in pieces:
        whole = reassembly.take(each, 0)
        if whole is not None:
            assert isinstance(whole.payload, bytes)
            assert reassembly.held == 0
            return whole.payload
    return reassembly.reason


# -- cutting


@given(st.integers(0, 20_000), st.integers(68, 3000), st.sampled_from([4, 6]), st.booleans())
def test_pieces_fit_and_are_the_datagram_again(size: int, mtu: int, version: int, with_options: bool):
    options = (HOP_BY_HOP if version == 6 else b"\x07\x07\x04\0\0\0\0\0") if with_options else b""
    whole = datagram(size, version, options)
    pieces = fragments(whole, max(mtu, 128), 99)
    assert all(packet_size(each) == len(packet_bytes(each)) <= max(mtu, 128) for each in pieces)
    assert [each.more_fragments for each in pieces] == [True] * (len(pieces) - 1) + [False]
    reassembly = book()
    for each in pieces[:-1]:
        assert reassembly.take(decode_packet(packet_bytes(each)), 0) is None
        assert reassembly.reason == ""
    again = reassembly.take(pieces[-1], 0)
    assert again is not None
    assert packet_says(again) == packet_says(whole)
    assert reassembly.held == len(reassembly) == 0
    assert reassembly.deadline == NEVER


def test_a_fragment_is_cut_again_by_a_narrower_link():
    whole = datagram(4000)
    pieces = [small for large in fragments(whole, 1500, 0) for small in fragments(large, 576, 0)]
    assert len(pieces) == 8
    reassembly = book()
    found = [reassembly.take(each, 0) for each in pieces]
    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] is not None
    assert packet_says(found[-1]) == packet_says(whole)


def test_later_fragments_carry_only_the_options_that_say_so():
    # Record route stays in the first; the router alert (0x94) goes into all.
    whole = datagram(2000, options=b"\x94\x04\0\0" + b"\x07\x07\x04\0\0\0\0" + b"\0")
    first, second = fragments(whole, 1500, 0)
    assert first.options == whole.options
    assert second.options == b"\x94\x04\0\0" + b"\x01" * 7 + b"\0"


def test_what_no_fragment_can_carry_is_not_cut():
    assert fragments(datagram(100, options=b"\x01" * 40), 64, 0) == []
    assert fragments(datagram(100, 6), 48, 0) == []


# -- putting together


@given(st.data())
def test_any_order_with_duplicates_gives_the_datagram(data: st.DataObject):
    version = data.draw(st.sampled_from([4, 6]))
    whole = datagram(data.draw(st.integers(1500, 9000)), version)
    pieces = fragments(whole, data.draw(st.integers(600, 1500)), 5)
    order = data.draw(st.permutations(pieces))
    twice = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    arrivals = data.draw(st.permutations([*order[:-1], *[each for each in twice if each is not order[-1]]]))
    reassembly = book()
    for each in arrivals:
        assert reassembly.take(each, 0) is None
        assert reassembly.reason in ("", "ip-fragment-duplicate")
    again = reassembly.take(order[-1], 0)
    assert again is not None
    assert packet_says(again) == packet_says(whole)


@given(st.data())
def test_any_overlap_gives_the_datagram_or_nothing(data: st.DataObject):
    """Pieces of one datagram and forged ones in any order: no two pieces that are put together hold the same byte."""
    size = 8 * data.draw(st.integers(1, 12))
    cuts = sorted(data.draw(st.sets(st.integers(1, size // 8), max_size=4)) | {size // 8})
    pieces = []
    start = 0
    for cut in cuts:
        pieces.append(piece(start, b"g" * (8 * cut - start), more=8 * cut < size))
        start = 8 * cut
    forged = data.draw(
        st.lists(
            st.builds(
                lambda offset, length, more: piece(8 * offset, b"x" * length, more),
                st.integers(0, 12),
                st.integers(0, 40),
                st.booleans(),
            ),
            max_size=4,
        )
    )
    arrivals = data.draw(st.permutations([*pieces, *forged]))
    reassembly = book()
    model: dict[int, int] = {}  # place -> byte, of what is kept
    for each in arrivals:
        assert isinstance(each.payload, bytes)
        part = each.payload[: len(each.payload) & ~7] if each.more_fragments else each.payload
        text = dict(enumerate(part, each.fragment_offset))
        whole = reassembly.take(each, 0)
        if whole is None and reassembly.reason == "ip-fragment-duplicate":
            assert text.keys() <= model.keys()
        elif whole is None and reassembly.reason:
            model = {}
        else:
            assert not text.keys() & model.keys()
            model |= text
        if whole is not None:
            assert whole.payload == bytes([model[place] for place in range(len(model))])
            model = {}
    assert reassembly.held >= 0
    assert (reassembly.held == 0) == (len(reassembly) == 0)


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([piece(0, bytes(16)), piece(8, bytes(16))], "ip-fragment-overlap"),
        ([piece(8, bytes(16)), piece(0, bytes(16))], "ip-fragment-overlap"),
        ([piece(0, bytes(8)), piece(16, bytes(8)), piece(0, bytes(24))], "ip-fragment-overlap"),
        # Linux: a fragment that filled a gap is a run of its own, and one over both is no duplicate.
        ([piece(8, bytes(8)), piece(0, bytes(8)), piece(0, bytes(16))], "ip-fragment-overlap"),
        ([piece(0, bytes(8)), piece(8, bytes(8)), piece(0, bytes(16))], "ip-fragment-duplicate"),
        ([piece(0, bytes(24)), piece(8, bytes(8))], "ip-fragment-duplicate"),
        ([piece(0, bytes(8)), piece(0, bytes(8))], "ip-fragment-duplicate"),
        ([piece(8, bytes(8), more=False), piece(16, bytes(8))], "ip-fragment-beyond-end"),
        ([piece(16, bytes(8)), piece(8, bytes(8), more=False)], "ip-fragment-beyond-end"),
        ([piece(8, bytes(8), more=False), piece(16, bytes(8), more=False)], "ip-fragment-beyond-end"),
        ([piece(0, b"")], "ip-fragment-empty"),
        ([piece(0, bytes(7))], "ip-fragment-empty"),
        ([piece(65528, bytes(16), more=False)], "ip-fragment-too-long"),
        ([piece(65504, bytes(16), more=False)], "ip-fragment-too-long"),  # with the header more than 65,535
        ([piece(0, bytes(8), tos=1), piece(8, bytes(8), False)], "ip-fragment-ecn"),
    ],
)
def test_what_is_refused(pieces: list[IpPacket], reason: str):
    assert outcome(pieces) == reason


def test_an_overlap_throws_away_what_was_there():
    assert outcome([piece(0, bytes(16)), piece(8, bytes(16)), piece(24, bytes(8), False)]) == ""
    # A duplicate does not.
    assert outcome([piece(0, bytes(16)), piece(8, b"x" * 8), piece(16, bytes(8), False)]) == bytes(24)


def test_the_older_ways_to_treat_an_overlap():
    pieces = [piece(0, b"a" * 16), piece(8, b"b" * 16), piece(24, b"c" * 8, False)]
    assert outcome(pieces, FIRST_WINS) == b"a" * 16 + b"b" * 8 + b"c" * 8
    assert outcome(pieces, LAST_WINS) == b"a" * 8 + b"b" * 16 + b"c" * 8
    again = [piece(0, b"a" * 16), piece(0, b"b" * 8), piece(16, b"c" * 8, False)]
    assert outcome(again, FIRST_WINS) == b"a" * 16 + b"c" * 8
    assert outcome(again, LAST_WINS) == b"b" * 8 + b"a" * 8 + b"c" * 8


def test_a_congestion_mark_on_one_fragment_marks_the_datagram():
    reassembly = book()
    assert reassembly.take(piece(0, bytes(8), tos=2), 0) is None
    whole = reassembly.take(piece(8, bytes(8), False, tos=3), 0)
    assert whole is not None
    assert whole.tos == 3


def test_datagrams_are_told_apart():
    reassembly = book()
    for ident in range(3):
        assert reassembly.take(piece(0, bytes([ident]) * 8, ident=ident), 0) is None
    for ident in (2, 0, 1):
        whole = reassembly.take(piece(8, bytes([ident]) * 8, False, ident=ident), 0)
        assert whole is not None
        assert whole.payload == bytes([ident]) * 16
    # In IPv6 the protocol does not count: each fragment may tell another one (RFC 8200 §4.5).
    one = IpPacket(A6, B6, PROTOCOL, bytes(8), more_fragments=True, ident=1, options=fragment_header(1, 0, True))
    other = IpPacket(A6, B6, 254, bytes(8), fragment_offset=8, ident=1, options=fragment_header(1, 8, False))
    assert reassembly.take(one, 0) is None
    whole = reassembly.take(other, 0)
    assert whole is not None
    assert (whole.protocol, whole.options) == (PROTOCOL, b"")


def test_a_checksum_is_looked_at_when_all_is_there():
    pieces = fragments(datagram(2000), 1500, 0)
    assert isinstance(pieces[1].payload, bytes)
    pieces[1].payload = pieces[1].payload[:-1] + b"!"
    reassembly = book()
    reassembly.take(pieces[0], 0)
    assert reassembly.take(pieces[1], 0) is None
    assert reassembly.reason == "udp-checksum"


def test_memory_is_bounded():
    reassembly = book(limit=10_000)
    draw = random.Random(1)
    refused = 0
    for number in range(2000):
        start = 8 * draw.randrange(100)
        assert reassembly.take(piece(start, bytes(8), ident=number), 0) is None
        refused += reassembly.reason == "ip-reassembly-memory"
        assert reassembly.held <= 10_000
    assert len(reassembly) == 10_000 // (8 + OVERHEAD)
    assert refused == 2000 - len(reassembly)
    # The time of the oldest comes, and there is room again.
    assert reassembly.deadline == 30 * SECOND
    while reassembly.expired(30 * SECOND) is not None:
        pass
    assert (reassembly.held, len(reassembly), reassembly.deadline) == (0, 0, NEVER)


def test_time_counts_from_the_first_fragment():
    reassembly = book()
    reassembly.take(piece(8, bytes(8)), 0)
    reassembly.take(piece(0, bytes(8)), 29 * SECOND)
    assert reassembly.deadline == 30 * SECOND
    assert reassembly.expired(30 * SECOND - 1) is None
    partial = reassembly.expired(30 * SECOND)
    assert partial is not None
    assert partial.first is not None
