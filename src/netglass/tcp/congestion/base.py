"""What a congestion control is: one class, one file, one line in the registry (`netglass.tcp.congestion`).

Everything is in bytes and nanoseconds; where an RFC counts segments, so many bytes of `mss`. No floats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

from netglass.build import mypyc_attr

# "Arbitrarily high" (RFC 5681 §3.1): more than the largest window of RFC 7323.
UNLIMITED: Final = 1 << 30


@mypyc_attr(allow_interpreted_subclasses=True)
class CongestionControl(ABC):
    """Decides `cwnd` and `ssthresh`. `tcp.recovery` decides what is lost and tells it."""

    name: ClassVar[str] = ""

    def __init__(self, mss: int, initial_window: int) -> None:
        self.mss: int = mss
        self.initial_window: int = initial_window  # bytes
        self.cwnd: int = initial_window  # bytes
        self.ssthresh: int = UNLIMITED

    @abstractmethod
    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        """`size` bytes newly acknowledged outside of fast recovery, while the window was in full use.

        `in_flight` bytes were out before this ACK. Bytes that a SACK had told before are not counted again.
        """
        raise NotImplementedError

    @abstractmethod
    def lost(self, in_flight: int, now: int) -> None:
        """A loss was detected without a timeout: reduce `ssthresh` (RFC 5681 §3.2, RFC 9438 §4.6).

        `in_flight` is RFC 5681's FlightSize: bytes sent and not acknowledged, those of limited transmit left out.
        Recovery sets `cwnd` to `ssthresh` next, and calls `recovered` in the end.
        """
        raise NotImplementedError

    @abstractmethod
    def timed_out(self, in_flight: int, now: int) -> None:
        """The retransmission timer expired: `ssthresh` falls, `cwnd` becomes one segment (RFC 5681 §3.1).

        `in_flight` is FlightSize as for `lost`. If the same data times out again, recovery keeps the old `ssthresh`.
        """
        raise NotImplementedError

    def recovered(self, now: int) -> None:
        """Fast recovery is over; `cwnd` goes on from `ssthresh`."""
        self.cwnd = self.ssthresh

    def restarted(self, now: int) -> None:
        """Data goes out again after nothing was in flight. Time spent idle is no time on a growth curve."""
        return

    def idle(self, idle: int, rto: int, now: int) -> None:
        """Nothing was sent for `idle`, and the host has `slow_start_after_idle`.

        RFC 5681 §4.1 restarts from the initial window at once; Linux halves the window for each RTO that has passed,
        down to the initial window, and remembers three quarters of the old one as the threshold.
        """
        if 3 * self.cwnd > 4 * self.ssthresh:
            self.ssthresh = 3 * self.cwnd // 4
        restart = min(self.initial_window, self.cwnd)
        while idle > rto and self.cwnd > restart:
            self.cwnd >>= 1
            idle -= rto
        if self.cwnd < restart:
            self.cwnd = restart

    def slow_start(self, size: int) -> int:
        """Grows `cwnd` by what was acknowledged, up to `ssthresh` (RFC 5681 §3.1; no limit per ACK, as Linux).

        Returns the bytes left for congestion avoidance.
        """
        room = self.ssthresh - self.cwnd
        if size <= room:
            self.cwnd += size
            return 0
        self.cwnd = self.ssthresh
        return size - room
