"""Between the script's numbers and the live ones.

A script counts sequence numbers as tcpdump prints them: a segment with SYN has its real number, all others count from
the SYN of their side. The remote side's numbers are the script's own choice, so its ISN is live too; the host chooses
its own, and so does its clock: timestamps that come out are shifted so that the first one is what the script says, and
an echo that goes in is looked up among those that came out.

The payload is a pattern of its place in the stream, so that a byte that comes out, or is read, at a wrong place shows.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import Final

from netglass.packetdrill import icmp_names
from netglass.packetdrill.packet_grammar import option_size
from netglass.packetdrill.script import (
    Direction,
    Echoed,
    IcmpPacket,
    IpFields,
    Option,
    Packet,
    TcpPacket,
    UdpPacket,
)
from netglass.packetdrill.settings import Settings
from netglass.packetdrill.symbols import UnknownName
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import IPV4_HEADER, IPV6_HEADER, packet_bytes
from netglass.wire.seq import MASK
from netglass.wire.tcp import ACK, END_OF_OPTIONS, SACK, SYN, TIMESTAMPS, TcpSegment, decode_option_list, encode_options
from netglass.wire.udp import UdpDatagram

_BLOCK: Final = struct.Struct("!II")
_QUOTED: Final = 8  # bytes of the transport header that an ICMP error quotes at least (RFC 792)

PATTERN_PERIOD: Final = 251
"""A prime below 256: no power of two, no MSS is a multiple of it, so a shift by one of those shows."""
_PATTERN: Final = bytes(range(PATTERN_PERIOD)) * 300


def pattern(start: int, length: int) -> bytes:
    """What the stream holds from its `start`-th byte on."""
    at = start % PATTERN_PERIOD
    return _PATTERN[at : at + length]


class Phase(Enum):
    """How far a script's connection has come; decides whose ISN is learned from which packet."""

    NEW = "new"
    LISTENING = "listening"
    PACKET_RECEIVED = "first packet received"
    SYNACK_SENT = "SYN-ACK sent"
    SYNACK_ACKED = "SYN-ACK acknowledged"
    CONNECTING = "connecting"
    SYN_SENT = "SYN sent"
    SYN_ACKED = "SYN acknowledged"


class Flow:
    """One socket or connection that the script speaks of: its live addresses, and how its numbers map."""

    def __init__(self, protocol: int, settings: Settings) -> None:
        self.protocol = protocol
        self.settings = settings
        self.phase = Phase.NEW
        self.descriptor = -1  # live; -1: no program holds it yet
        self.local = settings.local
        self.local_port = 0
        self.remote = settings.remote
        self.remote_port = 0
        self.script_isn = 0  # the host's ISN as the script writes it
        self.live_isn = 0  # and as it is
        self.remote_isn = 0  # the same in both
        self.stamps: dict[int, int] = {}  # script -> live timestamps that came out
        self.first_stamp: tuple[int, int] | None = None  # (script, live)
        self.label: tuple[int, int] | None = None  # (script, live) flow label
        self.written = 0  # bytes that the program gave, and took
        self.read = 0
        self.patterned = True  # False once urgent data makes places in the stream differ

    # -- whose packet

    def sends(self, packet: IpPacket) -> bool:
        """True if `packet`, which came out of the host, is this flow's."""
        if packet.source != self.local or packet.destination != self.remote:
            return False
        payload = packet.payload
        if isinstance(payload, TcpSegment | UdpDatagram):
            return (payload.source_port, payload.destination_port) == (self.local_port, self.remote_port)
        return isinstance(payload, IcmpMessage) and self.protocol in (ICMP, ICMPV6)

    def may_begin_with(self, packet: IpPacket) -> bool:
        """True if `packet` is the first one of a flow that the script has begun to connect."""
        if packet.destination != self.remote:
            return False
        payload = packet.payload
        if isinstance(payload, TcpSegment):
            opening = payload.flags & (SYN | ACK) == SYN and self.phase is Phase.SYN_SENT
            return opening and self.protocol == TCP and payload.destination_port == self.remote_port
        if isinstance(payload, UdpDatagram):
            opening = self.protocol == UDP and self.phase is Phase.CONNECTING
            return opening and payload.destination_port == self.remote_port
        return isinstance(payload, IcmpMessage) and self.protocol in (ICMP, ICMPV6)

    def begin_with(self, packet: IpPacket) -> None:
        """Learn the host's own address, port and ISN from the first packet."""
        self.local = packet.source
        payload = packet.payload
        if isinstance(payload, TcpSegment):
            self.local_port = payload.source_port
            self.live_isn = payload.seq
        elif isinstance(payload, UdpDatagram):
            self.local_port = payload.source_port

    # -- numbers

    def host_offset(self, flags: int) -> int:
        """Live minus script, for numbers that the host chose."""
        return self.live_isn - self.script_isn if flags & SYN else self.live_isn

    def remote_offset(self, flags: int) -> int:
        """Live minus script, for numbers that the script chose."""
        return 0 if flags & SYN else self.remote_isn

    # -- into the host

    def live_packet(self, packet: Packet) -> IpPacket:
        """The packet to hand to the host. Raises UnknownName if a name or an echoed timestamp stands for nothing."""
        if isinstance(packet, TcpPacket):
            return self._ip_packet(packet.ip, TCP, self._live_segment(packet))
        source, destination = packet.ports if isinstance(packet, UdpPacket) else (0, 0)
        if isinstance(packet, UdpPacket):
            datagram = UdpDatagram(
                source or self.remote_port, destination or self.local_port, pattern(0, packet.length)
            )
            return self._ip_packet(packet.ip, UDP, datagram)
        return self._ip_packet(packet.ip, ICMP if len(self.local) == 4 else ICMPV6, self._live_icmp(packet))

    def _ip_packet(self, ip: IpFields, protocol: int, payload: TcpSegment | UdpDatagram | IcmpMessage) -> IpPacket:
        tos = ip.tos if ip.tos is not None else 0
        if isinstance(ip.ecn, int):
            tos |= ip.ecn
        return IpPacket(
            self.remote, self.local, protocol, payload, ttl=ip.ttl_hops or 255, tos=tos, flow_label=ip.flow_label
        )

    def _live_segment(self, packet: TcpPacket) -> TcpSegment:
        flags = packet.flags
        assert packet.seq is not None, "the parser refuses a wildcard in a segment that goes in"
        seq = packet.seq if packet.absolute else (packet.seq + self.remote_offset(flags)) & MASK
        shift = self.host_offset(flags)
        ack = (packet.ack + shift) & MASK if flags & ACK else packet.ack
        options = [self._live_option(option, shift, flags) for option in packet.options or ()]
        place = (seq - self.remote_isn - (0 if flags & SYN else 1)) & MASK
        return TcpSegment(
            packet.ports[0] or self.remote_port,
            packet.ports[1] or self.local_port,
            seq,
            ack,
            flags,
            packet.window or 0,
            (pattern(place, packet.length),) if packet.length else (),
            packet.length,
            urgent=packet.urgent,
            raw_options=_option_bytes(options),
        )

    def _live_option(self, option: Option, shift: int, flags: int) -> Option:
        if option.kind == SACK:
            return Option(SACK, _shifted(option.body, shift))
        if option.kind == TIMESTAMPS and flags & ACK:
            value, echo = _BLOCK.unpack(option.body)
            return Option(TIMESTAMPS, _BLOCK.pack(value, self._live_stamp(echo)))
        return option

    def _live_stamp(self, echo: int) -> int:
        if echo in self.stamps:
            return self.stamps[echo]
        if self.settings.interpolate_timestamps and self.first_stamp is not None:
            return (echo - self.first_stamp[0] + self.first_stamp[1]) & MASK
        raise UnknownName(
            f"ecr {echo} echoes no timestamp that came out; with --tcp_ts_ecr_scaled it would be reckoned"
        )

    def _live_icmp(self, packet: IcmpPacket) -> IcmpMessage:
        version = 4 if len(self.local) == 4 else 6
        kind, code = icmp_names.numbers(version, packet)
        payload = self._quotation(packet.echoed) if packet.echoed else b""
        rest = packet.mtu if packet.mtu is not None else packet.ident << 16
        return IcmpMessage(version, kind, code, rest, payload)

    def _quotation(self, echoed: Echoed) -> bytes:
        """The head of a packet of ours, as a router on its way would send it back."""
        payload: TcpSegment | UdpDatagram
        if echoed.protocol == "tcp":
            seq = (echoed.seq + self.live_isn) & MASK
            data = pattern(echoed.seq - 1, echoed.length)
            chunks = (data,) if data else ()
            payload = TcpSegment(self.local_port, self.remote_port, seq, 0, ACK, 0, chunks, echoed.length)
        else:
            payload = UdpDatagram(self.local_port, self.remote_port, pattern(0, echoed.length))
        packet = IpPacket(self.local, self.remote, TCP if echoed.protocol == "tcp" else UDP, payload)
        header = IPV4_HEADER if len(self.local) == 4 else IPV6_HEADER
        return packet_bytes(packet)[: header + _QUOTED]

    # -- out of the host

    def script_packet(self, packet: IpPacket, expected: Packet) -> Packet:
        """`packet` in the script's numbers. What `expected` says of timestamps is learned on the way."""
        ip = IpFields(packet.tos, packet.tos & 3, packet.flow_label, packet.ttl)
        payload = packet.payload
        if isinstance(payload, TcpSegment):
            absolute = isinstance(expected, TcpPacket) and expected.absolute
            return self._script_segment(payload, ip, expected, absolute)
        if isinstance(payload, UdpDatagram):
            ports = (payload.source_port, payload.destination_port)
            return UdpPacket(Direction.OUT, ip, len(payload.payload), ports)
        assert isinstance(payload, IcmpMessage), "the host sends nothing else"
        kind, code = icmp_names.text(payload.version, payload.type, payload.code)
        return IcmpPacket(Direction.OUT, ip, kind, code, None, 0, None)

    def _script_segment(self, segment: TcpSegment, ip: IpFields, expected: Packet, absolute: bool) -> TcpPacket:
        flags = segment.flags
        shift = self.remote_offset(flags)
        options: list[Option] = []
        for kind, body in decode_option_list(encode_options(segment)):
            if kind == SACK:
                body = _shifted(body, -shift)
            elif kind == TIMESTAMPS and len(body) == 8:
                body = self._script_stamp(body, expected)
            options.append(Option(kind, body))
        return TcpPacket(
            Direction.OUT,
            ip,
            flags,
            None,
            segment.seq if absolute else (segment.seq - self.host_offset(flags)) & MASK,
            segment.length,
            (segment.ack - shift) & MASK if flags & ACK else segment.ack,
            segment.window,
            segment.urgent,
            tuple(options),
            (segment.source_port, segment.destination_port),
        )

    def _script_stamp(self, body: bytes, expected: Packet) -> bytes:
        value, echo = _BLOCK.unpack(body)
        scripted = _timestamp(expected)
        if scripted is None:
            return body
        self.stamps[scripted] = value
        if self.first_stamp is None:
            self.first_stamp = (scripted, value)
        return _BLOCK.pack((self.first_stamp[0] + value - self.first_stamp[1]) & MASK, echo)

    def payload_fits(self, packet: IpPacket) -> bool:
        """True if a payload that came out is what the program wrote for that place of the stream."""
        payload = packet.payload
        if isinstance(payload, UdpDatagram):
            return payload.payload == pattern(0, len(payload.payload))
        if not isinstance(payload, TcpSegment) or not payload.length or not self.patterned:
            return True
        place = (payload.seq - self.live_isn - (0 if payload.flags & SYN else 1)) & MASK
        return b"".join(payload.chunks) == pattern(place, payload.length)


def _timestamp(packet: Packet) -> int | None:
    if not isinstance(packet, TcpPacket):
        return None
    for option in packet.options or ():
        if option.kind == TIMESTAMPS:
            return int.from_bytes(option.body[:4], "big")
    return None


def _shifted(blocks: bytes, shift: int) -> bytes:
    """SACK blocks with `shift` added to every edge; bytes that are no blocks stay."""
    if len(blocks) % 8:
        return blocks
    return b"".join([_BLOCK.pack((a + shift) & MASK, (b + shift) & MASK) for a, b in _BLOCK.iter_unpack(blocks)])


def _option_bytes(options: list[Option]) -> bytes:
    return b"".join([_encoded(option) for option in options])


def _encoded(option: Option) -> bytes:
    size = option_size(option)
    return bytes([option.kind]) if size == 1 else bytes([option.kind, size]) + option.body


def options_length(options: tuple[Option, ...]) -> int:
    """Bytes on the wire. What follows an end mark is padding up to a multiple of four."""
    size = 0
    for option in options:
        size += option_size(option)
        if option.kind == END_OF_OPTIONS:
            break
    return (size + 3) & ~3
