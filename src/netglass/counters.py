"""What a host counts: every packet that was not taken as it came, and why."""

from __future__ import annotations

from netglass.times import SECOND


class Counters:
    """How often each odd thing happened; names are those of the drop reasons. Shared by everything in one host."""

    __slots__ = ("_challenges", "_second", "counts")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._second: int = -1  # in which challenge ACKs were counted last
        self._challenges: int = 0

    def may_challenge(self, limit: int, now: int) -> bool:
        """False once the host has sent `limit` challenge ACKs in this second (RFC 5961 §7)."""
        second = now // SECOND
        if second != self._second:
            self._second = second
            self._challenges = 0
        self._challenges += 1
        return self._challenges <= limit

    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
