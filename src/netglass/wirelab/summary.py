"""What the cables of a lab did, in a few lines."""

from __future__ import annotations

from netglass.network.cable import Cable, Lane
from netglass.times import MICROSECOND, human
from netglass.wirelab.lab import WireLab


def summary(lab: WireLab) -> list[str]:
    """A line for each direction of each cable, one for what its faults did but lose packets, and what this machine
    itself did wrong."""
    lines: list[str] = []
    for cable in lab.net.cables:
        lines += [lane_line(lane) for lane in cable.lanes]
        touched = touches(cable)
        if touched:
            lines.append(f"{cable.a} - {cable.b}: {listed(touched)}")
    unread = lab.unread()
    if unread:
        lines.append(f"{unread:,} packets were lost before the cables: this machine was too busy to read them in time")
    refused = lab.refused()
    if refused:
        lines.append(f"between kernels and cables: {listed(refused)}")
    lines.append(f"nothing happened more than {human(lab.late // MICROSECOND * MICROSECOND)} late")
    return lines


def lane_line(lane: Lane) -> str:
    lost = lane.counters.counts
    end = f"{sum(lost.values()):,} lost: {listed(lost)}" if lost else "none lost"
    return f"{lane.source} -> {lane.destination}: {lane.offered:,} packets, {end}"


def touches(cable: Cable) -> dict[str, int]:
    """How often each fault did something else than lose a packet."""
    counts: dict[str, int] = {}
    for fault in {id(each): each for lane in cable.lanes for each in lane.faults}.values():
        counts[fault.name] = counts.get(fault.name, 0) + fault.fired
    for lane in cable.lanes:
        for name, count in lane.counters.counts.items():
            if name in counts:
                counts[name] -= count
    return {name: count for name, count in counts.items() if count}


def listed(counts: dict[str, int]) -> str:
    return ", ".join([f"{name} {count:,}" for name, count in sorted(counts.items())])
