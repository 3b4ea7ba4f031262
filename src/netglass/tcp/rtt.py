"""Round-trip time and retransmission timeout (RFC 6298)."""

from __future__ import annotations


class RttEstimator:
    """SRTT, RTTVAR and RTO, in nanoseconds, in integers. srtt is 0 until the first measurement."""

    __slots__ = ("latest", "minimum", "rto", "rttvar", "srtt", "_most", "_least")

    def __init__(self, initial_rto: int, rto_min: int, rto_max: int) -> None:
        self.srtt: int = 0
        self.rttvar: int = 0
        self.latest: int = 0
        self.minimum: int = 0
        self.rto: int = initial_rto  # without backoff
        self._least: int = rto_min
        self._most: int = rto_max

    def measure(self, rtt: int) -> None:
        """One sample, never from a retransmitted segment unless a timestamp vouches for it (Karn; RFC 7323 §4)."""
        raise NotImplementedError

    def backed_off(self, backoff: int) -> int:
        """The timeout after `backoff` expiries in a row, doubled each time up to the limit (RFC 6298 §5.5)."""
        raise NotImplementedError
