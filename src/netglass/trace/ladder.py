"""The ladder: a column for each host, an arrow for each packet, and beside an arrow's two ends what it did there: the
state it led to, the queue it filled, why it was dropped.

`Ladder.of` turns a recording into `items` in order of time (`assembly` says how); `text`, `svg`, `html`, `mermaid` and
`json` draw them. An arrow is one packet over one cable, or over all cables between two hosts if those between are not
among `hosts`. Its numbers are relative; one behind a # is that of the wire, because it is nowhere near the numbers of
its connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from netglass.probe import Flow
from netglass.times import NEVER, human
from netglass.trace.assembly import Assembly, between, last_packets, last_time, tell_windows
from netglass.trace.elision import elided
from netglass.trace.items import DROP, NOTE, QUEUE, STATE, TIMER, Arrow, Gap, Item, Moment, Remark

if TYPE_CHECKING:
    from netglass.trace.recorder import Recorder


TextTable = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headers and rows."""


class Ladder:
    """What there is to draw. Times in ns; `origin` is the time of the first item, which pictures call 0."""

    def __init__(
        self, hosts: list[str], labels: list[str], initial: list[str], banded: list[bool], items: list[Item]
    ) -> None:
        self.hosts: list[str] = hosts
        self.labels: list[str] = labels  # a second line under the name: the address
        self.initial: list[str] = initial  # the state that each host's connection is in before the first item
        self.banded: list[bool] = banded  # whether the host has no more than one connection
        self.items: list[Item] = items
        self.origin: int = min([each.time for each in items], default=0)

    @classmethod
    def of(
        cls,
        recorder: Recorder,
        hosts: Iterable[str] | None = None,
        flow: Flow | None = None,
        last: int | None = None,
        start: int | str | None = None,
        end: int | str | None = None,
        elide: bool = True,
        remarks: Iterable[str] = (STATE, TIMER, QUEUE, DROP, NOTE),
    ) -> Ladder:
        """The ladder of a recording.

        `hosts`: these columns in this order; hosts between them are passed over. `flow`: only this connection, named
        from either end. `last`: only the last so many packets. `start`, `end`: only what happens between these times
        (ns, or text such as "1.5 s"); the packets after `end` are counted in a gap. `elide=False` draws repeated
        stretches in full. `remarks`: what to say beside the arrows.
        """
        builder = Assembly(recorder, None if hosts is None else list(hosts), flow)
        kinds = set(remarks)
        items = builder.items()
        tell_windows(items)
        builder.tell_sources()
        items, beyond = between(items, start, end)
        if last is not None:
            items = last_packets(items, last)
        for each in items:
            if isinstance(each, Arrow):
                each.starts = [remark for remark in each.starts if remark.kind in kinds]
                each.ends = [remark for remark in each.ends if remark.kind in kinds]
        items = [each for each in items if isinstance(each, Arrow) or each.kind in kinds]
        drawn: list[Item] = elided(items) if elide else list(items)
        if items and any(isinstance(each, Arrow) for each in beyond):
            drawn.append(Gap(beyond, last_time(items)))
        return cls(builder.hosts, builder.labels(), builder.initial_states(items), builder.banded(), drawn)

    def arrows(self) -> list[Arrow]:
        return [each for each in self.items if isinstance(each, Arrow)]

    def remarks(self) -> list[Remark]:
        """Every remark, at arrows and alone."""
        found: list[Remark] = []
        for each in self.items:
            if isinstance(each, Arrow):
                found += [*each.starts, *each.ends]
            elif isinstance(each, Remark):
                found.append(each)
        return found

    def moments(self) -> list[Moment]:
        """Everything in the order in which it happened."""
        found: list[Moment] = []
        for item in self.items:
            found.append(Moment(item, item.time, item.order))
            if isinstance(item, Arrow) and item.arrives != NEVER:
                # What has not arrived when the recording ends comes last among its time.
                order = item.arrival_order if item.arrival_order >= 0 else 1 << 60
                found.append(Moment(item, item.arrives, order, True))
        found.sort(key=lambda each: (each.time, each.order))
        return found

    def since(self, time: int) -> str:
        """A time as the gutter shows it."""
        return human(time - self.origin) if time != self.origin else "0"

    # -- the pictures

    def text(self, width: int = 80, colour: bool = False, ascii: bool = False) -> str:  # noqa: A002  says what it is
        """For a terminal of `width` columns; `colour` adds ANSI colours, `ascii` keeps to seven bits."""
        from netglass.trace.text import draw

        return draw(self, width, colour, ascii)

    def fitting_width(self, width: int) -> int:
        """`width` if `text` can do with it, else the least one at which the ladder can be read well."""
        from netglass.trace.text import fitting_width

        return fitting_width(self, width)

    def svg(self, title: str = "") -> str:
        """A picture of its own: one SVG element, light or dark as its reader's system is. The title may have several
        lines."""
        from netglass.trace.svg import draw

        return draw(self, title)

    def html(self, title: str = "", text: str = "", table: TextTable | None = None) -> str:
        """A page of its own, with every arrow's headers and both ends' control blocks. `text` and `table` (headers,
        rows) stand above the picture."""
        from netglass.trace.html import draw

        return draw(self, title, text, table)

    def mermaid(self) -> str:
        """A Mermaid sequence diagram."""
        from netglass.trace.mermaid import draw

        return draw(self)

    def json(self) -> str:
        """Everything as JSON: hosts, and items; what ends in _ns are times in ns since `origin_ns`."""
        from json import dumps

        return dumps(self.model(), indent=1)

    def model(self) -> dict[str, Any]:
        """What `json` writes, as plain data."""
        from netglass.trace.details import model

        return model(self)
