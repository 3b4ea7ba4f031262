"""Which of the bytes in flight are lost, and when to send them again.

Now: cumulative ACKs, duplicate ACKs with NewReno (RFC 6582), and a SACK scoreboard with RFC 6675's pipe. RACK-TLP, PRR and F-RTO will live
beside this file and ask the same scoreboard; for their sake each range remembers when it was sent.
"""

from __future__ import annotations

from netglass.tcp.congestion.base import CongestionControl
from netglass.tcp.config import TcpConfig
from netglass.tcp.rtt import RttEstimator


class SentRange:
    """Sequence numbers [start, end) that went out in one segment (perhaps a super-segment) and are not acknowledged."""

    __slots__ = ("end", "first_sent", "lost", "retransmissions", "sacked", "sent", "start")

    def __init__(self, start: int, end: int, now: int) -> None:
        self.start: int = start
        self.end: int = end
        self.first_sent: int = now
        self.sent: int = now  # last (re)transmission
        self.retransmissions: int = 0
        self.sacked: bool = False
        self.lost: bool = False  # to be sent again


class Recovery:
    """The sender's view of one connection's flight. SYN and FIN count as one byte each, like any other sequence number."""

    __slots__ = ("cc", "config", "in_flight", "in_recovery", "mss", "rtt", "sack_ok", "una")

    def __init__(self, config: TcpConfig, rtt: RttEstimator, cc: CongestionControl, mss: int, iss: int) -> None:
        self.config: TcpConfig = config
        self.rtt: RttEstimator = rtt
        self.cc: CongestionControl = cc
        self.mss: int = mss
        self.sack_ok: bool = False
        self.una: int = iss
        self.in_flight: int = 0  # bytes believed to be in the network: RFC 6675's pipe
        self.in_recovery: bool = False  # fast recovery, or after a timeout until everything sent before it is acknowledged

    def record_sent(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent for the first time."""
        raise NotImplementedError

    def record_retransmission(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent again; it may be the head of a longer range."""
        raise NotImplementedError

    def ack_arrived(
        self, ack: int, sacks: tuple[tuple[int, int], ...], duplicate: bool, ts_rtt: int, window_limited: bool, now: int
    ) -> int:
        """An acceptable ACK: `ack` (unwrapped) >= una; `sacks` unwrapped and sane; `duplicate` by RFC 5681 §2; `ts_rtt` a sample from
        timestamps, or -1. Measures the RTT, moves the scoreboard, detects loss, drives the congestion control. Returns the bytes newly acknowledged by `ack`."""
        raise NotImplementedError

    def retransmission_due(self) -> SentRange | None:
        """The first range marked lost that the congestion window lets out now, or None."""
        raise NotImplementedError

    def send_allowance(self) -> int:
        """Bytes of new data that the congestion window lets out now (limited transmit, RFC 3042, included)."""
        raise NotImplementedError

    def outstanding(self) -> bool:
        """True while anything sent is unacknowledged: the retransmission timer runs."""
        raise NotImplementedError

    def timed_out(self, now: int) -> None:
        """The retransmission timer expired: everything unsacked is lost, the window is one segment (RFC 6298 §5.4, RFC 5681 §3.1)."""
        raise NotImplementedError

    def first_sent_at(self) -> int:
        """When the oldest unacknowledged range was first sent; for the user timeout. NEVER if nothing is out."""
        raise NotImplementedError
