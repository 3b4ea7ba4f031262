"""Randomness of a run: the seed decides what `random`, `os.urandom`, `secrets` and `uuid` give."""

from __future__ import annotations

import os
import random
from typing import Any, Final

from netglass.programs import current
from netglass.programs.kernel import Kernel
from netglass.programs.patches import Patch

_URANDOM: Final = os.urandom
_GETRANDOM: Final[Any] = getattr(os, "getrandom", None)
_SEED: Final = random.Random.seed
_MIX: Final = 0x9E37_79B9_7F4A_7C15

_sources: dict[str, random.Random] = {}


def urandom(size: int, /) -> bytes:
    """os.urandom, a stream of its own for each host"""
    kernel = current.kernel()
    if kernel is None:
        return _URANDOM(size)
    return _source(kernel).randbytes(size)


def getrandom(size: int, flags: int = 0) -> bytes:
    """os.getrandom"""
    return urandom(size) if current.kernel() is not None else _GETRANDOM(size, flags)


def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """random.Random.seed: without one, from `urandom`."""
    if a is None and current.kernel() is not None:
        a = int.from_bytes(urandom(32), "big")
    _SEED(self, a, version)


def _source(kernel: Kernel) -> random.Random:
    name = kernel.host().name
    source = _sources.get(name)
    if source is None:
        source = random.Random.__new__(random.Random)
        _SEED(source, f"{_current_seed[0]} {name}")
        _sources[name] = source
    return source


_current_seed: list[int] = [0]


class Chance:
    """The randomness of one run, from its begin to its end."""

    __slots__ = ("_state",)

    def __init__(self, number: int) -> None:
        self._state: Any = random.getstate()
        _sources.clear()
        _current_seed[0] = number
        random.seed(number)

    def leave(self) -> None:
        random.setstate(self._state)
        _sources.clear()


def patches() -> list[Patch]:
    table = [
        Patch(os, "urandom", urandom),
        Patch(os, "getrandom", getrandom),
        Patch(random.Random, "seed", seed, aliases=False),
    ]
    try:
        import uuid
    except ImportError:
        return table
    # libuuid reads the real clock and the real network card; without it uuid1 is made in Python.
    table.append(Patch(uuid, "_generate_time_safe", None, aliases=False))
    table.append(Patch(uuid, "_last_timestamp", None, aliases=False))
    return table
