"""Reno: one segment more each round trip, half the window at a loss (RFC 5681)."""

from __future__ import annotations

from typing import ClassVar

from netglass.build import mypyc_attr
from netglass.tcp.congestion.base import CongestionControl


@mypyc_attr(allow_interpreted_subclasses=True)
class Reno(CongestionControl):
    """RFC 5681 with appropriate byte counting (RFC 3465)."""

    name: ClassVar[str] = "reno"

    def __init__(self, mss: int, initial_window: int) -> None:
        super().__init__(mss, initial_window)
        self._counted: int = 0  # bytes acknowledged since cwnd last grew

    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        if self.cwnd < self.ssthresh:
            size = self.slow_start(size)
        # RFC 5681 §3.1: a whole window acknowledged is a round trip, and worth one segment.
        self._counted += size
        if self._counted >= self.cwnd:
            self._counted -= self.cwnd
            self.cwnd += self.mss

    def lost(self, in_flight: int, now: int) -> None:
        # RFC 5681 equation 4.
        self.ssthresh = max(in_flight // 2, 2 * self.mss)
        self._counted = 0

    def timed_out(self, in_flight: int, now: int) -> None:
        self.lost(in_flight, now)
        self.cwnd = self.mss
