"""Runs a lab one event at a time and holds, between any two events, every host, connection and listener to the rule
of the four verbs:

after any call that takes `now`, drain `poll_x`; then nothing happens before `deadline`, a call too many does nothing,
and `handle_timeout` at the deadline moves it on.
"""

from __future__ import annotations

from functools import cache

from netglass import Network, Probe
from netglass.lab.host import LabHost
from netglass.probe import Flow
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.times import NEVER, SECOND, human

MOST_AT_ONCE = 3000
"""Events in one nanosecond: a burst over a cable without delay, not more."""
MOST_TIMERS = 30
"""Expiries of one connection's timers within a second: the shortest timer is the delayed ACK's, 40 ms."""


class Timers(Probe):
    """When which timer fired."""

    def __init__(self) -> None:
        self.fired: dict[tuple[str, Flow], list[int]] = {}

    def timer_fired(self, host: str, flow: Flow, timer: str, now: int) -> None:
        if timer != "syn-ack":  # one for each half-open connection; told with that one's flow, but counted by itself
            self.fired.setdefault((host, flow), []).append(now)

    def check(self) -> None:
        for (host, _), times in self.fired.items():
            for index in range(len(times) - MOST_TIMERS):
                spread = times[index + MOST_TIMERS] - times[index]
                assert spread >= SECOND, f"{host}: {MOST_TIMERS} timers in {human(spread)}"


@cache
def attributes(kind: type) -> tuple[str, ...]:
    """The names of what its instances hold. By `dir`, since a compiled class does not tell its slots."""
    return tuple(name for name in dir(kind) if not name.startswith("__") and not callable(getattr(kind, name)))


def everything(thing: Connection | Listener) -> dict[str, object]:
    """All that `thing` holds, as values to compare."""
    block = thing.tcb if isinstance(thing, Connection) else thing
    kind: type = type(block)
    found = {name: getattr(block, name) for name in attributes(kind)}
    if isinstance(thing, Connection):
        recovery = thing.tcb.recovery
        found["congestion window"] = recovery.cc.cwnd
        found["slow start threshold"] = recovery.cc.ssthresh
        found["in flight"] = recovery.in_flight
    return found


class Strict:
    """`net` and its hosts under watch. `checks` counts how often something with a deadline was held to it."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.checks = 0
        self.kinds: set[str] = set()
        self.timers = Timers()
        net.observe(self.timers)

    def run(self) -> None:
        """To the last event."""
        now, at_once = -1, 0
        while self.net.run_next():
            at_once = at_once + 1 if self.net.now() == now else 0
            now = self.net.now()
            assert at_once < MOST_AT_ONCE, f"{at_once} events at {human(now)}"
            for host in self.net.hosts:
                self.watch(host)
        self.timers.check()

    def watch(self, host: LabHost) -> None:
        core = host.core
        now = self.net.now()
        # The lab hands over what is polled; polled once more, nothing may come.
        assert core.poll_packet(now) is None, f"{host.name} was not drained"
        deadline = core.deadline
        # `now` itself if the lab's next event is this very timer.
        assert deadline >= now, f"{host.name}: the deadline {human(deadline)} has passed"
        things: list[Connection | Listener] = [
            *core._demux.connections.values(),
            *[each for group in core._demux.listeners.values() for each in group],
        ]
        soonest = min([thing.deadline for thing in things], default=NEVER)
        assert deadline <= soonest, f"{host.name} would sleep until {human(deadline)}, but is due at {human(soonest)}"
        if deadline > now:
            self.too_early(host, deadline)
        for thing in things:
            self.watch_one(thing, now)

    def too_early(self, host: LabHost, deadline: int) -> None:
        """One nanosecond before the deadline there is nothing to do yet."""
        core = host.core
        counts = dict(core.counters.counts)
        early = min(deadline - 1, self.net.now() + 1000 * SECOND)
        core.handle_timeout(early)
        assert core.poll_packet(early) is None, f"{host.name} had something to send before its deadline"
        assert core.deadline == deadline
        assert core.counters.counts == counts
        self.checks += 1

    def watch_one(self, thing: Connection | Listener, now: int) -> None:
        deadline = thing.deadline
        before = everything(thing)
        for moment in (now, min(deadline - 1, now + 1000 * SECOND)):
            if moment < now or deadline <= moment:
                continue
            assert thing.poll_segment(moment) is None, f"{self.name(thing)} was not drained"
            thing.handle_timeout(moment)
            assert thing.poll_segment(moment) is None, f"{self.name(thing)}: something to send before its deadline"
            assert thing.deadline == deadline
        after = everything(thing)
        assert after == before, {name: (before[name], after[name]) for name in after if after[name] != before[name]}
        self.checks += 1
        self.kinds.add(self.name(thing))

    @staticmethod
    def name(thing: Connection | Listener) -> str:
        return str(thing.tcb.state.value) if isinstance(thing, Connection) else "LISTEN"
