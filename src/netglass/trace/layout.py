"""Where everything of a ladder stands in a picture: numbers only, so that a test can ask whether labels overlap.

Time runs downwards, in proportion as far as the labels leave room: an arrow's slant is its delay. A wait that is long
beside the delays is cut short, and the cut is marked. Everything that happens at one host gets room below what
happened there before; what happens later is never higher.

A host is a lane: the outer ones are a line, with the remarks outside of it; an inner one is as wide as its remarks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from netglass.times import NEVER, human
from netglass.trace.geometry import Point
from netglass.trace.items import STATE, Arrow, Gap, Moment, Remark
from netglass.trace.labels import LABEL, PlacedArrow, label_of, place_labels
from netglass.trace.ladder import Ladder
from netglass.trace.metrics import text_width

REMARK: Final = 11.5
NAME: Final = 15.0
TIME: Final = 10.5
TITLE: Final = 17.0
TITLE_LINE: Final = 22.0

BAND: Final = 7.0
"""Width of the coloured band that shows a state."""
LINE: Final = 15.0
"""From one remark to the next below it."""
GLYPH: Final = 15.0
"""Room for the small picture before a remark."""

_ROW: Final = 21.0
_APART: Final[dict[tuple[str, str], float]] = {
    ("departure", "departure"): _ROW,
    ("arrival", "arrival"): _ROW,
    ("arrival", "departure"): 7.0,
    ("departure", "arrival"): 9.0,
}
"""How far apart two things stand at least that happen at a lifeline one after the other; LINE if not told here."""
_LOOP: Final = 10.0  # from the way out to the way back of what a host sends to itself
_MARKS: Final = 13.0  # more below an arrow with marks
_STEP: Final = 8.0  # between two times at least
_SLANT: Final = 0.135  # of an arrow with the usual delay, a share of the field's width
_LONGEST: Final = 120.0  # a longer wait is cut
_CUT: Final = 62.0  # what is left of it
_GAP: Final = 46.0
_STRETCHES: Final = (1.3, 1.6, 2.0)
_FEW: Final = 24  # arrows: with more, trying other sizes takes too long and helps too little
_MARGIN: Final = 18.0
_WIDEST_REMARK: Final = 150.0
_WIDE_ENOUGH: Final = 500.0  # for arrows that cross; longer labels take two lines
_LOST_AT: Final = 0.66  # of the way


@dataclass
class Lane:
    """A host's column, from `left` to `right`; both are the same for an outer one."""

    name: str
    label: str
    left: float
    right: float
    inner: bool


@dataclass
class Band:
    """A state from `top` to `bottom`."""

    lane: int
    state: str
    top: float
    bottom: float


@dataclass
class PlacedRemark:
    """One line of a remark. `at` is where the text begins, or ends if `right` says that it is set flush right; the
    glyph stands at `glyph`, if there is one."""

    remark: Remark
    text: str
    at: Point
    glyph: Point | None
    right: bool


@dataclass
class Tick:
    text: str
    y: float


@dataclass
class Cut:
    """A wait that is not drawn in proportion."""

    y: float
    duration: int


@dataclass
class PlacedGap:
    gap: Gap
    y: float


@dataclass
class Layout:
    title: list[str]  # lines
    stretch: float = 1.0  # more room than usual between arrows
    clashes: int = 0  # how much of the labels is covered or left out
    width: float = 0.0
    height: float = 0.0
    slant: float = 0.0  # how far an arrow with the usual delay comes down
    top: float = 0.0  # of the lifelines
    bottom: float = 0.0
    axis: float = 0.0  # where the time axis stands
    lanes: list[Lane] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    arrows: list[PlacedArrow] = field(default_factory=list)
    remarks: list[PlacedRemark] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    gaps: list[PlacedGap] = field(default_factory=list)


def lay_out(ladder: Ladder, title: str = "") -> Layout:
    """The picture of a ladder: as narrow and low as lets every label stand free, if one of these sizes does."""
    best = _lay_out(ladder, title, 1.0)
    if len(best.arrows) > _FEW:
        return best
    for stretch in _STRETCHES:
        if best.clashes < 3 * (stretch - 1):
            break
        larger = _lay_out(ladder, title, stretch)
        best = larger if larger.clashes < best.clashes else best
    return best


def _lay_out(ladder: Ladder, title: str, stretch: float) -> Layout:
    layout = Layout([], stretch)
    _place_lanes(layout, ladder)
    _place_title(layout, title)
    heights = _Heights(layout, ladder)
    heights.place()
    _place_arrows(layout, ladder, heights)
    _place_bands(layout, ladder, heights)
    layout.clashes = place_labels(layout.arrows, _notes(layout))
    return layout


def cut_text(cut: Cut) -> str:
    return f"{human(cut.duration)} later"


def note_corners(layout: Layout, text: str, size: float, y: float) -> list[Point]:
    """The rectangle of a text in the middle of the first field."""
    middle = (layout.lanes[0].right + layout.lanes[min(1, len(layout.lanes) - 1)].left) / 2
    half = text_width(text, size) / 2 + 4
    top, bottom = y + 5 - size, y + 8
    return [(middle - half, top), (middle + half, top), (middle + half, bottom), (middle - half, bottom)]


def _notes(layout: Layout) -> list[list[Point]]:
    found = [note_corners(layout, cut_text(each), REMARK, each.y) for each in layout.cuts]
    return found + [note_corners(layout, each.gap.text, LABEL, each.y) for each in layout.gaps]


# -- across


def _place_lanes(layout: Layout, ladder: Ladder) -> None:
    widths = [_remarks_width(ladder, column) for column in range(len(ladder.hosts))]
    times = [text_width(ladder.since(moment.time), TIME) for moment in ladder.moments()]
    layout.axis = _MARGIN + max(times, default=0.0) + 7
    x = layout.axis + 12 + (widths[0] if len(widths) > 1 else _field_width(ladder))
    heads = [max(text_width(name, NAME, True), text_width(label, REMARK)) for name, label in _heads(ladder)]
    x = max(x, _MARGIN + heads[0] / 2) if heads else x
    field_width = _field_width(ladder)
    layout.slant = _SLANT * field_width * layout.stretch
    last = len(ladder.hosts) - 1
    for column, (name, label) in enumerate(_heads(ladder)):
        inner = 0 < column < last
        width = max(widths[column], 10.0) if inner else 0.0
        layout.lanes.append(Lane(name, label, x, x + width, inner))
        x += width + field_width
    right = layout.lanes[-1].right if layout.lanes else x
    outside = max(widths[-1] if widths else 0.0, heads[-1] / 2 if heads else 0.0)
    layout.width = right + outside + _MARGIN


def _place_title(layout: Layout, title: str) -> None:
    """In lines that are no wider than the picture."""
    for line in title.split("\n") if title else []:
        layout.title += _broken(line, TITLE, layout.width - 2 * _MARGIN, bold=True)
    widest = max([text_width(line, TITLE, True) for line in layout.title], default=0.0)
    layout.width = max(layout.width, widest + 2 * _MARGIN)


def _heads(ladder: Ladder) -> list[tuple[str, str]]:
    return list(zip(ladder.hosts, ladder.labels, strict=True))


def _remarks_width(ladder: Ladder, column: int) -> float:
    texts = [(line, each.kind) for each in ladder.remarks() if each.column == column for line in lines_of(each)]
    texts.append((ladder.initial[column], STATE))
    return max([text_width(text, REMARK, kind == STATE) + _glyph_room(kind) for text, kind in texts]) + BAND + 12


def _glyph_room(kind: str) -> float:
    return 0.0 if kind == STATE else GLYPH


def lines_of(remark: Remark) -> list[str]:
    """The remark's text in lines that are not too wide."""
    return _broken(remark.text, REMARK, _WIDEST_REMARK)


def _broken(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size, bold) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def _line_count(remarks: list[Remark]) -> int:
    return sum([len(lines_of(each)) for each in remarks])


def _field_width(ladder: Ladder) -> float:
    """Room for the longest label; where arrows cross each other, for two labels side by side."""
    widths = {arrow: text_width(label_of(arrow), LABEL) for arrow in ladder.arrows()}
    needs = [width + 90 for width in widths.values()]
    needs += [width + text_width(arrow.lost, REMARK) + 80 for arrow, width in widths.items() if arrow.lost]
    for one, other in pairwise(widths):
        opposed = one.source == other.destination and one.destination == other.source
        if opposed and other.sent < one.arrives != NEVER:
            needs.append(min(widths[one] + widths[other] + 100, _WIDE_ENOUGH))
    most, least = (600.0, 300.0) if len(ladder.hosts) < 3 else (420.0, 240.0)
    return min(max([least, *needs]), most)


# -- down


class _Heights:
    """Gives every moment its y."""

    def __init__(self, layout: Layout, ladder: Ladder) -> None:
        self.layout = layout
        self.ladder = ladder
        self.sent: dict[Arrow, float] = {}
        self.arrived: dict[Arrow, float] = {}
        self.missed: dict[Arrow, float] = {}  # where a lost one would have arrived
        self.others: dict[Remark | Gap, float] = {}
        self.lost: float = 0.0  # where the last lost one ends
        self.free: list[float] = []  # from where on there is room for remarks, by column
        self.last: dict[tuple[int, str], float] = {}  # where the last "arrival" (...) was at a lifeline
        self.scale = _scale(ladder) * layout.slant

    def place(self) -> None:
        layout = self.layout
        head = _MARGIN + (TITLE_LINE * len(layout.title) + 9 if layout.title else 0) + NAME
        layout.top = head + (REMARK + 6 if any(lane.label for lane in layout.lanes) else 0) + 10
        y = layout.top + 20
        if any(self.ladder.initial):
            y += LINE + 4
        self.free = [y] * len(layout.lanes)
        before: Moment | None = None
        for group in _groups(_with_missed(self.ladder)):
            if before is not None and not isinstance(before.item, Gap):
                y = self._advance(y, group[0].time - before.time)
            before = group[0]
            first = y
            ys = [self._put(moment, first) for moment in group]
            y = max(ys)
            text = self.ladder.since(before.time)
            if not layout.ticks or layout.ticks[-1].text != text:
                layout.ticks.append(Tick(text, min(ys)))
        layout.bottom = max([y, *self.free], default=y) + 16
        layout.height = layout.bottom + _MARGIN

    def _advance(self, y: float, wait: int) -> float:
        wanted = wait * self.scale
        if wanted > _LONGEST:
            # The cut stands below all remarks and what is lost, so that nothing crosses it.
            low = max([y, *self.free, self.lost])
            self.layout.cuts.append(Cut(low + _CUT / 2, wait))
            return low + _CUT
        return y + max(wanted, _STEP)

    def _put(self, moment: Moment, y: float) -> float:
        item = moment.item
        if isinstance(item, Gap):
            y = max([y, *self.free, *self.last.values()]) + _GAP / 2
            self.others[item] = y
            self.free = [y + _GAP / 2] * len(self.free)
            return y + _GAP / 2
        if isinstance(item, Remark):
            y = self._at(item.column, y, "remark", [item])
            self.others[item] = y
            return y
        if moment.is_arrival:
            if item.source == item.destination:
                y = max(y, self.sent[item] + _LOOP)
            elif item.arrives == item.sent:
                y = max(y, self.sent[item])
            y = self._at(item.destination, y, "arrival", item.ends, item)
            (self.missed if item.lost else self.arrived)[item] = y
            return y
        y = self._at(item.source, y, "departure", item.starts, item)
        self.sent[item] = y
        if item.lost:
            forward = item.destination > item.source
            ends = [self.layout.lanes[each] for each in (item.source, item.destination)]
            begin = _edge(ends[0], forward), y
            self.lost = _lost_end(begin, _edge(ends[1], not forward), item, self.layout.slant)[1]
        return y

    def _at(self, column: int, y: float, kind: str, remarks: list[Remark], arrow: Arrow | None = None) -> float:
        """The place for something at a lifeline: below what was there before, and below its remarks if it has some."""
        turns = arrow is not None and arrow.source == arrow.destination and kind == "departure"
        for (where, before), last in self.last.items():
            if where == column:
                apart = _ROW if turns else _APART.get((before, kind), LINE)
                y = max(y, last + apart * self.layout.stretch)
        if remarks:
            y = max(y, self.free[column])
            self.free[column] = y + _line_count(remarks) * LINE
        self.last[column, kind] = y + (_MARKS if arrow is not None and arrow.marks else 0)
        return y


def _with_missed(ladder: Ladder) -> list[Moment]:
    """All moments, and those at which lost arrows would have arrived after another one that left with them: there is
    room for them too, so that they are parallel."""
    moments = ladder.moments()
    before: Arrow | None = None
    for arrow in ladder.arrows():
        if not arrow.lost and not arrow.marks:
            before = arrow
        elif arrow.lost and before is not None and _together(before, arrow):
            moments.append(Moment(arrow, before.arrives, before.arrival_order, True))
    moments.sort(key=lambda each: (each.time, each.order))
    return moments


def _together(one: Arrow, other: Arrow) -> bool:
    return (one.source, one.destination, one.sent) == (other.source, other.destination, other.sent)


def _groups(moments: list[Moment]) -> list[list[Moment]]:
    # Moments of one time; a gap stands alone.
    groups: list[list[Moment]] = []
    for moment in moments:
        alone = isinstance(moment.item, Gap)
        if groups and not alone and groups[-1][0].time == moment.time and not isinstance(groups[-1][0].item, Gap):
            groups[-1].append(moment)
        else:
            groups.append([moment])
    return groups


def _scale(ladder: Ladder) -> float:
    """Usual delays for a nanosecond."""
    delays = sorted([each.arrives - each.sent for each in ladder.arrows() if each.arrives != NEVER])
    if delays and delays[len(delays) // 2] > 0:
        return 1 / delays[len(delays) // 2]
    times = sorted({moment.time for moment in ladder.moments()})
    waits = sorted([after - before for before, after in pairwise(times)])
    return 1 / waits[len(waits) // 2] if waits else 1.0


# -- the pieces


def _place_arrows(layout: Layout, ladder: Ladder, heights: _Heights) -> None:
    for item in ladder.items:
        if isinstance(item, Gap):
            layout.gaps.append(PlacedGap(item, heights.others[item]))
        elif isinstance(item, Remark):
            _place_remarks(layout, [item], heights.others[item])
        else:
            _place_arrow(layout, item, heights)


def _place_arrow(layout: Layout, arrow: Arrow, heights: _Heights) -> None:
    forward = arrow.destination > arrow.source
    begin = _edge(layout.lanes[arrow.source], forward), heights.sent[arrow]
    end_x = _edge(layout.lanes[arrow.destination], not forward)
    if arrow in heights.arrived:
        end = end_x, heights.arrived[arrow]
    else:
        end = _lost_end(begin, end_x, arrow, _usual_fall(layout, arrow, heights))
    placed = PlacedArrow(arrow, begin, end, end_x)
    if arrow.source == arrow.destination:
        _bend(layout, placed)
    layout.arrows.append(placed)
    _place_remarks(layout, arrow.starts, begin[1])
    _place_remarks(layout, arrow.ends, end[1])


def _bend(layout: Layout, placed: PlacedArrow) -> None:
    """An arrow to itself goes out to one side and comes back: to the right, but from the last host to the left."""
    right = placed.arrow.source + 1 < len(layout.lanes)
    x = _edge(layout.lanes[placed.arrow.source], right)
    placed.begin, placed.end = (x, placed.begin[1]), (x, placed.end[1])
    reach = text_width(label_of(placed.arrow), LABEL) + 26
    placed.turn = x + reach if right else x - reach


def _edge(lane: Lane, right: bool) -> float:
    return lane.right if right else lane.left


def _usual_fall(layout: Layout, arrow: Arrow, heights: _Heights) -> float:
    """How far a lost arrow would come down: as far as the nearest one that flies beside it, so that they are
    parallel."""
    beside = [
        each
        for each in heights.arrived
        if (each.source, each.destination) == (arrow.source, arrow.destination)
        and each.sent <= arrow.sent < each.arrives
        and not each.marks
    ]
    if arrow in heights.missed:
        return heights.missed[arrow] - heights.sent[arrow]
    if not beside:
        return layout.slant
    nearest = min(beside, key=lambda each: abs(each.order - arrow.order))
    return heights.arrived[nearest] - heights.sent[nearest]


def _lost_end(begin: Point, end_x: float, arrow: Arrow, fall: float) -> Point:
    whole = abs(end_x - begin[0]) or 1.0
    needed = (text_width(label_of(arrow), LABEL) + 44) / whole
    left = 1 - (text_width(arrow.lost, LABEL - 1) + 20) / whole  # so that the reason has room before the lifeline
    share = min(max(_LOST_AT, needed), 0.9)
    if needed <= left:
        share = min(share, left)
    return begin[0] + (end_x - begin[0]) * share, begin[1] + fall * share


def _place_remarks(layout: Layout, remarks: list[Remark], y: float) -> None:
    base = y + REMARK * 0.36
    for remark in remarks:
        lane = layout.lanes[remark.column]
        flush_right = remark.column == 0 and len(layout.lanes) > 1
        out = -1 if flush_right else 1
        edge = (lane.left if flush_right or lane.inner else lane.right) + out * (BAND + 6)
        for number, line in enumerate(lines_of(remark)):
            glyph = None if remark.kind == STATE or number else (edge + out * 5, base - 4)
            at = edge + out * _glyph_room(remark.kind), base
            layout.remarks.append(PlacedRemark(remark, line, at, glyph, flush_right))
            base += LINE


def _place_bands(layout: Layout, ladder: Ladder, heights: _Heights) -> None:
    initial = [Remark(column, STATE, state, 0, -1) for column, state in enumerate(ladder.initial) if state]
    for remark in initial:
        _place_remarks(layout, [remark], layout.top + 12)
    for column in range(len(layout.lanes)):
        if not ladder.banded[column]:
            continue
        turns = [(layout.top, ladder.initial[column])] if ladder.initial[column] else []
        for item in ladder.items:
            turns += _turns(item, column, heights)
        turns.sort(key=lambda each: each[0])
        bottoms = [top for top, _ in turns[1:]] + [layout.bottom] * (len(turns) > 0)
        for (top, state), bottom in zip(turns, bottoms, strict=True):
            if bottom > top:
                layout.bands.append(Band(column, state, top, bottom))


def _turns(item: Arrow | Remark | Gap, column: int, heights: _Heights) -> list[tuple[float, str]]:
    if isinstance(item, Gap):
        return []
    if isinstance(item, Remark):
        return [(heights.others[item], item.text)] if item.column == column and item.kind == STATE else []
    starts = [each.text for each in item.starts if each.column == column and each.kind == STATE]
    ends = [each.text for each in item.ends if each.column == column and each.kind == STATE]
    found = [(heights.sent[item], text) for text in starts[-1:]]
    return found + [(heights.arrived[item], text) for text in ends[-1:] if item in heights.arrived]
