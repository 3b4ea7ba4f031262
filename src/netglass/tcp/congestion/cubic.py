"""CUBIC (RFC 9438), in integers: a root from the C library differs between machines, and so would the bytes sent.

After a loss the window follows a cubic curve of the time since then: quickly back towards the window at which the loss
happened (W_max), slowly around it, then ever faster beyond it. On short paths Reno would be quicker; there the window
follows an estimate of Reno's instead (§4.3).

Windows are bytes, times on the curve microseconds.
"""

from __future__ import annotations

from typing import ClassVar, Final

from netglass.build import mypyc_attr
from netglass.tcp.congestion.base import CongestionControl
from netglass.times import MICROSECOND

# RFC 9438 §4.6 and §5: beta = 7/10; C = 2/5 segments per second cubed.
_BETA: Final = 7
_BETA_PARTS: Final = 10
_C: Final = 2
_C_PARTS: Final = 5
# §4.3: 3 * (1 - beta) / (1 + beta), what Reno with this beta may add each round trip to be as fast as Reno with 1/2.
_ALPHA: Final = 9
_ALPHA_PARTS: Final = 17
# §4.7: (1 + beta) / 2.
_CONVERGE: Final = 17
_CONVERGE_PARTS: Final = 20

_SECOND: Final = 1_000_000  # microseconds
_NO_EPOCH: Final = -1


@mypyc_attr(allow_interpreted_subclasses=True)
class Cubic(CongestionControl):
    """RFC 9438 without HyStart++: slow start ends with the first loss."""

    name: ClassVar[str] = "cubic"

    def __init__(self, mss: int, initial_window: int) -> None:
        super().__init__(mss, initial_window)
        self.w_max: int = 0  # the window before the last reduction, after fast convergence
        self.k: int = 0  # microseconds from the epoch until the curve is back at w_max
        self._w_est: int = 0  # Reno's window
        self._cwnd_prior: int = 0  # the window before the last reduction
        self._epoch: int = _NO_EPOCH  # when this congestion avoidance began
        self._last: int = 0  # when the window last was in full use
        self._carry: int = 0  # of cwnd and _w_est, in bytes * cwnd: what division left over
        self._est_carry: int = 0

    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        if self.cwnd < self.ssthresh:
            # HyStart++ (RFC 9406) would look at the round-trip times here.
            size = self.slow_start(size)
            if size == 0:
                return
        if self._epoch == _NO_EPOCH:
            self._begin(now)
        self._last = now
        cwnd = self.cwnd
        w_est = self._estimate(size, cwnd)
        elapsed = (now - self._epoch) // MICROSECOND
        if self._window_at(elapsed) < w_est:
            # §4.3: the Reno-friendly region.
            if w_est > cwnd:
                self.cwnd = w_est
            return
        # §4.4 and §4.5: towards where the curve will be in one round trip, by at most half of the window.
        missing = self._window_at(elapsed + srtt // MICROSECOND) - cwnd
        if missing <= 0:
            return
        if missing > cwnd >> 1:
            missing = cwnd >> 1
        grown = missing * size + self._carry
        self.cwnd = cwnd + grown // cwnd
        self._carry = grown % cwnd

    def _begin(self, now: int) -> None:
        """A congestion avoidance begins (§4.2): the curve starts at the present window."""
        cwnd = self.cwnd
        self._epoch = now
        self._w_est = cwnd
        self._carry = 0
        self._est_carry = 0
        if cwnd < self.w_max:
            self.k = cube_root((self.w_max - cwnd) * _C_PARTS * _SECOND**3 // (_C * self.mss))
        else:
            # §4.8, §4.10: slow start ended without a loss, or after a timeout: nothing to come back to.
            self.k = 0
            self.w_max = cwnd

    def _window_at(self, elapsed: int) -> int:
        """W_cubic, equation 1."""
        offset = elapsed - self.k
        cube = offset * offset // _SECOND * offset // _SECOND
        return self.w_max + _C * self.mss * cube // (_C_PARTS * _SECOND)

    def _estimate(self, size: int, cwnd: int) -> int:
        """W_est, equation 4, after `size` more bytes."""
        if self._w_est < self._cwnd_prior:
            grown = _ALPHA * self.mss * size // _ALPHA_PARTS + self._est_carry
        else:
            grown = self.mss * size + self._est_carry
        self._w_est += grown // cwnd
        self._est_carry = grown % cwnd
        return self._w_est

    def lost(self, in_flight: int, now: int) -> None:
        cwnd = self.cwnd
        self._cwnd_prior = cwnd
        # §4.7: who lost before coming back to the old window makes room for a newcomer.
        self.w_max = cwnd * _CONVERGE // _CONVERGE_PARTS if cwnd < self.w_max else cwnd
        # §4.6. The window is right here and not the flight: it only grew while it was in full use.
        self.ssthresh = max(cwnd * _BETA // _BETA_PARTS, 2 * self.mss)
        self._epoch = _NO_EPOCH

    def timed_out(self, in_flight: int, now: int) -> None:
        self.lost(in_flight, now)
        # §4.8: the next congestion avoidance starts a curve of its own.
        self.w_max = 0
        self.cwnd = self.mss

    def restarted(self, now: int) -> None:
        # §5.8: the curve stands still while the application has nothing to send.
        if self._epoch != _NO_EPOCH:
            self._epoch += now - self._last
            self._last = now


def cube_root(number: int) -> int:
    """The largest integer whose cube is not above `number` (Newton's method from above)."""
    if number <= 0:
        return 0
    root = 1 << ((number.bit_length() + 2) // 3)
    while True:
        closer = (2 * root + number // (root * root)) // 3
        if closer >= root:
            return root
        root = closer
