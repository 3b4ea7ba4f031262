"""What happens next: one heap of (nanoseconds, insertion number), so that the same inputs give the same order,
always."""

from __future__ import annotations

from collections import deque
from heapq import heappush

from netglass.build import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Target:
    """Something that events happen to."""

    __slots__ = ()

    def happen(self, item: object, now: int) -> None:
        """The event that was entered with `item`."""
        raise NotImplementedError


Event = tuple[int, int, Target, object]
"""(when, insertion number, to whom, what)"""


class Agenda:
    """The virtual time, and what is to happen. `ready` holds those that go on at this very moment, before time
    passes."""

    __slots__ = ("heap", "now", "number", "ready")

    def __init__(self) -> None:
        self.now: int = 0
        self.number: int = 0
        self.heap: list[Event] = []
        self.ready: deque[Target] = deque()

    def enter(self, when: int, target: Target, item: object) -> None:
        """`target.happen(item, when)` will be called; events of one moment happen in the order in which they were
        entered."""
        self.number += 1
        heappush(self.heap, (when, self.number, target, item))
