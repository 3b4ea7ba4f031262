"""Packets for the tests of `netglass.wire`: Hypothesis strategies, and what a value says, field by field."""

from __future__ import annotations

from hypothesis import strategies as st

from netglass.wire.extension import fragment_header
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket, Payload
from netglass.wire.packet import payload_protocol
from netglass.wire.tcp import ABSENT, TcpOptions, TcpSegment, options_size
from netglass.wire.udp import UdpDatagram

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
data = st.binary(max_size=100)
unknown_kinds = st.sampled_from([6, 19, 28, 29, 30, 253, 254, 255])

handshakes = st.builds(
    TcpOptions,
    mss=u16 | st.just(ABSENT),
    window_scale=u8 | st.just(ABSENT),
    sack_permitted=st.booleans(),
    fast_open=st.none() | st.binary(max_size=16),
    unknown=st.lists(st.tuples(unknown_kinds, st.binary(max_size=12)), max_size=3).map(tuple),
)


@st.composite
def segments(draw: st.DrawFn) -> TcpSegment:
    chunks = tuple(draw(st.lists(st.binary(min_size=1, max_size=60), max_size=4)))
    segment = TcpSegment(draw(u16), draw(u16), draw(u32), draw(u32), draw(st.integers(0, 0xFFF)), draw(u16))
    segment.chunks = chunks
    segment.length = sum([len(chunk) for chunk in chunks])
    segment.urgent = draw(u16)
    if draw(st.booleans()):
        segment.ts_val, segment.ts_ecr = draw(u32), draw(u32)
    segment.sack = tuple(draw(st.lists(st.tuples(u32, u32), max_size=4)))
    segment.options = draw(st.none() | handshakes)
    if options_size(segment) > 40:
        segment.options = None
    if options_size(segment) > 40:
        segment.sack = segment.sack[:3]
    return segment


raw_segments = st.builds(
    TcpSegment,
    *(u16, u16, u32, u32, st.integers(0, 0xFFF), u16),
    raw_options=st.integers(0, 10).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
)
datagrams = st.builds(UdpDatagram, u16, u16, data)


@st.composite
def extensions(draw: st.DrawFn) -> bytes:
    """A Hop-by-Hop, Routing (no stations left) or Destination Options header, as `IpPacket.options` has it."""
    kind = draw(st.sampled_from([0, 43, 60]))
    words = draw(st.integers(0, 2))
    text = draw(st.binary(min_size=6 + 8 * words, max_size=6 + 8 * words))
    if kind == 43:
        text = text[:1] + b"\0" + text[2:]
    return bytes([kind, words]) + text


chains = st.lists(extensions(), max_size=3).map(b"".join)


def messages(version: int) -> st.SearchStrategy[IcmpMessage]:
    return st.builds(IcmpMessage, st.just(version), u8, u8, u32, data)


@st.composite
def packets(draw: st.DrawFn) -> IpPacket:
    version = draw(st.sampled_from([4, 6]))
    size = 4 if version == 4 else 16
    source = draw(st.binary(min_size=size, max_size=size))
    destination = draw(st.binary(min_size=size, max_size=size))
    payload: Payload = draw(segments() | raw_segments | datagrams | messages(version) | data)
    protocol = draw(st.sampled_from([2, 50, 89, 255])) if isinstance(payload, bytes) else payload_protocol(payload)
    packet = IpPacket(source, destination, protocol, payload, draw(u8), draw(u8))
    if version == 6:
        packet.flow_label = draw(st.integers(0, 0xFFFFF))
        packet.options = draw(chains)
        if isinstance(payload, bytes) and draw(st.booleans()):
            packet.protocol = draw(u8)
            packet.fragment_offset = 8 * draw(st.integers(1, 0x1FFF))
            packet.more_fragments = draw(st.booleans())
            packet.ident = draw(u32)
            packet.options += fragment_header(packet.ident, packet.fragment_offset, packet.more_fragments)
        return packet
    packet.ident = draw(u16)
    packet.dont_fragment = draw(st.booleans())
    packet.options = draw(st.binary(max_size=10)) * 4
    if isinstance(payload, UdpDatagram):
        payload.checksummed = draw(st.booleans())
    if isinstance(payload, bytes) and draw(st.booleans()):
        packet.protocol = draw(u8)
        packet.fragment_offset = 8 * draw(st.integers(1, 0x1FFF))
        packet.more_fragments = draw(st.booleans())
    return packet


def segment_says(segment: TcpSegment) -> tuple[object, ...]:
    options = segment.options or TcpOptions()
    return (
        *(segment.source_port, segment.destination_port, segment.seq, segment.ack, segment.flags, segment.window),
        *(segment.urgent, b"".join(segment.chunks), segment.length, segment.ts_val, segment.ts_ecr, segment.sack),
        *(options.mss, options.window_scale, options.sack_permitted, options.fast_open, options.unknown),
    )


def payload_says(payload: Payload) -> tuple[object, ...]:
    if isinstance(payload, TcpSegment):
        return segment_says(payload)
    if isinstance(payload, UdpDatagram):
        return payload.source_port, payload.destination_port, payload.payload, payload.checksummed
    if isinstance(payload, IcmpMessage):
        return payload.version, payload.type, payload.code, payload.rest, payload.payload
    return (payload,)


def packet_says(packet: IpPacket) -> tuple[object, ...]:
    return (
        *(packet.source, packet.destination, packet.protocol, packet.ttl, packet.tos, packet.ident),
        *(packet.dont_fragment, packet.more_fragments, packet.fragment_offset, packet.options, packet.flow_label),
        *payload_says(packet.payload),
    )
