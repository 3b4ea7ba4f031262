"""Randomness that a seed decides, in integers, the same on every machine.

One generator for everything would tie unrelated things together: one more draw on one cable would change the loss on
another.
So each user takes a named stream (`rng.stream("cable", "a-b")`), and a draw that belongs to a numbered thing is keyed
by that
number (`rng.keyed(packet_number)`) and not by how many draws came before it.

The generator is SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, no multiplication table, passes BigCrush. It is
not for secrets on a real
network; there the driver passes a seed from the operating system.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from netglass.errors import MisuseError

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_GOLDEN: Final = 0x9E3779B97F4A7C15
ONE: Final = 1 << 32
"""Probability 1 as `chance` counts it."""


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


class Rng:
    """A stream of random integers."""

    __slots__ = ("_seed", "_state")

    def __init__(self, seed: int) -> None:
        self._seed: int = seed & _MASK
        self._state: int = self._seed

    def stream(self, *names: str | int) -> Rng:
        """An independent stream for `names`; the same names give the same stream, whatever was drawn before."""
        text = "\x1f".join([str(name) for name in names])
        digest = blake2b(text.encode(), digest_size=8, key=self._seed.to_bytes(8, "big")).digest()
        return Rng(int.from_bytes(digest, "big"))

    def keyed(self, number: int) -> Rng:
        """The stream of the `number`-th thing (a packet on a cable): cheap, and independent of what else was drawn."""
        return Rng(_mix((self._seed + (number + 1) * _GOLDEN) & _MASK))

    def u64(self) -> int:
        self._state = (self._state + _GOLDEN) & _MASK
        return _mix(self._state)

    def u32(self) -> int:
        return self.u64() >> 32

    def below(self, limit: int) -> int:
        """An integer 0 <= n < limit (limit up to 2**32; the bias is below 2**-32)."""
        return ((self.u64() >> 32) * limit) >> 32

    def chance(self, probability: int) -> bool:
        """True with `probability` out of `ONE` (2**32)."""
        return (self.u64() >> 32) < probability

    def bytes(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            out += self.u64().to_bytes(8, "big")
        return out[:count]


def probability(value: float) -> int:
    """`value` from 0.0 to 1.0 as the integer that `Rng.chance` takes."""
    if not 0 <= value <= 1:
        raise MisuseError(f"a probability lies between 0 and 1 (0.05 is 5 %); this is {value}")
    return round(value * ONE)
