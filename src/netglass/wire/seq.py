"""Sequence numbers: 32 bits on the wire, unbounded inside.

RFC 9293 §3.4 compares sequence numbers modulo 2**32. Every stack that does so everywhere has paid for one comparison
that somebody wrote with `<`. Here a number is unwrapped once, when a segment arrives, against a number that is known to
be near; from then on it only grows, and `<` is right.
"""

from __future__ import annotations

from typing import Final

MASK: Final = 0xFFFFFFFF
_HALF: Final = 0x80000000


def unwrap(wire: int, near: int) -> int:
    """The number that has the 32 bits `wire` and lies closest to `near` (within 2**31)."""
    return near + (((wire - near + _HALF) & MASK) - _HALF)


def wrap(number: int) -> int:
    """The 32 bits that go on the wire."""
    return number & MASK
