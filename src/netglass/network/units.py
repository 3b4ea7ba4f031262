"""What people write for rates, sizes and probabilities, as integers."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.rng import ONE, probability

Share = float | str
"""A probability as people write it: 0.05, or "5%"."""

_RATES: Final[dict[str, int]] = {
    "bit/s": 1,
    "kbit/s": 1_000,
    "Mbit/s": 1_000_000,
    "Gbit/s": 1_000_000_000,
    "Tbit/s": 1_000_000_000_000,
}
_SIZES: Final[dict[str, int]] = {
    "B": 1,
    "kB": 1_000,
    "MB": 1_000_000,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_COUNTS: Final[dict[str, int]] = {"packet": 1, "packets": 1}


def rate_bps(value: int | str | None) -> int:
    """Bits per second of an int or of text such as "100 Mbit/s"; 0 (no limit) for None. MisuseError says what is
    right."""
    if value is None:
        return 0
    bps = value if isinstance(value, int) else _scaled(value, _RATES, 'a rate, written like "100 Mbit/s"')
    if bps <= 0:
        raise MisuseError(f"a rate is at least 1 bit/s, or None for no limit; this is {value!r}")
    return bps


def queue_limit(value: int | str) -> tuple[int, int]:
    """(packets, bytes), one of them -1 (no limit): an int or "100 packets" counts packets, "64 KiB" or "150 kB"
    bytes."""
    if isinstance(value, int):
        if value < 0:
            raise MisuseError(f"a queue holds 0 packets or more; this is {value}")
        return value, -1
    wanted = 'a queue length, written like 100, "100 packets" or "64 KiB"'
    if not isinstance(value, str):
        raise MisuseError(f"{wanted}; this is {value!r}")
    if value.strip().endswith("s") or value.strip().endswith("t"):
        return _scaled(value, _COUNTS, wanted), -1
    return -1, _scaled(value, _SIZES, wanted)


def share(value: Share) -> int:
    """`value` as the integer that `Rng.chance` takes: parts of 2**32."""
    if not isinstance(value, str):
        return probability(value)
    return _percent(value)


def _percent(text: str) -> int:
    scaled = _scaled(text, {"%": ONE}, 'a probability, written like 0.05 or "5%"')
    if scaled > 100 * ONE:
        raise MisuseError(f'a probability is at most 1 or "100%"; this is {text!r}')
    return scaled // 100


def _scaled(text: str, units: dict[str, int], wanted: str) -> int:
    """The number at the head of `text` times its unit, in integers: no rounding of floats decides an event's order."""
    if not isinstance(text, str):
        raise MisuseError(f"{wanted}; this is {text!r}")
    number = text.strip().rstrip("/%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    unit = text.strip()[len(number) :].strip()
    whole, _, fraction = number.partition(".")
    if unit not in units or not (whole + fraction).isdecimal():
        raise MisuseError(f"{text!r} is not {wanted}; units: {', '.join(units)}")
    denominator: int = 10 ** len(fraction)
    return int(whole + fraction) * units[unit] // denominator
