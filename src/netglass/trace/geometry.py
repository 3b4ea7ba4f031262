"""Lines and shapes in a plane, as far as labels need them. x grows to the right, y downwards."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]
Line = tuple[Point, Point]


def near(some: Sequence[Point], others: Sequence[Point]) -> bool:
    # Whether the upright rectangles around them meet: cheap, and mostly not so.
    xs, ys = [x for x, _ in some], [y for _, y in some]
    other_xs, other_ys = [x for x, _ in others], [y for _, y in others]
    if max(ys) < min(other_ys) or min(ys) > max(other_ys):
        return False
    return max(xs) >= min(other_xs) and min(xs) <= max(other_xs)


def crosses(line: Line, corners: list[Point]) -> bool:
    """True if a line cuts a convex shape or ends in it."""
    if _inside(line[0], corners) or _inside(line[1], corners):
        return True
    sides = zip(corners, corners[1:] + corners[:1], strict=True)
    return any(_cut(line, side) for side in sides)


def overlap(one: list[Point], other: list[Point]) -> bool:
    """True if two convex shapes have a point in common."""
    sides = zip(one, one[1:] + one[:1], strict=True)
    return _inside(one[0], other) or any(crosses(side, other) for side in sides)


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cut(one: Line, other: Line) -> bool:
    a, b = one
    c, d = other
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _inside(point: Point, corners: list[Point]) -> bool:
    signs = [_side(a, b, point) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
    return all(each >= 0 for each in signs) or all(each <= 0 for each in signs)
