"""Sequence numbers across the point where 32 bits begin again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.wire.seq import unwrap, wrap


@pytest.mark.parametrize(
    ("wire", "near", "number"),
    [
        (1000, 1000, 1000),
        (5, 0xFFFFFFFE, 0x100000005),  # just past the wrap
        (0xFFFFFFFE, 0x100000005, 0xFFFFFFFE),  # an old one, from before it
        (0, 0xFFFFFFFF, 0x100000000),
        (0x7FFFFFFF, 0, 0x7FFFFFFF),  # the furthest ahead
        (0x80000000, 0, -0x80000000),  # one more is behind
    ],
)
def test_unwrap(wire: int, near: int, number: int) -> None:
    assert unwrap(wire, near) == number


@given(st.integers(0, 1 << 50), st.integers(-(1 << 31), (1 << 31) - 1))
def test_what_is_near_comes_back_whole(near: int, distance: int) -> None:
    assert unwrap(wrap(near + distance), near) == near + distance
