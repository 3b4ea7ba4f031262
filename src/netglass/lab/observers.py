"""Many observers behind the one hook of the probe."""

from __future__ import annotations

from netglass.probe import Flow, Probe, TcbSnapshot
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket


class Observers(Probe):
    """Tells each of `probes` everything, in the order in which they came."""

    __slots__ = ("probes",)

    def __init__(self) -> None:
        self.probes: list[Probe] = []

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        for probe in self.probes:
            probe.packet_sent(host, interface, packet, tcb, now)

    def packet_received(self, host: str, interface: str, packet: IpPacket, now: int) -> None:
        for probe in self.probes:
            probe.packet_received(host, interface, packet, now)

    def packet_done(self, host: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        for probe in self.probes:
            probe.packet_done(host, packet, tcb, now)

    def packet_dropped(self, host: str, packet: IpPacket | None, reason: str, now: int) -> None:
        for probe in self.probes:
            probe.packet_dropped(host, packet, reason, now)

    def state_changed(self, host: str, flow: Flow, old: str, new: str, now: int) -> None:
        for probe in self.probes:
            probe.state_changed(host, flow, old, new, now)

    def timer_fired(self, host: str, flow: Flow, timer: str, now: int) -> None:
        for probe in self.probes:
            probe.timer_fired(host, flow, timer, now)

    def queue_changed(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, now: int
    ) -> None:
        for probe in self.probes:
            probe.queue_changed(host, port, half_open, complete, most_half_open, most_complete, now)

    def carried(
        self,
        link: str,
        source: str,
        destination: str,
        number: int,
        packet: IpPacket,
        frame: bytes | None,
        sent: int,
        arrives: int,
        note: str,
    ) -> None:
        for probe in self.probes:
            probe.carried(link, source, destination, number, packet, frame, sent, arrives, note)

    def tls_secrets(self, host: str, lines: str, now: int) -> None:
        for probe in self.probes:
            probe.tls_secrets(host, lines, now)

    def frame_carried(
        self,
        link: str,
        source: str,
        destination: str,
        number: int,
        frame: EthernetFrame,
        data: bytes | None,
        sent: int,
        arrives: int,
        note: str,
    ) -> None:
        for probe in self.probes:
            probe.frame_carried(link, source, destination, number, frame, data, sent, arrives, note)

    def frame_sent(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        for probe in self.probes:
            probe.frame_sent(host, interface, frame, now)

    def frame_received(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        for probe in self.probes:
            probe.frame_received(host, interface, frame, now)

    def frame_dropped(self, host: str, frame: EthernetFrame | None, reason: str, now: int) -> None:
        for probe in self.probes:
            probe.frame_dropped(host, frame, reason, now)

    def note(self, host: str, subject: str, text: str, now: int) -> None:
        for probe in self.probes:
            probe.note(host, subject, text, now)
