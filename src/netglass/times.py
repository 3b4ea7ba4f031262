"""Time is an integer count of nanoseconds, everywhere.

The core never reads a clock: whoever drives it passes `now`. `NEVER` is the deadline of something that waits for
nothing.
"""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError

NANOSECOND: Final = 1
MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND

EPOCH: Final = 1_767_225_600 * SECOND
"""The date at the beginning of a lab, in ns since 1970: 1 January 2026, 00:00 UTC."""

NEVER: Final = (1 << 62) - 1
"""A deadline that does not come: 146 years. The largest integer that the compiled core keeps unboxed."""

_UNITS: Final[dict[str, int]] = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "min": MINUTE,
    "h": HOUR,
}


def duration(value: int | str) -> int:
    """Nanoseconds of `value`: an int already in nanoseconds, or text such as "20ms", "1.5 s", "2min". ValueError says
    what is right."""
    if isinstance(value, int):
        if value < 0:
            raise MisuseError(f"a duration cannot be negative: {value} ns")
        return value
    if not isinstance(value, str):
        raise MisuseError(f'a duration is text such as "20ms", or whole nanoseconds; this is {value!r}')
    text = value.strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzµ ")
    unit = text[len(number) :].strip()
    if unit not in _UNITS:
        raise MisuseError(f'a duration needs a unit, one of ns us ms s min h, as in "20ms"; this is {value!r}')
    return _scaled(number, _UNITS[unit], value)


def _scaled(number: str, unit: int, original: str) -> int:
    # Decimal text in integers, so that no rounding of floats decides an event's order.
    whole, _, fraction = number.partition(".")
    if not (whole + fraction).isdecimal():
        raise MisuseError(f'not a duration: {original!r}; write it like "20ms" or "1.5 s"')
    scale: int = 10 ** len(fraction)
    nanoseconds: int = int(whole + fraction) * unit // scale
    return nanoseconds


def human(nanoseconds: int) -> str:
    """A duration as people read it: "1.5 s", "20 ms", "3 us", with at most three decimals and no trailing zeros."""
    if nanoseconds >= NEVER:
        return "never"
    for unit, size in (("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND)):
        if nanoseconds >= size or nanoseconds <= -size:
            return f"{_decimal(nanoseconds, size)} {unit}"
    return f"{nanoseconds} ns"


def _decimal(nanoseconds: int, size: int) -> str:
    thousandths = (abs(nanoseconds) * 1000 + size // 2) // size
    sign = "-" if nanoseconds < 0 else ""
    text = f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}"
    return text.rstrip("0").rstrip(".")
