"""The one hook on which every picture, plot, capture and counter hangs. Unset (None) it costs one test.

What an observer is told is told in the order in which it happened; the order is part of the truth, many things share
one nanosecond.
A packet handed to a probe is the packet itself and must not be changed.
"""

from __future__ import annotations

from netglass.build import mypyc_attr
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket

Flow = tuple[bytes, int, bytes, int]
"""A connection as one host names it: (local address, local port, remote address, remote port)."""


class TcbSnapshot:
    """A value copy of the transmission control block (RFC 9293 §3.3.1), made after a segment was sent or dealt with.

    Sequence numbers are unwrapped (they only grow): subtract `iss` or `irs` for relative ones. Sizes in bytes, times in
    nanoseconds.
    """

    __slots__ = (
        "backoff",
        "cwnd",
        "flight",
        "irs",
        "iss",
        "mss",
        "rcv_nxt",
        "rcv_queued",
        "rcv_wnd",
        "rto",
        "snd_nxt",
        "snd_queued",
        "snd_una",
        "snd_wnd",
        "srtt",
        "ssthresh",
        "state",
    )

    def __init__(self) -> None:
        self.state: str = "CLOSED"
        self.iss: int = 0
        self.irs: int = 0
        self.snd_una: int = 0
        self.snd_nxt: int = 0
        self.snd_wnd: int = 0
        self.rcv_nxt: int = 0
        self.rcv_wnd: int = 0
        self.cwnd: int = 0
        self.ssthresh: int = 0
        self.flight: int = 0
        self.mss: int = 0
        self.srtt: int = 0
        self.rto: int = 0
        self.backoff: int = 0
        self.snd_queued: int = 0  # bytes that the application gave and the peer has not acknowledged
        self.rcv_queued: int = 0  # bytes that the application has not read yet


@mypyc_attr(allow_interpreted_subclasses=True)
class Probe:
    """Inherit and override what you want to hear; every method here does nothing.

    `host` is the host's name, `link` a cable's. `tcb` is None for packets that belong to no connection.
    """

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        """`host` gave `packet` to `interface`."""

    def packet_received(self, host: str, interface: str, packet: IpPacket, now: int) -> None:
        """`packet` reached `host` whole. What the host makes of it is told next."""

    def packet_done(self, host: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        """`host` has dealt with a TCP segment that it received; `tcb` is the block afterwards."""

    def packet_dropped(self, host: str, packet: IpPacket | None, reason: str, now: int) -> None:
        """`host` dropped a packet (None: bytes that are no packet). `reason` is a counter's name, such as
        "tcp-checksum" or "accept-queue-full"."""

    def state_changed(self, host: str, flow: Flow, old: str, new: str, now: int) -> None:
        """A connection went from `old` to `new` (RFC 9293 names with hyphens: "SYN-SENT")."""

    def timer_fired(self, host: str, flow: Flow, timer: str, now: int) -> None:
        """`timer` is "retransmission", "syn-ack", "persist", "keep-alive", "delayed-ack", "fin-wait-2", "time-wait",
        "user-timeout"."""

    def queue_changed(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, now: int
    ) -> None:
        """A listener's queues: entries in the SYN queue and in the accept queue, and how many each can hold."""

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
        """A cable took transmission `number` from `source` at `sent`; it arrives at `destination` at `arrives`, or
        never (NEVER).

        `note` is "" or the name of the fault that touched it. `frame` holds the bytes if the cable made bytes of it
        (corruption, or a serialising
        network). A duplicate is told as a transmission of its own.
        """

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
        """As `carried`, of an Ethernet cable; `data` holds the frame's bytes if the cable made bytes of it. Who does
        not override this is told of the IP packet inside."""
        packet = frame.payload
        if isinstance(packet, IpPacket):
            inner = None if data is None else data[frame.size - packet.size :]
            self.carried(link, source, destination, number, packet, inner, sent, arrives, note)

    def frame_sent(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        """`host` gave `interface` a frame that carries no IP packet: ARP. IP packets are told by `packet_sent`, as
        those of any interface."""

    def frame_received(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        """A frame that carries no IP packet reached `host` whole."""

    def frame_dropped(self, host: str, frame: EthernetFrame | None, reason: str, now: int) -> None:
        """`host`, or a switch, dropped a frame before anybody looked for an IP packet in it (None: bytes that are no
        frame). `reason` is a counter's name, such as "arp-binding"."""

    def tls_secrets(self, host: str, lines: str, now: int) -> None:
        """What decrypts TLS connections of programs on `host`: lines of a key log (SSLKEYLOGFILE), each ended."""

    def note(self, host: str, subject: str, text: str, now: int) -> None:
        """Something else worth a line: what an application did, where a thread waits."""
