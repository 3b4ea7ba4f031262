"""How often a host may send ICMP errors: Linux's limits, one for each destination and one for all together."""

from __future__ import annotations

from typing import Final

from netglass.host.config import HostConfig
from netglass.times import MILLISECOND, NEVER, SECOND

_BURST: Final = 6  # Linux XRLIM_BURST_FACTOR: errors to one destination that may follow at once
_REMEMBERED: Final = 1024

REDIRECTS_MOST: Final = 9  # Linux net.ipv4.route.redirect_number: who does not listen to so many never will
_REDIRECT_LOAD: Final = 20 * MILLISECOND  # net.ipv4.route.redirect_load, doubled by each
_REDIRECT_SILENCE: Final = 20480 * MILLISECOND  # net.ipv4.route.redirect_silence: after it they count from the start


class _Redirects:
    """What was sent to one host."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count: int = 0
        self.last: int = -NEVER


class IcmpRate:
    """Token buckets that fill with time. What is remembered is bounded: a flood of forged sources makes the host
    forget, not grow, and the limit for all stays."""

    __slots__ = ("_all", "_all_at", "_buckets", "_config", "_redirects")

    def __init__(self, config: HostConfig) -> None:
        self._config: HostConfig = config
        self._buckets: dict[bytes, tuple[int, int]] = {}  # destination -> (time saved up, when that was)
        self._all: int = NEVER  # time saved up for all together
        self._all_at: int = 0
        self._redirects: dict[bytes, _Redirects] = {}

    def allows(self, destination: bytes, now: int) -> bool:
        """True if an error may go to `destination` now, which then has been sent."""
        config = self._config
        interval = config.icmp_interval if len(destination) == 4 else config.icmp6_interval
        if interval == 0:
            return True
        each = SECOND // config.icmp_msgs_per_sec if config.icmp_msgs_per_sec else 0
        saved = min(self._all + now - self._all_at, each * config.icmp_msgs_burst)
        if saved < each:
            return False
        own, at = self._buckets.get(destination, (NEVER, now))
        own = min(own + now - at, _BURST * interval)
        allowed = own >= interval
        if destination not in self._buckets and len(self._buckets) >= _REMEMBERED:
            self._buckets.clear()
        self._buckets[destination] = (own - interval if allowed else own, now)
        if allowed:
            self._all = saved - each
            self._all_at = now
        return allowed

    def allows_redirect(self, destination: bytes, now: int) -> bool:
        """Redirects are their own matter (Linux ip_rt_send_redirect): each waits twice as long as the one before."""
        sent = self._redirects.get(destination)
        if sent is None or now > sent.last + _REDIRECT_SILENCE:
            if len(self._redirects) >= _REMEMBERED:
                self._redirects.clear()
            sent = self._redirects[destination] = _Redirects()
        if sent.count >= REDIRECTS_MOST:
            sent.last = now
            return False
        if sent.count and now <= sent.last + (_REDIRECT_LOAD << sent.count):
            return False
        sent.count += 1
        sent.last = now
        return True
