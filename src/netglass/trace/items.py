"""What a ladder is made of: arrows, remarks beside them, and gaps where what repeats was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netglass.times import human
from netglass.trace.describe import arrow_kind, arrow_words
from netglass.trace.transmissions import Transmission

STATE: Final = "state"
TIMER: Final = "timer"
QUEUE: Final = "queue"
DROP: Final = "drop"
NOTE: Final = "note"


class Remark:
    """Something beside a lifeline. `column` is the host's."""

    __slots__ = ("before", "column", "kind", "order", "text", "time")

    def __init__(self, column: int, kind: str, text: str, time: int, order: int, before: str = "") -> None:
        self.column: int = column
        self.kind: str = kind  # STATE, TIMER, QUEUE, DROP, NOTE
        self.text: str = text
        self.time: int = time
        self.order: int = order
        self.before: str = before  # of a queue: the text that was true before


class Arrow:
    """One packet from the column `source` to the column `destination`; `arrives` is NEVER if it is lost."""

    __slots__ = (
        "arrival_order",
        "arrives",
        "destination",
        "ends",
        "hops",
        "kind",
        "lost",
        "marks",
        "order",
        "sent",
        "source",
        "starts",
        "words",
    )

    def __init__(self, source: int, destination: int, hops: list[Transmission]) -> None:
        first, last = hops[0], hops[-1]
        self.source: int = source
        self.destination: int = destination
        self.hops: list[Transmission] = hops
        self.sent: int = first.sent
        self.arrives: int = last.arrives
        self.lost: str = ""  # why, if it never arrives
        self.order: int = first.order
        self.arrival_order: int = last.arrival_order
        self.kind: str = arrow_kind(first.packet)
        self.words: list[str] = arrow_words(first)
        self.marks: list[str] = []
        self.starts: list[Remark] = []
        self.ends: list[Remark] = []

    @property
    def time(self) -> int:
        return self.sent

    @property
    def first(self) -> Transmission:
        return self.hops[0]

    @property
    def last(self) -> Transmission:
        return self.hops[-1]


class Gap:
    """A stretch that is not drawn: because it repeats what was, or because the picture ends before it (`after`: the
    time of the last thing in it)."""

    __slots__ = ("arrows", "is_end", "order", "payload", "remarks", "time", "until")

    def __init__(self, hidden: Sequence[Arrow | Remark], after: int = -1) -> None:
        arrows = [each for each in hidden if isinstance(each, Arrow)]
        self.is_end: bool = after >= 0
        self.time: int = after if after >= 0 else hidden[0].time
        self.until: int = hidden[-1].time
        if self.is_end:
            self.until = max([arrow.sent if arrow.lost else arrow.arrives for arrow in arrows], default=after)
        self.order: int = (1 << 61) if self.is_end else hidden[0].order
        self.arrows: int = len(arrows)
        self.payload: int = sum([each.first.length for each in arrows])
        self.remarks: int = len(hidden) - len(arrows)

    @property
    def text(self) -> str:
        more = "more " if self.is_end else ""
        parts = [f"{self.arrows:,} {more}packet{'s' * (self.arrows != 1)}"]
        if not self.arrows:
            parts = [f"{self.remarks:,} {more}event{'s' * (self.remarks != 1)}"]
        if self.payload:
            parts.append(f"{self.payload:,} bytes")
        if self.until > self.time:
            parts.append(human(self.until - self.time))
        return ", ".join(parts)


Item = Arrow | Remark | Gap


class Moment:
    """An item at one time; an arrow has two of them, if it arrives."""

    __slots__ = ("is_arrival", "item", "order", "time")

    def __init__(self, item: Item, time: int, order: int, is_arrival: bool = False) -> None:
        self.item: Item = item
        self.time: int = time
        self.order: int = order
        self.is_arrival: bool = is_arrival
