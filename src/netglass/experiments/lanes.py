"""What each thread sleeps in, as lanes: one line a thread, time from left to right.

Virtual time passes only when all threads wait, so a lane shows all there is to see of a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netglass.times import human

if TYPE_CHECKING:
    from netglass.programs.call_log import Call

GAP: Final = "  "
PLAIN: Final = str.maketrans("├─┤", "+-+")


@dataclass(frozen=True)
class Span:
    """The thread slept in `name` from `began` to `ended`, in ns."""

    name: str
    began: int
    ended: int


@dataclass(frozen=True)
class Lane:
    title: str
    spans: Sequence[Span]


@dataclass(frozen=True)
class Lanes:
    """`end` is the time at the right edge, in ns; the left one is 0."""

    lanes: Sequence[Lane]
    end: int

    def text(self, width: int, plain: bool = False) -> str:
        """As wide as `width` columns; `plain` keeps to seven bits."""
        label = max([len(lane.title) for lane in self.lanes])
        room = max(width - 2 - label - len(GAP), 20)
        lines = [f"  {lane.title:<{label}}{GAP}{self._drawn(lane, room)}".rstrip() for lane in self.lanes]
        last = human(self.end)
        axis = f"0{last:>{room - 1}}"
        text = "\n".join([*lines, f"  {'':<{label}}{GAP}{axis}"]) + "\n"
        return text.translate(PLAIN) if plain else text

    def _drawn(self, lane: Lane, room: int) -> str:
        cells = [" "] * room
        for span in lane.spans:
            first = min(span.began * room // self.end, room - 1)
            last = max(min(span.ended * room // self.end, room) - 1, first)
            cells[first : last + 1] = _bar(span.name, last + 1 - first)
        return "".join(cells)


def _bar(name: str, length: int) -> str:
    """ "├ recv ────┤"."""
    if length < 3:
        return "┤" if length == 1 else "├┤"
    inside = f" {name} " if len(name) + 2 <= length - 2 else ""
    return f"├{inside}{'─' * (length - 2 - len(inside))}┤"


def lane(title: str, calls: Iterable[Call], zero: int = 0) -> Lane:
    """Of the calls of one thread, those that it slept in; `zero` is the time at the left edge."""
    return Lane(title, [Span(_named(each), each.began - zero, each.ended - zero) for each in calls if each.slept])


def _named(call: Call) -> str:
    if call.name == "lock":
        return "waits for a lock or a thread"
    return f"{call.name}({call.who})" if call.who else call.name
