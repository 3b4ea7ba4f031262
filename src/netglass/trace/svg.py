"""The ladder as a picture: `layout` says where, this file says how."""

from __future__ import annotations

from html import escape
from typing import Final

from netglass.times import human
from netglass.trace import layout as place
from netglass.trace.geometry import Point
from netglass.trace.items import DROP, NOTE, QUEUE, STATE, TIMER, Arrow
from netglass.trace.labels import LABEL, Label, PlacedArrow
from netglass.trace.ladder import Ladder
from netglass.trace.layout import Band, Cut, Lane, Layout, PlacedGap, PlacedRemark, cut_text, lay_out, note_corners
from netglass.trace.palette import STATES, rules

_FONTS: Final = "'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"
_HEAD: Final = 9.0  # length of an arrowhead
_HEAD_HALF: Final = 3.5

_SHAPES: Final = """.ng-text{stroke:none}
.ng-halo{stroke-width:3.5px;paint-order:stroke;stroke-linejoin:round}
.ng-bold{font-weight:700}
.ng-slanted{font-style:italic}
.ng-lifeline{stroke-width:1.5px}
.ng-axis{stroke-width:1px}
.ng-shaft{stroke-width:1.6px;fill:none}
.ng-again{stroke-dasharray:6 3.5}
.ng-glyph{stroke-width:1.2px;fill:none;stroke-linecap:round;stroke-linejoin:round}
.ng-cross{stroke-width:2.2px;fill:none;stroke-linecap:round}
.ng-hit{stroke:transparent;stroke-width:16px}"""


def draw(ladder: Ladder, title: str = "", interactive: bool = False) -> str:
    """One SVG element with its own styles. `interactive` adds what a page needs to pick arrows out."""
    layout = lay_out(ladder, title)
    width, height = _number(layout.width), _number(layout.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'class="netglass" role="img" font-family="{_FONTS}">',
        f"<title>{escape(title.replace(chr(10), ' ') or 'Ladder of ' + ', '.join(ladder.hosts))}</title>",
        f"<style>\n{_SHAPES}\n{rules(False)}\n",
        f"@media (prefers-color-scheme:dark){{\n{rules(True)}\n}}\n" if not interactive else "",
        "</style>",
        f'<rect class="ng-paper" width="{width}" height="{height}"/>',
    ]
    parts += _title(layout)
    parts += _axis(layout)
    parts += [_lifeline(layout, lane) for lane in layout.lanes]
    parts += [_band(layout, band) for band in layout.bands]
    parts += [_arrow(placed, number, interactive) for number, placed in enumerate(layout.arrows)]
    parts += [_cut(layout, cut) for cut in layout.cuts]
    parts += [_gap(layout, gap) for gap in layout.gaps]
    parts += [_remark(each) for each in layout.remarks]
    parts += [_head(layout, lane) for lane in layout.lanes]
    parts.append("</svg>")
    return "\n".join([part for part in parts if part]) + "\n"


# -- numbers and words


def _number(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _points(points: list[Point]) -> str:
    return " ".join([f"{_number(x)},{_number(y)}" for x, y in points])


def _text(x: float, y: float, size: float, words: str, classes: str, anchor: str = "start") -> str:
    """Words, escaped already."""
    set_at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" font-size="{_number(size)}"{set_at} class="ng-text {classes}">'
        f"{words}</text>"
    )


def _line(a: Point, b: Point, classes: str) -> str:
    return (
        f'<line x1="{_number(a[0])}" y1="{_number(a[1])}" x2="{_number(b[0])}" y2="{_number(b[1])}" class="{classes}"/>'
    )


# -- the frame


def _title(layout: Layout) -> list[str]:
    first = 18 + place.TITLE * 0.8
    return [
        _text(18, first + number * place.TITLE_LINE, place.TITLE, escape(line), "ng-ink ng-bold")
        for number, line in enumerate(layout.title)
    ]


def _axis(layout: Layout) -> list[str]:
    parts = [_line((layout.axis, layout.top), (layout.axis, layout.bottom), "ng-hair-line ng-axis")]
    last = -100.0
    for tick in layout.ticks:
        parts.append(_line((layout.axis - 3, tick.y), (layout.axis, tick.y), "ng-soft-line ng-axis"))
        if tick.y - last < place.TIME * 1.05:
            continue
        last = tick.y
        parts.append(_text(layout.axis - 7, tick.y + place.TIME * 0.36, place.TIME, tick.text, "ng-soft", "end"))
    return parts


def _head(layout: Layout, lane: Lane) -> str:
    middle = (lane.left + lane.right) / 2
    y = layout.top - 10
    parts: list[str] = []
    if lane.label:
        parts.append(_text(middle, y, place.REMARK, escape(lane.label), "ng-soft", "middle"))
    if any(each.label for each in layout.lanes):
        y -= place.REMARK + 5
    parts.insert(0, _text(middle, y, place.NAME, escape(lane.name), "ng-ink ng-bold", "middle"))
    return "".join(parts)


def _lifeline(layout: Layout, lane: Lane) -> str:
    if not lane.inner:
        return _line((lane.left, layout.top), (lane.left, layout.bottom), "ng-ink-line ng-lifeline")
    width, height = lane.right - lane.left, layout.bottom - layout.top
    ground = (
        f'<rect x="{_number(lane.left)}" y="{_number(layout.top)}" width="{_number(width)}" '
        f'height="{_number(height)}" class="ng-lane"/>'
    )
    return ground + "".join(
        [_line((x, layout.top), (x, layout.bottom), "ng-ink-line ng-lifeline") for x in (lane.left, lane.right)]
    )


def _band(layout: Layout, band: Band) -> str:
    lane = layout.lanes[band.lane]
    x = lane.left - place.BAND if band.lane == 0 and len(layout.lanes) > 1 else lane.left
    name = band.state if band.state in STATES else "CLOSED"
    height = band.bottom - band.top
    return (
        f'<rect x="{_number(x)}" y="{_number(band.top)}" width="{_number(place.BAND)}" height="{_number(height)}" '
        f'class="ng-s-{name}"><title>{escape(band.state)}</title></rect>'
    )


# -- arrows


def _arrow(placed: PlacedArrow, number: int, interactive: bool) -> str:
    arrow = placed.arrow
    again = " ng-again" if "retransmission" in arrow.marks else ""
    parts = [f'<g class="ng-arrow" data-arrow="{number}"' + (' tabindex="0">' if interactive else ">")]
    parts.append(f"<title>{escape(_sentence(arrow))}</title>")
    shaft, head = _shaft(placed)
    if placed.turn:
        out, back = (placed.turn, placed.begin[1]), (placed.turn, placed.end[1])
        way = _points([placed.begin, out, back, shaft])
        parts.append(f'<polyline points="{way}" class="ng-a-{arrow.kind}-line ng-shaft{again}"/>')
    else:
        parts.append(_line(placed.begin, shaft, f"ng-a-{arrow.kind}-line ng-shaft{again}"))
    if arrow.lost:
        parts.append(_cross(placed.end))
    else:
        parts.append(f'<polygon points="{_points(head)}" class="ng-a-{arrow.kind}"/>')
    parts += [_label(label, arrow) for label in placed.labels]
    if interactive:
        parts.append(_line(placed.begin, placed.end, "ng-hit"))
    return "".join([*parts, "</g>"])


def _sentence(arrow: Arrow) -> str:
    first = arrow.first
    when = "lost: " + arrow.lost if arrow.lost else f"arrives after {human(arrow.arrives - arrow.sent)}"
    return f"{first.source} to {arrow.last.destination}: {' '.join(arrow.words)}; {when}"


def _shaft(placed: PlacedArrow) -> tuple[Point, list[Point]]:
    """Where the shaft ends, and the three corners of the head."""
    (x0, y0), (x1, y1) = placed.begin, placed.end
    if placed.turn:
        x0, y0 = placed.turn, y1
    if placed.arrow.lost:
        return placed.end, []
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    neck = x1 - dx * _HEAD, y1 - dy * _HEAD
    corners = [
        placed.end,
        (neck[0] - dy * _HEAD_HALF, neck[1] + dx * _HEAD_HALF),
        (neck[0] + dy * _HEAD_HALF, neck[1] - dx * _HEAD_HALF),
    ]
    return (x1 - dx * (_HEAD - 1), y1 - dy * (_HEAD - 1)), corners


def _cross(at: Point) -> str:
    x, y = at
    arms = [(x - 5, y - 5), (x + 5, y + 5), (x - 5, y + 5), (x + 5, y - 5)]
    numbers = [f"{_number(a)},{_number(b)}" for a, b in arms]
    return f'<path d="M{numbers[0]} L{numbers[1]} M{numbers[2]} L{numbers[3]}" class="ng-lost-line ng-cross"/>'


def _label(label: Label, arrow: Arrow) -> str:
    x, y = label.at
    dx, dy = label.direction
    turn = f"matrix({dx:.4f} {dy:.4f} {-dy:.4f} {dx:.4f} {_number(x)} {_number(y)})"
    if label.mark:
        ink = "ng-lost" if label.text == arrow.lost else "ng-mark"
        return (
            f'<text transform="{turn}" font-size="{_number(label.size)}" text-anchor="middle" '
            f'class="ng-text ng-halo ng-slanted {ink}">{escape(label.text)}</text>'
        )
    words = [
        f"<tspan>{escape(word)}</tspan>"
        if "=" in word or ">" in word or " " in word
        else f'<tspan class="ng-bold">{escape(word)}</tspan>'
        for word in label.text.split("  ")
    ]
    return (
        f'<text transform="{turn}" font-size="{_number(label.size)}" text-anchor="middle" xml:space="preserve" '
        f'class="ng-text ng-halo ng-a-{arrow.kind}">{"  ".join(words)}</text>'
    )


# -- beside the lifelines


def _remark(placed: PlacedRemark) -> str:
    remark = placed.remark
    classes = {
        STATE: "ng-ink ng-bold",
        TIMER: "ng-mark",
        QUEUE: "ng-queue",
        DROP: "ng-lost",
        NOTE: "ng-soft ng-slanted",
    }[remark.kind]
    anchor = "end" if placed.right else "start"
    words = _text(placed.at[0], placed.at[1], place.REMARK, escape(placed.text), classes, anchor)
    return _glyph(placed) + words


def _glyph(placed: PlacedRemark) -> str:
    if placed.glyph is None:
        return ""
    x, y = placed.glyph
    shapes = {TIMER: _clock, QUEUE: _boxes, DROP: _small_cross, NOTE: _bubble}
    shape = shapes[placed.remark.kind](placed.remark.text)
    return f'<g transform="translate({_number(x)} {_number(y)})">{shape}</g>'


def _clock(text: str) -> str:
    return '<circle r="5" class="ng-mark-line ng-glyph"/><path d="M0,-3 V0 L2.2,1.4" class="ng-mark-line ng-glyph"/>'


def _boxes(text: str) -> str:
    """Three places of a queue, as many of them taken as there are entries."""
    count = text.rpartition(" ")[2]
    taken = min(int(count), 3) if count.isdigit() else 0
    parts: list[str] = []
    for number in range(3):
        ink = "ng-queue" if number < taken else "ng-paper"
        parts.append(f'<rect x="{-6 + number * 4}" y="-4" width="4" height="8" class="{ink} ng-queue-line"/>')
    return "".join(parts)


def _small_cross(text: str) -> str:
    return '<path d="M-3.5,-3.5 L3.5,3.5 M-3.5,3.5 L3.5,-3.5" class="ng-lost-line ng-cross"/>'


def _bubble(text: str) -> str:
    return '<path d="M-5,-4.5 H5 V2.5 H0 L-2.5,5 V2.5 H-5 Z" class="ng-soft-line ng-glyph"/>'


def _cut(layout: Layout, cut: Cut) -> str:
    parts: list[str] = []
    lines = [(layout.axis, "ng-hair-line")]
    for lane in layout.lanes:
        lines += [(x, "ng-ink-line") for x in dict.fromkeys([lane.left, lane.right])]
    for x, ink in lines:
        wide = 4.0 if x == layout.axis else place.BAND + 3
        corners = [(x - wide, cut.y + 1), (x + wide, cut.y - 5), (x + wide, cut.y + 1), (x - wide, cut.y + 7)]
        parts.append(f'<polygon points="{_points(corners)}" class="ng-paper"/>')
        parts.append(_line(corners[0], corners[1], f"{ink} ng-axis"))
        parts.append(_line(corners[3], corners[2], f"{ink} ng-axis"))
    parts.append(_note(layout, cut_text(cut), place.REMARK, cut.y, "ng-soft ng-slanted"))
    return "".join(parts)


def _gap(layout: Layout, placed: PlacedGap) -> str:
    parts: list[str] = []
    for lane in layout.lanes:
        for x in dict.fromkeys([lane.left, lane.right]):
            parts.append(
                f'<rect x="{_number(x - 2)}" y="{_number(placed.y - 15)}" width="4" height="30" class="ng-paper"/>'
            )
            dots = [
                f'<circle cx="{_number(x)}" cy="{_number(placed.y + step)}" r="1.5" class="ng-ink"/>'
                for step in (-10, -3, 4, 11)
            ]
            parts += dots
    parts.append(_note(layout, placed.gap.text, LABEL, placed.y, "ng-soft"))
    return "".join(parts)


def _note(layout: Layout, text: str, size: float, y: float, classes: str) -> str:
    """Words between the lifelines, on paper of their own: an arrow may pass behind them."""
    (left, top), (right, _), (_, bottom), _ = note_corners(layout, text, size, y)
    ground = (
        f'<rect x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}" '
        f'height="{_number(bottom - top)}" class="ng-paper"/>'
    )
    return ground + _text((left + right) / 2, y + 4, size, escape(text), classes, "middle")
