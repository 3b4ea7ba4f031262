"""The words on a picture's arrows, and where on its arrow each finds a place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netglass.trace.geometry import Line, Point, crosses, near, overlap
from netglass.trace.items import Arrow
from netglass.trace.metrics import text_width

LABEL: Final = 12.0
"""Size of the words on an arrow, in pixels like every length here."""


@dataclass
class Label:
    """Text along a line through `at` (its middle), `direction` as (dx, dy) of length one."""

    text: str
    at: Point
    direction: Point
    size: float
    mark: bool = False

    @property
    def width(self) -> float:
        return text_width(self.text, self.size)

    def corners(self) -> list[Point]:
        """The rectangle that the text takes, with a little room at its ends."""
        (x, y), (dx, dy) = self.at, self.direction
        half, up, down = self.width / 2 + 4, self.size * 0.78, self.size * 0.22
        along = [(-half, -up), (half, -up), (half, down), (-half, down)]
        return [(x + dx * a - dy * b, y + dy * a + dx * b) for a, b in along]


@dataclass
class PlacedArrow:
    arrow: Arrow
    begin: Point
    end: Point
    far: float = 0.0  # x of the lifeline that it goes to, if it is lost on the way
    turn: float = 0.0  # where an arrow from a host to itself turns round; 0: it is straight
    labels: list[Label] = field(default_factory=list)


def label_of(arrow: Arrow) -> str:
    return "  ".join(arrow.words)


_PLACES: Final = tuple([0.5 + side * step / 40 for step in range(15) for side in ((1, -1) if step else (1,))])
"""Where on its arrow a label may stand, the best place first."""


def place_labels(arrows: Sequence[PlacedArrow], notes: Sequence[list[Point]] = ()) -> int:
    """Puts each arrow's words above it and its marks below it, where they cover no other arrow and no other words, and
    none of the `notes` (corners) that stand between the lifelines. What it returns tells how much is covered or left
    out all the same."""
    total = 0
    taken: list[list[Point]] = list(notes)
    # Arrows that cross many others, because they were delayed, have the longest way to find a place on.
    for placed in sorted(arrows, key=lambda each: each.end[1] - each.begin[1]):
        others = [(each.begin, each.end) for each in arrows if each is not placed]
        clashes, placed.labels = _labels(placed, others, taken)
        total += clashes
        taken += [label.corners() for label in placed.labels]
    return total


def _labels(placed: PlacedArrow, lines: list[Line], taken: list[list[Point]]) -> tuple[int, list[Label]]:
    arrow = placed.arrow
    if placed.turn:
        return 0, [
            Label(label_of(arrow), ((placed.begin[0] + placed.turn) / 2, placed.begin[1] - 5), (1.0, 0.0), LABEL)
        ]
    clashes, label = _best_label(placed, label_of(arrow), (False, True), lines, taken)
    found = [label]
    if clashes and len(arrow.words) > 3 and not arrow.marks:
        # Half of the words above the line, half of them below.
        half = (len(arrow.words) + 1) // 2
        above = _best_label(placed, "  ".join(arrow.words[:half]), (False,), lines, taken)
        below = _best_label(placed, "  ".join(arrow.words[half:]), (True,), lines, taken)
        if above[0] + below[0] < clashes:
            clashes, found = above[0] + below[0], [above[1], below[1]]
    if clashes and len(arrow.words) > 2:
        # The other words are told when somebody points at the arrow.
        shorter = _best_label(placed, "  ".join(arrow.words[:2]), (False, True), lines, taken)
        if shorter[0] < clashes:
            clashes, found = shorter[0] + 1, [shorter[1]]
    if arrow.marks:
        here = [*taken, *[label.corners() for label in found]]
        mark = _best_label(placed, ", ".join(arrow.marks), (True, False), lines, here, mark=True)
        clashes += mark[0]
        found.append(mark[1])
    if arrow.lost:
        found.append(_lost_label(placed))
    return clashes, found


def _best_label(
    placed: PlacedArrow,
    text: str,
    sides: tuple[bool, ...],
    lines: list[Line],
    taken: list[list[Point]],
    mark: bool = False,
) -> tuple[int, Label]:
    """The first place without a clash, or the one with the fewest; `sides`: True is below the line."""
    best = 1000, _label_at(placed, text, mark, 0.5, sides[0])
    for below in sides:
        for share in _PLACES:
            label = _label_at(placed, text, mark, share, below)
            if not _fits(placed, label, share):
                continue
            clashes = _clashes(label.corners(), lines, taken) + (4 if _is_too_long(placed, label) else 0)
            if clashes < best[0]:
                best = clashes, label
            if not clashes:
                return best
    return best


def _clashes(corners: list[Point], lines: list[Line], taken: list[list[Point]]) -> int:
    """How many lines and labels these corners meet; a label counts more."""
    found = sum([crosses(line, corners) for line in lines if near(line, corners)])
    return found + 4 * sum([overlap(corners, other) for other in taken if near(other, corners)])


def _direction(placed: PlacedArrow) -> Point:
    # Left to right, so that words are never upside down.
    (x0, y0), (x1, y1) = sorted((placed.begin, placed.end))
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    return (x1 - x0) / length, (y1 - y0) / length


def _label_at(placed: PlacedArrow, text: str, mark: bool, share: float, below: bool) -> Label:
    (x0, y0), (x1, y1) = placed.begin, placed.end
    dx, dy = _direction(placed)
    away = LABEL * 1.05 if below else -5.0
    size = LABEL - 1 if mark else LABEL
    x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
    return Label(text, (x - dy * away, y + dx * away), (dx, dy), size, mark)


def _fits(placed: PlacedArrow, label: Label, share: float) -> bool:
    (x0, y0), (x1, y1) = placed.begin, placed.end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    return share == 0.5 or label.width / 2 + 10 <= length * min(share, 1 - share)


def _is_too_long(placed: PlacedArrow, label: Label) -> bool:
    """Whether it runs over the lifelines."""
    return label.width * label.direction[0] > abs(placed.end[0] - placed.begin[0]) - 4


def _lost_label(placed: PlacedArrow) -> Label:
    # Beyond the cross, where the arrow would have gone on; level below the cross if the lifeline is too near.
    step = 1 if placed.end[0] > placed.begin[0] else -1
    width = text_width(placed.arrow.lost, LABEL - 1)
    (dx, dy), (x, y) = _direction(placed), placed.end
    if abs(placed.far - x) < 13 + width + 4:
        return Label(placed.arrow.lost, (placed.far - step * (8 + width / 2), y + 18), (1.0, 0.0), LABEL - 1, True)
    away = step * (13 + width / 2)
    return Label(placed.arrow.lost, (x + dx * away - dy * 4, y + dy * away + dx * 4), (dx, dy), LABEL - 1, True)
