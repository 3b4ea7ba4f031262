"""Round-trip time and retransmission timeout (RFC 6298, in Linux's form).

The RFC says RTO = SRTT + max(G, 4 * RTTVAR), and never below a second. Linux puts its floor, 200 ms, under the variance
and not under the sum: RTO = SRTT + max(4 * RTTVAR, rto_min). So a steady round-trip time R ends in R + 200 ms, and the
timer leaves the same room for delayed ACKs on every path. Two more habits of Linux decide what is seen on the wire:

- the variance that counts is the largest of the last round trip. It rises at once; after a round trip with less it
  falls by a quarter of the difference. `end_round` tells that a round trip is over.
- a sample far *below* the mean raises the variance only by an eighth of what the RFC says: a path that became quicker
  is no reason to wait longer.
"""

from __future__ import annotations

from typing import Final

from netglass.times import SECOND

# RFC 6298 §5.7: the timeout for data if the handshake gave no measurement (its SYN was sent twice).
_UNMEASURED_RTO: Final = 3 * SECOND


class RttEstimator:
    """SRTT, RTTVAR and RTO, in nanoseconds, in integers. srtt is 0 until the first measurement, at least 1 after it."""

    __slots__ = ("_least", "_most", "_round_spread", "_spread", "latest", "minimum", "rto", "rttvar", "srtt")

    def __init__(self, initial_rto: int, rto_min: int, rto_max: int) -> None:
        self.srtt: int = 0
        self.rttvar: int = 0  # the smoothed deviation of RFC 6298; Linux tells it as tcpi_rttvar
        self.latest: int = 0
        self.minimum: int = 0  # the lowest sample ever seen
        self.rto: int = min(initial_rto, rto_max)  # with what `back_off` doubled since the last measurement
        self._least: int = rto_min
        self._most: int = rto_max
        self._spread: int = rto_min  # what RTO adds to SRTT: never below rto_min
        self._round_spread: int = rto_min  # the largest 4 * RTTVAR in this round trip, never below rto_min

    def measure(self, rtt: int) -> None:
        """One sample, never from a retransmitted segment unless a timestamp vouches for it (Karn; RFC 7323 §4)."""
        self.latest = rtt
        if self.srtt == 0:
            self._first(rtt)
            return
        if rtt < self.minimum:
            self.minimum = rtt
        error = rtt - self.srtt
        srtt = self.srtt + (error >> 3)  # alpha = 1/8
        self.srtt = srtt if srtt > 0 else 1
        if error >= 0:
            self.rttvar += (error - self.rttvar) >> 2  # beta = 1/4
        elif -error > self.rttvar:
            self.rttvar += (-error - self.rttvar) >> 5
        else:
            self.rttvar += (-error - self.rttvar) >> 2
        spread = 4 * self.rttvar
        if spread > self._round_spread:
            self._round_spread = spread
            if spread > self._spread:
                self._spread = spread
        rto = self.srtt + self._spread
        self.rto = rto if rto < self._most else self._most

    def _first(self, rtt: int) -> None:
        self.minimum = rtt
        self.srtt = max(rtt, 1)
        self.rttvar = rtt // 2
        self._spread = max(4 * self.rttvar, self._least)
        self._round_spread = self._spread
        self.rto = min(self.srtt + self._spread, self._most)

    def end_round(self) -> None:
        """Everything that was in flight at the last call has been acknowledged: the variance may fall."""
        if self.srtt == 0:
            return
        if self._round_spread < self._spread:
            self._spread -= (self._spread - self._round_spread) >> 2
            self.rto = min(self.srtt + self._spread, self._most)
        self._round_spread = self._least

    def handshake_unmeasured(self) -> None:
        """The handshake was completed but gave no sample: 3 s for the first data (RFC 6298 §5.7)."""
        self.rto = min(_UNMEASURED_RTO, self._most)

    def back_off(self) -> None:
        """The timer has expired (RFC 6298 §5.5). The timeout stays doubled until there is a new measurement: on a path
        that became slower than it, every segment would else be sent twice, and nothing could ever be measured."""
        self.rto = self.backed_off(1)

    def backed_off(self, backoff: int) -> int:
        """What the timeout will be after `backoff` more expiries, doubled each time up to the limit."""
        rto = self.rto << backoff
        return rto if rto < self._most else self._most
