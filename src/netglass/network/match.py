"""Which packets: exact matchers, named as people say them, combined with `&`, `|` and `~`.

    syn & match.to("server")          third_ack | fin          data.from_("client") & ~segment(4)

A matcher is a pure value: it can be a module's constant and serve in many networks. What has to be remembered (who
sent the SYN, which segment of the flow this is) is kept by `Sightings`, one for each fault that looks at packets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from netglass.build import mypyc_attr
from netglass.errors import MisuseError
from netglass.network.fault import Names
from netglass.wire import arp as arp_format
from netglass.wire import ip, nd
from netglass.wire.address import parse
from netglass.wire.arp import ArpMessage
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.seq import unwrap
from netglass.wire.tcp import ACK, FIN, RST, SYN, TcpSegment
from netglass.wire.udp import UdpDatagram

ALL: Final = 1 << 32
"""`times=ALL`: every time."""

__all__ = [
    "ALL",
    "after_bytes",
    "anything",
    "arp",
    "arp_reply",
    "arp_request",
    "data",
    "fin",
    "from_",
    "icmp",
    "neighbor_advertisement",
    "neighbor_solicitation",
    "payload",
    "port",
    "pure_ack",
    "rarp",
    "router_advertisement",
    "router_solicitation",
    "rst",
    "segment",
    "syn",
    "syn_ack",
    "tcp",
    "third_ack",
    "to",
    "udp",
    "where",
]


def __dir__() -> list[str]:
    return __all__


_FlowKey = tuple[bytes, int, bytes, int]


class Flow:
    """What was seen of one TCP connection where the fault stands, both directions."""

    __slots__ = ("awaits_third_ack", "opener", "segments", "starts")

    def __init__(self) -> None:
        self.segments: int = 0
        self.opener: tuple[bytes, int] | None = None  # who sent the first SYN
        self.awaits_third_ack: bool = False
        self.starts: dict[tuple[bytes, int], int] = {}  # sender -> sequence number of its first byte of data, 32 bits


class Sighting:
    """One packet as matchers see it: what the packet itself does not tell. Valid until the next packet."""

    __slots__ = ("destination", "number", "segment", "source", "stream_end", "stream_start", "third_ack")

    def __init__(self) -> None:
        self.source: str = ""  # the host that owns the address; "" if nobody does
        self.destination: str = ""
        self.segment: TcpSegment | None = None
        self.number: int = 0  # 1: the first segment of its flow
        self.third_ack: bool = False
        self.stream_start: int = 0  # offset of the segment's first byte in its direction's stream
        self.stream_end: int = 0  # and one past its last


class Sightings:
    """Looks at packets in the order in which they pass, and remembers the flows if `flows` is wanted."""

    __slots__ = ("_flows", "_follows", "_now", "names")

    def __init__(self, follows: bool) -> None:
        self.names: Names = {}
        self._follows: bool = follows
        self._flows: dict[_FlowKey, Flow] = {}
        self._now: Sighting = Sighting()

    def look(self, packet: IpPacket) -> Sighting:
        seen = self._now
        seen.source = self.names.get(packet.source, "")
        seen.destination = self.names.get(packet.destination, "")
        payload = packet.payload
        seen.segment = None
        if isinstance(payload, TcpSegment):
            seen.segment = payload
            if self._follows:
                self._follow(packet, payload, seen)
        return seen

    def look_frame(self, frame: EthernetFrame) -> Sighting:
        """At a frame without an IP packet: hosts are known by their MAC, whatever ARP claims, else by what it asks."""
        seen = self._now
        message = frame.payload
        seen.segment = None
        seen.source = self.names.get(frame.source, "")
        seen.destination = self.names.get(frame.destination, "")
        if not seen.destination and isinstance(message, ArpMessage):
            seen.destination = self.names.get(message.target, "")
        return seen

    def _follow(self, packet: IpPacket, segment: TcpSegment, seen: Sighting) -> None:
        sender = (packet.source, segment.source_port)
        receiver = (packet.destination, segment.destination_port)
        key = (*sender, *receiver) if sender <= receiver else (*receiver, *sender)
        flow = self._flows.get(key)
        start = (segment.seq + 1) & 0xFFFFFFFF
        if flow is None or self._is_new_incarnation(flow, sender, segment, start):
            flow = self._flows[key] = Flow()
        flow.segments += 1
        seen.number = flow.segments
        seen.third_ack = self._is_third_ack(flow, sender, segment)
        if segment.flags & SYN:
            flow.starts[sender] = start
        first = flow.starts.setdefault(sender, segment.seq)
        data_seq = start if segment.flags & SYN else segment.seq
        seen.stream_start = unwrap(data_seq, first) - first
        seen.stream_end = seen.stream_start + segment.length

    def _is_new_incarnation(self, flow: Flow, sender: tuple[bytes, int], segment: TcpSegment, start: int) -> bool:
        if segment.flags & (SYN | ACK) != SYN:
            return False
        return flow.opener is not None and flow.starts.get(sender, start) != start

    def _is_third_ack(self, flow: Flow, sender: tuple[bytes, int], segment: TcpSegment) -> bool:
        flags = segment.flags
        if flags & SYN:
            if not flags & ACK and flow.opener is None:
                flow.opener = sender
            # A SYN-ACK that comes again is answered again: that answer is a third ACK too.
            flow.awaits_third_ack = flow.opener is not None
            return False
        if not flow.awaits_third_ack or sender != flow.opener or flags & (ACK | RST) != ACK:
            return False
        flow.awaits_third_ack = False
        return True


@mypyc_attr(allow_interpreted_subclasses=True)
class Matcher(ABC):
    """A pure test of one packet. `name` is what traces say; `follows`: it needs what `Sightings` remembers of flows."""

    __slots__ = ("follows", "name")

    def __init__(self, name: str, follows: bool = False) -> None:
        self.name: str = name
        self.follows: bool = follows

    @abstractmethod
    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        """True if this is such a packet."""
        raise NotImplementedError

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        """The same for a frame that carries no IP packet: ARP, or something unknown."""
        return False

    def __and__(self, other: Matcher) -> Matcher:
        return _Both(self, other)

    def __or__(self, other: Matcher) -> Matcher:
        return _Either(self, other)

    def __invert__(self) -> Matcher:
        return _Not(self)

    def from_(self, host: str) -> Matcher:
        """Only those that `host` sent (a name, or an address as text)."""
        return _Both(self, _From(host))

    def to(self, host: str) -> Matcher:
        """Only those that are addressed to `host`."""
        return _Both(self, _To(host))

    def __repr__(self) -> str:
        return self.name


class _Both(Matcher):
    __slots__ = ("_left", "_right")

    def __init__(self, left: Matcher, right: Matcher) -> None:
        super().__init__(f"{left.name} {right.name}", left.follows or right.follows)
        self._left: Matcher = left
        self._right: Matcher = right

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return self._left.matches(packet, seen) and self._right.matches(packet, seen)

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        return self._left.matches_frame(frame, seen) and self._right.matches_frame(frame, seen)


class _Either(Matcher):
    __slots__ = ("_left", "_right")

    def __init__(self, left: Matcher, right: Matcher) -> None:
        super().__init__(f"({left.name} or {right.name})", left.follows or right.follows)
        self._left: Matcher = left
        self._right: Matcher = right

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return self._left.matches(packet, seen) or self._right.matches(packet, seen)

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        return self._left.matches_frame(frame, seen) or self._right.matches_frame(frame, seen)


class _Not(Matcher):
    __slots__ = ("_inner",)

    def __init__(self, inner: Matcher) -> None:
        super().__init__(f"not {inner.name}", inner.follows)
        self._inner: Matcher = inner

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return not self._inner.matches(packet, seen)

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        return not self._inner.matches_frame(frame, seen)


def _address(host: str) -> bytes:
    """The packed address if `host` is one, else b""."""
    try:
        return parse(host)
    except MisuseError:
        return b""


class _From(Matcher):
    __slots__ = ("_host", "_packed")

    def __init__(self, host: str) -> None:
        super().__init__(f"from {host}")
        self._host: str = host
        self._packed: bytes = _address(host)

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.source == self._host or packet.source == self._packed

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        message = frame.payload
        claimed = isinstance(message, ArpMessage) and message.sender == self._packed
        return seen.source == self._host or claimed


class _To(Matcher):
    __slots__ = ("_host", "_packed")

    def __init__(self, host: str) -> None:
        super().__init__(f"to {host}")
        self._host: str = host
        self._packed: bytes = _address(host)

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.destination == self._host or packet.destination == self._packed

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        message = frame.payload
        meant = isinstance(message, ArpMessage) and message.target == self._packed
        return seen.destination == self._host or meant


class _Flags(Matcher):
    """TCP segments with `flags & mask == value`."""

    __slots__ = ("_mask", "_value")

    def __init__(self, name: str, mask: int, value: int) -> None:
        super().__init__(name)
        self._mask: int = mask
        self._value: int = value

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.segment is not None and seen.segment.flags & self._mask == self._value


class _Any(Matcher):
    __slots__ = ()

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return True

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        return True


class _Arp(Matcher):
    __slots__ = ("_operations",)

    def __init__(self, name: str, *operations: int) -> None:
        super().__init__(name)
        self._operations: tuple[int, ...] = operations

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return False

    def matches_frame(self, frame: EthernetFrame, seen: Sighting) -> bool:
        message = frame.payload
        return isinstance(message, ArpMessage) and message.operation in self._operations


class _Icmp6(Matcher):
    __slots__ = ("_type",)

    def __init__(self, name: str, kind: int) -> None:
        super().__init__(name)
        self._type: int = kind

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        message = packet.payload
        return isinstance(message, IcmpMessage) and message.version == 6 and message.type == self._type


class _Data(Matcher):
    __slots__ = ()

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.segment is not None and seen.segment.length > 0


class _PureAck(Matcher):
    __slots__ = ()

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        segment = seen.segment
        return segment is not None and segment.flags & (SYN | FIN | RST | ACK) == ACK and segment.length == 0


class _ThirdAck(Matcher):
    __slots__ = ()

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.segment is not None and seen.third_ack


class _Segment(Matcher):
    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        super().__init__(f"segment {number}", follows=True)
        self._number: int = number

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return seen.segment is not None and seen.number == self._number


class _AfterBytes(Matcher):
    __slots__ = ("_count",)

    def __init__(self, count: int) -> None:
        super().__init__(f"after {count} bytes", follows=True)
        self._count: int = count

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        segment = seen.segment
        return segment is not None and segment.length > 0 and seen.stream_end > self._count


class _Payload(Matcher):
    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        super().__init__(f"with {text!r}")
        self._text: bytes = text

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        payload = packet.payload
        if isinstance(payload, TcpSegment):
            return self._text in b"".join(payload.chunks)
        if isinstance(payload, UdpDatagram | IcmpMessage):
            return self._text in payload.payload
        return self._text in payload


class _Port(Matcher):
    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        super().__init__(f"port {number}")
        self._number: int = number

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        payload = packet.payload
        if not isinstance(payload, TcpSegment | UdpDatagram):
            return False
        return self._number in (payload.source_port, payload.destination_port)


class _Protocol(Matcher):
    __slots__ = ("_numbers",)

    def __init__(self, name: str, *numbers: int) -> None:
        super().__init__(name)
        self._numbers: tuple[int, ...] = numbers

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return packet.protocol in self._numbers


class _Where(Matcher):
    __slots__ = ("_test",)

    def __init__(self, test: Callable[[IpPacket], bool], name: str) -> None:
        super().__init__(name)
        self._test: Callable[[IpPacket], bool] = test

    def matches(self, packet: IpPacket, seen: Sighting) -> bool:
        return self._test(packet)


anything: Final[Matcher] = _Any("anything")
tcp: Final[Matcher] = _Protocol("TCP", ip.TCP)
udp: Final[Matcher] = _Protocol("UDP", ip.UDP)
icmp: Final[Matcher] = _Protocol("ICMP", ip.ICMP, ip.ICMPV6)
syn: Final[Matcher] = _Flags("SYN", SYN | ACK, SYN)
syn_ack: Final[Matcher] = _Flags("SYN-ACK", SYN | ACK, SYN | ACK)
third_ack: Final[Matcher] = _ThirdAck("third ACK", follows=True)
"""The segment that completes a handshake: the first with ACK and without SYN from the end that sent the SYN. It may
carry data."""
fin: Final[Matcher] = _Flags("FIN", FIN, FIN)
rst: Final[Matcher] = _Flags("RST", RST, RST)
data: Final[Matcher] = _Data("data")
pure_ack: Final[Matcher] = _PureAck("pure ACK")
"""ACK and nothing else: no data, no SYN, FIN or RST."""

arp: Final[Matcher] = _Arp("ARP", arp_format.REQUEST, arp_format.REPLY)
arp_request: Final[Matcher] = _Arp("ARP request", arp_format.REQUEST)
arp_reply: Final[Matcher] = _Arp("ARP reply", arp_format.REPLY)
rarp: Final[Matcher] = _Arp("RARP", arp_format.REVERSE_REQUEST, arp_format.REVERSE_REPLY)
neighbor_solicitation: Final[Matcher] = _Icmp6("neighbor solicitation", nd.NEIGHBOR_SOLICITATION)
neighbor_advertisement: Final[Matcher] = _Icmp6("neighbor advertisement", nd.NEIGHBOR_ADVERTISEMENT)
router_solicitation: Final[Matcher] = _Icmp6("router solicitation", nd.ROUTER_SOLICITATION)
router_advertisement: Final[Matcher] = _Icmp6("router advertisement", nd.ROUTER_ADVERTISEMENT)


def segment(number: int) -> Matcher:
    """The `number`-th segment of each flow, both directions counted together: 1 is the SYN, 2 the SYN-ACK, if nothing
    goes wrong."""
    if number < 1:
        raise MisuseError(f"segments count from 1; this is {number}")
    return _Segment(number)


def after_bytes(count: int) -> Matcher:
    """Data that takes its direction's stream beyond `count` bytes."""
    return _AfterBytes(count)


def payload(text: bytes) -> Matcher:
    """Packets whose payload contains `text`."""
    return _Payload(text)


def port(number: int) -> Matcher:
    """TCP and UDP from or to port `number`."""
    return _Port(number)


def from_(host: str) -> Matcher:
    return _From(host)


def to(host: str) -> Matcher:
    return _To(host)


def where(test: Callable[[IpPacket], bool], name: str = "where") -> Matcher:
    """Packets for which `test(packet)` is true."""
    return _Where(test, name)
