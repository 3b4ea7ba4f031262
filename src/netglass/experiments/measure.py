"""What experiments read out of a recording again and again, and how they say it."""

from __future__ import annotations

from collections.abc import Sequence

from netglass.probe import Flow
from netglass.times import HOUR, MINUTE, NEVER, human
from netglass.trace.recorder import Recorder


def entered(trace: Recorder, host: str, state: str, flow: Flow | None = None) -> int:
    """When a connection of `host` first came into `state`; NEVER if none did."""
    times = [each.time for each in trace.state_changes(host, flow) if each.new == state]
    return times[0] if times else NEVER


def left(trace: Recorder, host: str, state: str, flow: Flow | None = None) -> int:
    """When a connection of `host` first left `state`; NEVER if none did."""
    times = [each.time for each in trace.state_changes(host, flow) if each.old == state]
    return times[0] if times else NEVER


def stayed(trace: Recorder, host: str, state: str, flow: Flow | None = None) -> int:
    """How long that was; NEVER if the state was not left."""
    end = left(trace, host, state, flow)
    return NEVER if end == NEVER else end - entered(trace, host, state, flow)


def states_from(trace: Recorder, host: str, state: str, flow: Flow | None = None) -> list[str]:
    """The states that the host's connection went through, from `state` on."""
    states = trace.states(host, flow)
    return states[states.index(state) :]


def way(states: Sequence[str]) -> str:
    """ "A -> B -> C"."""
    return " -> ".join(states)


def durations(times: Sequence[int]) -> str:
    """ "1 s, 3 s and 7 s"."""
    words = [human(time) for time in times]
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def counted(count: int, noun: str, several: str = "") -> str:
    """ "1 segment", "3 segments", "no segments"; `several` if more than one are not called so."""
    return f"{count or 'no'} {noun if count == 1 else several or noun + 's'}"


def so_often(count: int) -> str:
    """ "once", "3 times"."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def after(time: int) -> str:
    """ "at once", or "after 40 ms"."""
    return f"after {human(time)}" if time else "at once"


def lasting(time: int) -> str:
    """ "for 40 ms", or "for no time at all"."""
    return f"for {human(time)}" if time else "for no time at all"


def spoken(time: int) -> str:
    """A long time as one says it: "2 h 11 min 15 s"."""
    if time < 2 * MINUTE:
        return human(time)
    hours, rest = divmod(time, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    words = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", human(rest) if rest else ""]
    return " ".join([word for word in words if word])
