"""The ladder in a terminal.

An arrow takes two rows: it leaves on the row of the time when it was sent, steps down in the space between the
lifelines, and arrives on the row of the time when it arrives; so arrows that overtake or cross each other can be
followed like wires. Rows that others need come between the two.

        0 ms  SYN-SENT ├─ SYN seq=0 ──────────────────────╮          │ LISTEN
       10 ms           │                                  ╰─────────►│ SYN-RECEIVED
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from netglass.errors import MisuseError
from netglass.times import NEVER
from netglass.trace.cells import DIM, LOST, MARK, Row, width_of, wrapped
from netglass.trace.items import DROP, STATE, Arrow, Gap, Moment, Remark
from netglass.trace.ladder import Ladder

NARROWEST: Final = 40
_NARROWEST_FIELD: Final = 14
_LEGIBLE_FIELD: Final = 21
_ROOM_FOR_MARKS: Final = 30


class Glyphs:
    """What lines are made of."""

    __slots__ = ("back", "bar", "corner", "cross", "down", "fork", "from_left", "from_right", "gap", "head", "line")

    def __init__(self, ascii_only: bool) -> None:
        if ascii_only:
            signs = ["|", "-", ">", "<", "X", "+", "+", "+", ":", "+", "+"]
        else:
            signs = ["│", "─", "►", "◄", "✗", "├", "┤", "┼", "┊", "╮╭", "╰╯"]
        self.bar, self.line, self.head, self.back, self.cross, self.from_left, self.from_right = signs[:7]
        self.fork, self.gap = signs[7:9]
        self.down: str = (signs[9] * 2)[:2]  # an arrow from the left turns down; one from the right
        self.corner: str = (signs[10] * 2)[:2]  # an arrow turns to the right; to the left


class _Wire:
    """An arrow under way: a vertical piece at the column `track`."""

    def __init__(self, arrow: Arrow, track: int) -> None:
        self.arrow = arrow
        self.track = track


class _Canvas:
    """Rows so far, the wires that go on below the last one, and side notes that still have to be written."""

    def __init__(self, ladder: Ladder, width: int, glyphs: Glyphs, least: int = _NARROWEST_FIELD) -> None:
        self.ladder = ladder
        self.glyphs = glyphs
        self.width = width
        self.rows: list[Row] = []
        self.wires: list[_Wire] = []
        self.told = ""
        last = len(ladder.hosts) - 1
        times = [ladder.since(moment.time) for moment in ladder.moments()]
        self.gutter: int = max([len(text) for text in times], default=0) + 1
        most = max(13, width // 5)
        self.left: int = _side_width(ladder, 0, most) if last > 0 else 0
        self.right: int = _side_width(ladder, last, most)
        first_line = self.gutter + self.left + 2
        room = width - 1 - self.right - first_line - 1
        count = max(last, 1)
        if room < least * count:
            raise MisuseError(
                f"{len(ladder.hosts)} hosts do not fit into {width} columns; choose hosts=, or more width"
            )
        self.lines: list[int] = [first_line + room * number // count for number in range(len(ladder.hosts))]
        if last == 0:
            self.lines = [first_line + room]  # packets to itself turn round on its left
        self.pending: list[list[tuple[str, str]]] = [[], []]  # lines for the left and the right margin

    # -- rows

    def row(self, time: int | None = None, pending: bool = True) -> Row:
        """A new row: time, lifelines, the wires that pass, the next line of each margin."""
        made = Row(self.width)
        if time is not None:
            text = self.ladder.since(time)
            if text != self.told:
                made.put(self.gutter - 1 - len(text), text, DIM)
            self.told = text
        for line in self.lines:
            made.put(line, self.glyphs.bar, DIM)
        for wire in self.wires:
            made.put(wire.track, self.glyphs.bar, wire.arrow.kind)
        self.rows.append(made)
        if pending:
            self._write_margins(made)
        return made

    def _write_margins(self, row: Row) -> None:
        left, right = self.pending
        if left:
            text, style = left.pop(0)
            row.put(self.lines[0] - 1 - width_of(text), text, style)
        if right:
            text, style = right.pop(0)
            row.put(self.lines[-1] + 2, text, style)

    def settle(self, column: int) -> None:
        """Writes all that is left to say beside this lifeline: something new happens there."""
        if column == 0 and len(self.lines) > 1:
            self.flush(0)
        if column == len(self.lines) - 1:
            self.flush(1)

    def turn(self, time: int, *columns: int) -> None:
        """Before something happens at these lifelines: all that is left to say there, or belongs to an earlier time,
        is written."""
        if self.ladder.since(time) != self.told:
            self.flush(0)
            self.flush(1)
        for column in columns:
            self.settle(column)

    def remark(self, remarks: list[Remark]) -> None:
        """Queues remarks for the margins of the next rows; what stands beside an inner lifeline gets rows at once,
        by `inner`."""
        last = len(self.lines) - 1
        for side, column, width in ((0, 0, self.left), (1, last, self.right)):
            if side == 0 and last == 0:
                continue
            for each in [remark for remark in remarks if remark.column == column]:
                self.pending[side] += [(text, each.kind) for text in wrapped(_worded(each, self.glyphs), width)]

    def inner(self, remarks: list[Remark], row: Row | None = None) -> None:
        """Writes what stands beside an inner lifeline, from `row` on or on new rows."""
        for each in remarks:
            if 0 < each.column < len(self.lines) - 1:
                at = self.lines[each.column] + 2
                for text in wrapped(_worded(each, self.glyphs), self.lines[each.column + 1] - at - 1):
                    (row or self.row()).put(at, text, each.kind)
                    row = None

    def flush(self, side: int) -> None:
        while self.pending[side]:
            self.row()

    # -- arrows

    def depart(self, arrow: Arrow) -> None:
        self.turn(arrow.sent, arrow.source)
        self.remark(arrow.starts)
        begin, end = self.lines[arrow.source], self.lines[arrow.destination]
        step = 1 if end > begin else -1
        words = self._words(arrow)
        if begin == end:
            step = 1 if arrow.source + 1 < len(self.lines) else -1
        if arrow.arrives == NEVER:
            self._lose(arrow, words, begin, end, step)
        else:
            self._carry(arrow, words, begin, end, step)
        self.inner(arrow.starts)

    def _words(self, arrow: Arrow) -> list[str]:
        marks = arrow.marks
        if abs(self.lines[arrow.source] - self.lines[arrow.destination]) < _ROOM_FOR_MARKS:
            marks = ["again" if mark == "retransmission" else mark for mark in marks]
        return arrow.words + [f"[{mark}]" for mark in marks]

    def _carry(self, arrow: Arrow, words: list[str], begin: int, end: int, step: int) -> None:
        length = width_of(" ".join(words))
        track = self._track(arrow, begin, end, step, length) if begin != end else self._turn(begin, step, length)
        row = self.row(arrow.sent)
        self._horizontal(row, arrow, begin, track)
        row.put(track, self.glyphs.down[0 if step > 0 else 1], arrow.kind)
        row.put(begin, self.glyphs.from_left if step > 0 else self.glyphs.from_right, arrow.kind)
        span = self._free_span(begin, track, words)
        self.wires.append(_Wire(arrow, track))
        self._label(row, arrow, wrapped(" ".join(words), span[1] - span[0]), span, step)

    def pass_at_once(self, arrow: Arrow) -> None:
        """An arrow on one row, with the time of its arrival written on it."""
        self.turn(arrow.sent, arrow.source, arrow.destination)
        self.remark(arrow.starts + arrow.ends)
        begin, end = self.lines[arrow.source], self.lines[arrow.destination]
        step = 1 if end > begin else -1
        row = self.row(arrow.sent)
        words = self._words(arrow)
        arrival = self.ladder.since(arrow.arrives)
        self._horizontal(row, arrow, begin, end)
        row.put(begin, self.glyphs.from_left if step > 0 else self.glyphs.from_right, arrow.kind)
        row.put(end, self.glyphs.bar, DIM)
        row.put(end - step, self.glyphs.head if step > 0 else self.glyphs.back, arrow.kind)
        stop = end - step * 2
        if arrival != self.told:
            stop = end - step * (width_of(arrival) + 4)
            row.put(min(stop, stop + step * (width_of(arrival) + 1)) + (step < 0), f" {arrival} ", DIM)
        span = self._free_span(begin, stop, words)
        self._label(row, arrow, wrapped(" ".join(words), span[1] - span[0]), span, step)
        self.inner(arrow.starts + arrow.ends)

    def _lose(self, arrow: Arrow, words: list[str], begin: int, end: int, step: int) -> None:
        row = self.row(arrow.sent)
        low, high = self._free_span(begin, end - step * 3, words)
        lines = wrapped(" ".join(words), high - low)
        longest = max([width_of(text) for text in lines])
        cross = low + longest + 2 if step > 0 else high - longest - 3
        self._horizontal(row, arrow, begin, cross)
        row.put(cross, self.glyphs.cross, LOST)
        row.put(begin, self.glyphs.from_left if step > 0 else self.glyphs.from_right, arrow.kind)
        self._label(row, arrow, lines, (low, high), step)
        self._reason(row, arrow, cross, end, step)

    def _label(self, row: Row, arrow: Arrow, lines: list[str], span: tuple[int, int], step: int) -> None:
        for number, text in enumerate(lines):
            at = span[0] if step > 0 else span[1] - width_of(text)
            if number:
                self.row().put(at, text, arrow.kind)
            else:
                row.put(at - 1, f" {text} ", arrow.kind)

    def _reason(self, row: Row, arrow: Arrow, cross: int, end: int, step: int) -> None:
        room = abs(end - cross) - 3
        if width_of(arrow.lost) <= room:
            row.put(cross + 2 if step > 0 else cross - 1 - width_of(arrow.lost), arrow.lost, LOST)
            return
        low, high = sorted((self.lines[arrow.source], end))
        for text in wrapped(f"lost: {arrow.lost}", high - low - 3):
            self.row().put(low + 3 if step > 0 else high - 2 - width_of(text), text, LOST)

    def arrive(self, arrow: Arrow) -> None:
        self.turn(arrow.arrives, arrow.destination)
        self.remark(arrow.ends)
        wire = next(each for each in self.wires if each.arrow is arrow)
        self.wires.remove(wire)
        row = self.row(arrow.arrives)
        end = self.lines[arrow.destination]
        forward = end > wire.track
        self._horizontal(row, arrow, wire.track, end)
        row.put(wire.track, self.glyphs.corner[0 if forward else 1], arrow.kind)
        row.put(end - 1 if forward else end + 1, self.glyphs.head if forward else self.glyphs.back, arrow.kind)
        row.put(end, self.glyphs.bar, DIM)
        self.inner(arrow.ends)

    def _horizontal(self, row: Row, arrow: Arrow, begin: int, end: int) -> None:
        for at in range(min(begin, end), max(begin, end) + 1):
            crossed = row.cells[at] == self.glyphs.bar and at not in (begin, end)
            row.put(at, self.glyphs.fork if crossed else self.glyphs.line, arrow.kind)

    def _turn(self, begin: int, step: int, length: int) -> int:
        """Where an arrow from a host to itself turns round."""
        column = self.lines.index(begin)
        wall = self.lines[column + step] if 0 <= column + step < len(self.lines) else self.gutter + self.left + 1
        room = abs(wall - begin) - 2
        wanted = min(length + 5, room)
        taken = {wire.track for wire in self.wires}
        places = [begin + step * distance for distance in (*range(wanted, room + 1), *range(wanted, 5, -1))]
        return next((place for place in places if place not in taken), begin + step * wanted)

    def _track(self, arrow: Arrow, begin: int, end: int, step: int, length: int) -> int:
        """Where the arrow steps down: near its end, further from it than those before it if there is room, so that
        arrows in a row do not cross."""
        edge = self.lines[arrow.destination - step]  # the lifeline before the last field
        room = abs(end - edge)
        nearest: int = end - step * 4
        wanted: int = end - step * max(4, min(room // 4, abs(end - begin) - length - 5))
        taken = {wire.track for wire in self.wires}
        mine = [wire.track for wire in self.wires if wire.arrow.destination == arrow.destination]
        mine = [track for track in mine if min(edge, end) < track < max(edge, end)]
        if mine:
            furthest = min(mine) if step > 0 else max(mine)
            wanted = furthest - step * 2
        places: list[int] = [wanted, *range(nearest, edge + step * 4, -step)]
        for track in places:
            if track not in taken and abs(track - edge) >= 4 and abs(end - track) >= 3:
                return track
        return wanted if abs(wanted - edge) >= 4 else nearest

    def _free_span(self, begin: int, end: int, words: list[str]) -> tuple[int, int]:
        """Where a label can stand between two columns without hiding a wire or a lifeline: the first
        place from `begin` on, else the widest."""
        low, high = min(begin, end), max(begin, end)
        walls = sorted({low, high, *[at for at in self._walls() if low < at < high]})
        spans = [(left + 3, right - 2) for left, right in pairwise(walls)]
        if begin > end:
            spans.reverse()
        for left, right in spans:
            if right - left >= width_of(" ".join(words)):
                return left, right
        best = max(spans, key=lambda span: span[1] - span[0])
        longest = max([width_of(piece) for word in words for piece in word.split(" ")])
        if best[1] - best[0] >= longest:
            return best
        longest = min(longest, max(abs(self.lines[1] - self.lines[0]) - 6, 8))
        return (low + 3, low + 3 + longest) if end > begin else (high - 2 - longest, high - 2)

    def _walls(self) -> list[int]:
        return [*self.lines, *[wire.track for wire in self.wires]]

    # -- other rows

    def gap(self, gap: Gap) -> None:
        self.flush(0)
        self.flush(1)
        low, high = self.lines[0], self.lines[-1]
        dots = "..." if self.glyphs.gap == ":" else "···"
        room = max(high - low - 3, 20)
        whole = f"{dots} {gap.text} {dots}"
        parts = gap.text.replace(" ", "\xa0").replace(",\xa0", ", ")
        for text in [whole] if width_of(whole) <= room else wrapped(parts, room):
            row = self.row(gap.time)
            for line in self.lines:
                row.put(line, self.glyphs.gap, DIM)
            row.put(low + max((high - low - width_of(text)) // 2, 2), text, MARK)

    def alone(self, remark: Remark) -> None:
        self.turn(remark.time, remark.column)
        if 0 < remark.column < len(self.lines) - 1:
            self.inner([remark], self.row(remark.time))
            return
        self.remark([remark])
        self.row(remark.time)

    def head(self) -> None:
        self._centred(self.ladder.hosts, STATE)
        labels = self.ladder.labels
        if any(labels):
            self._centred(labels if self._stand_apart(labels) else [_without_port(each) for each in labels], DIM)
        states = [Remark(number, STATE, text, 0, 0) for number, text in enumerate(self.ladder.initial) if text]
        self.remark(states)
        self.row()
        self.inner(states)

    def _centred(self, texts: list[str], style: str) -> None:
        row = Row(self.width)
        for number, text in enumerate(texts):
            row.put(self._place(number, text), text, style)
        self.rows.append(row)

    def _place(self, number: int, text: str) -> int:
        return max(0, min(self.lines[number] - width_of(text) // 2, self.width - width_of(text)))

    def _stand_apart(self, texts: list[str]) -> bool:
        places = [(self._place(number, text), width_of(text)) for number, text in enumerate(texts)]
        return all(begin + width < after for (begin, width), (after, _) in pairwise(places))


def _without_port(label: str) -> str:
    return label.partition(":")[0] if label.count(":") == 1 else label


def draw(ladder: Ladder, width: int, colour: bool, ascii_only: bool) -> str:
    """The ladder as lines of at most `width` columns."""
    if width < NARROWEST:
        raise MisuseError(f"a ladder needs {NARROWEST} columns or more; width is {width}")
    if not ladder.hosts:
        return "(nothing was recorded)\n"
    canvas = _Canvas(ladder, width, Glyphs(ascii_only))
    canvas.head()
    moments = ladder.moments()
    crowded = _crowded(moments, max(4, (canvas.lines[-1] - canvas.lines[0]) // 7 // max(len(ladder.hosts) - 1, 1)))
    for moment in moments:
        item = moment.item
        if isinstance(item, Gap):
            canvas.gap(item)
        elif isinstance(item, Remark):
            canvas.alone(item)
        elif item not in crowded:
            (canvas.arrive if moment.is_arrival else canvas.depart)(item)
        elif not moment.is_arrival:
            canvas.pass_at_once(item)
    canvas.flush(0)
    canvas.flush(1)
    drawn = "\n".join([row.text(colour) for row in canvas.rows]) + "\n"
    return _in_ascii(drawn) if ascii_only else drawn


def fitting_width(ladder: Ladder, width: int) -> int:
    """`width` if the ladder can be drawn in it, else the least width at which it can be read well."""
    width = max(width, NARROWEST)
    least = _NARROWEST_FIELD
    while ladder.hosts:
        try:
            _Canvas(ladder, width, Glyphs(False), least)
        except MisuseError:
            width += 1
            least = _LEGIBLE_FIELD
        else:
            break
    return width


def _crowded(moments: list[Moment], limit: int) -> set[Arrow]:
    """Arrows that fly together with more than `limit` others over the same field, or arrive at once."""
    found: set[Arrow] = set()
    flying: list[Arrow] = []
    for place, moment in enumerate(moments):
        item = moment.item
        if not isinstance(item, Arrow) or item.arrives == NEVER:
            continue
        if moment.is_arrival:
            flying.remove(item)
            continue
        if item.source == item.destination:
            flying.append(item)
            continue
        if item.arrives == item.sent and moments[place + 1].item is item:
            found.add(item)
        flying.append(item)
        field = {item.source, item.destination}
        beside = [each for each in flying if {each.source, each.destination} == field]
        if len(beside) > limit:
            # What changes a state is drawn to where it arrives.
            found.update([each for each in beside if not any(remark.kind == STATE for remark in each.ends)])
    return found


def _worded(remark: Remark, glyphs: Glyphs) -> str:
    if remark.kind == DROP:
        return f"{glyphs.cross}\xa0{remark.text}"
    return remark.text


def _side_width(ladder: Ladder, column: int, most: int) -> int:
    widths = [width_of(each.text) + 2 * (each.kind == DROP) for each in ladder.remarks() if each.column == column]
    widths.append(width_of(ladder.initial[column]))
    return min(max(widths), most)


def _in_ascii(text: str) -> str:
    return text.replace("µ", "u").encode("ascii", "replace").decode("ascii")
