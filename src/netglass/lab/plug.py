"""Where a cable is plugged in: into a machine (`lab.machine.Port`) or a switch (`lab.switch.SwitchPlug`)."""

from __future__ import annotations

from netglass.build import mypyc_attr
from netglass.lab.agenda import Agenda, Target
from netglass.network.cable import Cable, Lane, Unit
from netglass.times import NEVER


@mypyc_attr(allow_interpreted_subclasses=True)
class Plug(Target):
    """One end of a cable; what arrives over it happens to this."""

    __slots__ = ("agenda", "cable", "end", "ends", "lane")

    def __init__(self, cable: Cable, end: int, agenda: Agenda) -> None:
        self.cable: Cable = cable
        self.end: int = end  # 0: the cable's a, 1: its b
        self.lane: Lane = cable.lanes[end]  # outwards
        self.ends: tuple[Plug, ...] = ()  # both of the cable, filled in when it is plugged in
        self.agenda: Agenda = agenda

    @property
    def peer(self) -> Plug:
        return self.ends[1 - self.end]

    def send(self, unit: Unit, now: int) -> None:
        lane = self.lane
        if lane.plain:
            arrival = lane.transit(unit, now)
            if arrival != NEVER:
                self.agenda.enter(arrival, self.ends[lane.far], unit)
            return
        for arrival, end, item in lane.carry(unit, now):
            self.agenda.enter(arrival, self.ends[end], item)
