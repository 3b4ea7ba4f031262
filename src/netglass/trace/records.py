"""What a recorder keeps: one small record for each thing that a probe is told, in the order in which it happened."""

from __future__ import annotations

from typing import Final

from netglass.probe import Flow, TcbSnapshot
from netglass.times import NEVER
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import TcpSegment
from netglass.wire.udp import UdpDatagram

Packet = IpPacket | EthernetFrame
"""What is seen: an IP packet, in a frame or not; of a frame without one (ARP) the frame itself."""

UNKNOWN: Final = -1
"""A relative sequence number that has no known base."""


class Event:
    """Something that happened at `time` (ns)."""

    __slots__ = ("time",)

    def __init__(self, time: int) -> None:
        self.time: int = time


class HostEvent(Event):
    """Something that happened on `host`."""

    __slots__ = ("host",)

    def __init__(self, host: str, time: int) -> None:
        self.time = time
        self.host: str = host


class PacketEvent(HostEvent):
    """Something that happened to a packet on `host`; None stands for bytes that are no packet."""

    __slots__ = ("packet",)

    def __init__(self, host: str, packet: Packet | None, time: int) -> None:
        self.time = time
        self.host = host
        self.packet: Packet | None = packet

    @property
    def segment(self) -> TcpSegment | None:
        return segment_of(self.packet)

    @property
    def flow(self) -> Flow | None:
        """From the packet's source to its destination."""
        return flow_of(self.packet)


class Sent(PacketEvent):
    """`host` gave a packet to `interface`; `tcb` is the connection's block just then, None if there is none."""

    __slots__ = ("interface", "tcb")

    def __init__(self, host: str, interface: str, packet: Packet, tcb: TcbSnapshot | None, time: int) -> None:
        self.time = time
        self.host = host
        self.packet = packet
        self.interface: str = interface
        self.tcb: TcbSnapshot | None = tcb


class Received(PacketEvent):
    """A packet reached `host` whole."""

    __slots__ = ("interface",)

    def __init__(self, host: str, interface: str, packet: Packet, time: int) -> None:
        self.time = time
        self.host = host
        self.packet = packet
        self.interface: str = interface


class Done(PacketEvent):
    """`host` has dealt with a segment; `tcb` is the block afterwards."""

    __slots__ = ("tcb",)

    def __init__(self, host: str, packet: IpPacket, tcb: TcbSnapshot | None, time: int) -> None:
        self.time = time
        self.host = host
        self.packet = packet
        self.tcb: TcbSnapshot | None = tcb


class Dropped(PacketEvent):
    """`host` dropped a packet; `reason` is a counter's name. `unseen`: before anybody said that it was received."""

    __slots__ = ("reason", "unseen")

    def __init__(self, host: str, packet: Packet | None, reason: str, time: int, unseen: bool = False) -> None:
        self.time = time
        self.host = host
        self.packet = packet
        self.reason: str = reason
        self.unseen: bool = unseen


class StateChanged(HostEvent):
    """A connection went from `old` to `new`. `flow` is as `host` names it: local first."""

    __slots__ = ("flow", "new", "old")

    def __init__(self, host: str, flow: Flow, old: str, new: str, time: int) -> None:
        self.time = time
        self.host = host
        self.flow: Flow = flow
        self.old: str = old
        self.new: str = new


class TimerFired(HostEvent):
    """`timer` of the connection `flow` ran out."""

    __slots__ = ("flow", "timer")

    def __init__(self, host: str, flow: Flow, timer: str, time: int) -> None:
        self.time = time
        self.host = host
        self.flow: Flow = flow
        self.timer: str = timer


class QueueChanged(HostEvent):
    """The queues of the listener on `port`: entries in the SYN queue and in the accept queue."""

    __slots__ = ("complete", "half_open", "most_complete", "most_half_open", "port")

    def __init__(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, time: int
    ) -> None:
        self.time = time
        self.host = host
        self.port: int = port
        self.half_open: int = half_open
        self.complete: int = complete
        self.most_half_open: int = most_half_open
        self.most_complete: int = most_complete


class Carried(Event):
    """A cable took a packet at `time`; it `arrives` at `destination`, or never (NEVER). `frame` has the bytes if the
    cable made bytes of it. `ethernet` is the frame on an Ethernet cable."""

    __slots__ = ("arrives", "destination", "ethernet", "frame", "link", "note", "number", "packet", "source")

    def __init__(
        self,
        link: str,
        source: str,
        destination: str,
        number: int,
        packet: Packet,
        frame: bytes | None,
        time: int,
        arrives: int,
        note: str,
        ethernet: EthernetFrame | None = None,
    ) -> None:
        self.time = time
        self.ethernet: EthernetFrame | None = ethernet
        self.link: str = link
        self.source: str = source
        self.destination: str = destination
        self.number: int = number
        self.packet: Packet = packet
        self.frame: bytes | None = frame
        self.arrives: int = arrives
        self.note: str = note  # the fault that touched it, or ""

    @property
    def lost(self) -> bool:
        return self.arrives == NEVER


class Note(HostEvent):
    """Something else worth a line."""

    __slots__ = ("subject", "text")

    def __init__(self, host: str, subject: str, text: str, time: int) -> None:
        self.time = time
        self.host = host
        self.subject: str = subject
        self.text: str = text


def segment_of(packet: Packet | None) -> TcpSegment | None:
    if packet is None:
        return None
    payload = packet.payload
    return payload if isinstance(payload, TcpSegment) else None


def flow_of(packet: Packet | None) -> Flow | None:
    """(source, port, destination, port) of a TCP or UDP packet."""
    if not isinstance(packet, IpPacket):
        return None
    payload = packet.payload
    if isinstance(payload, (TcpSegment, UdpDatagram)):
        return packet.source, payload.source_port, packet.destination, payload.destination_port
    return None


def reverse(flow: Flow) -> Flow:
    """The same connection as the other end names it."""
    return flow[2], flow[3], flow[0], flow[1]
