"""What a congestion control is: one class, one file, one line in the registry (`netglass.tcp.congestion`).

Everything is in bytes and nanoseconds; where an RFC counts segments, so many bytes of `mss`. No floats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from netglass.build import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class CongestionControl(ABC):
    """Decides `cwnd` and `ssthresh`. `tcp.recovery` decides what is lost and tells it."""

    name: ClassVar[str] = ""

    def __init__(self, mss: int, initial_window: int) -> None:
        self.mss: int = mss
        self.cwnd: int = initial_window  # bytes
        self.ssthresh: int = 1 << 30  # "arbitrarily high" (RFC 5681 §3.1)

    @abstractmethod
    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        """`size` bytes newly acknowledged outside of recovery, while the window was in full use; `in_flight` bytes were out before this ACK."""
        raise NotImplementedError

    @abstractmethod
    def lost(self, in_flight: int, now: int) -> None:
        """A loss was detected without a timeout: reduce `ssthresh`; recovery sets `cwnd` while it lasts (RFC 5681 §3.2, RFC 9438 §4.6)."""
        raise NotImplementedError

    @abstractmethod
    def timed_out(self, in_flight: int, now: int) -> None:
        """The retransmission timer expired: `ssthresh` falls, `cwnd` becomes one segment (RFC 5681 §3.1)."""
        raise NotImplementedError

    def recovered(self, now: int) -> None:
        """Recovery is over; `cwnd` goes on from `ssthresh`."""
        self.cwnd = self.ssthresh

    def idle(self, idle: int, rto: int, now: int) -> None:
        """Nothing was sent for `idle`: restart window (RFC 5681 §4.1), if the host has `slow_start_after_idle`."""
