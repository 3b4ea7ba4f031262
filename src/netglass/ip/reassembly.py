"""Putting fragments together again (RFC 791 §3.2, RFC 8200 §4.5), as Linux does it since 2018.

Whoever can forge fragments can try two things. He can send overlapping ones, so that a filter that reads the first
sees another datagram than the host that puts them together: a datagram with an overlap is therefore thrown away whole
(RFC 5722, and Linux does the same for IPv4); a fragment that lies within what is there already is a duplicate and is
ignored. And he can send beginnings without ends, to fill the memory: it is bounded, and so is the time.

The older ways to treat an overlap are here as well, to be looked at: RFC 791's own procedure copies what comes into a
buffer, so that the last writer wins; others kept what was there first.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from netglass.errors import WireError
from netglass.times import NEVER
from netglass.wire.ip import IpPacket
from netglass.wire.packet import header_length, reassembled

DROP_ALL: Final = 0
FIRST_WINS: Final = 1
LAST_WINS: Final = 2
"""What becomes of a datagram whose fragments overlap."""

OVERHEAD: Final = 256
"""What a fragment counts beside its bytes, or tiny ones would hold far more memory than the limit says."""

_LONGEST: Final = 65535  # bytes of a whole datagram: with the header for IPv4, without it for IPv6

# ECN of the pieces (RFC 3168 §5.3), as bits: what came in so far.
_NOT_ECT: Final = 1
_ECT: Final = 2 | 4
_CE: Final = 8


class Partial:
    """One datagram of which not all is there."""

    __slots__ = ("covered", "ecn", "end", "expires", "first", "held", "key", "newest", "pieces", "runs", "total")

    def __init__(self, key: tuple[bytes, bytes, int, int], newest: IpPacket, expires: int) -> None:
        self.key: tuple[bytes, bytes, int, int] = key
        self.first: IpPacket | None = None  # the fragment with offset 0: its header is the datagram's
        self.newest: IpPacket = newest
        self.expires: int = expires
        self.pieces: list[tuple[int, bytes]] = []  # (offset, data) in the order in which they came
        self.runs: list[tuple[int, int]] = []  # (from, to) of what came without a gap, lowest first
        self.covered: int = 0  # bytes in `runs`
        self.end: int = 0  # the highest byte seen, plus one
        self.total: int = -1  # the datagram's length, once its last fragment came
        self.held: int = 0  # what it counts against the limit
        self.ecn: int = 0  # which codepoints were seen, one bit each


class Reassembly:
    """The datagrams of one host that are being put together, oldest first. Every one lives at most `lifetime` from its
    first fragment on, and all of them hold at most `limit` bytes of one IP version."""

    __slots__ = ("_partials", "held", "lifetime", "limit", "overlap", "reason")

    def __init__(self, lifetime: int, limit: int) -> None:
        self.lifetime: int = lifetime
        self.limit: int = limit
        self.overlap: int = DROP_ALL
        self.held: int = 0  # bytes, with OVERHEAD
        self.reason: str = ""  # why the last fragment was refused: a counter's name; "": it is kept, or made a whole
        self._partials: dict[tuple[bytes, bytes, int, int], Partial] = {}

    def __len__(self) -> int:
        return len(self._partials)

    @property
    def deadline(self) -> int:
        """When the oldest datagram is given up."""
        for partial in self._partials.values():
            return partial.expires
        return NEVER

    def expired(self, now: int) -> Partial | None:
        """Takes out the oldest datagram if its time has come."""
        for partial in self._partials.values():
            if partial.expires <= now:
                self._forget(partial)
                return partial
            break
        return None

    def take(self, fragment: IpPacket, now: int) -> IpPacket | None:
        """The whole datagram if `fragment` was its last missing piece; else None, and `reason` says whether it was
        kept."""
        self.reason = ""
        # RFC 791 §3.2: four things tell which datagram it belongs to; in IPv6 the protocol is not one of them.
        protocol = fragment.protocol if len(fragment.source) == 4 else 0
        key = (fragment.source, fragment.destination, fragment.ident, protocol)
        payload = fragment.payload
        if not isinstance(payload, bytes):
            return self._refuse(None, "ip-fragment-parsed")
        if self.held + len(payload) + OVERHEAD > self.limit:
            return self._refuse(None, "ip-reassembly-memory")
        partial = self._partials.get(key)
        if partial is None:
            partial = self._partials[key] = Partial(key, fragment, now + self.lifetime)
        reason = self._add(partial, fragment, payload)
        if reason == "ip-fragment-duplicate":
            return self._refuse(None, reason)
        if reason:
            return self._refuse(partial, reason)
        if partial.first is None or partial.covered != partial.total:
            return None
        return self._complete(partial, partial.first)

    def _refuse(self, partial: Partial | None, reason: str) -> IpPacket | None:
        self.reason = reason
        if partial is not None:
            self._forget(partial)
        return None

    def _forget(self, partial: Partial) -> None:
        del self._partials[partial.key]
        self.held -= partial.held

    def _add(self, partial: Partial, fragment: IpPacket, payload: bytes) -> str:
        """Files one more piece. "", or why the datagram cannot be."""
        start = fragment.fragment_offset
        if fragment.more_fragments:
            payload = payload[: len(payload) & ~7]  # IPv4 pads nothing: what is left over cannot fit to anything
        end = start + len(payload)
        headers = header_length(fragment) if len(fragment.source) == 4 else 0
        if not payload:
            return "ip-fragment-empty"
        if headers + end > _LONGEST:
            return "ip-fragment-too-long"  # the "ping of death"
        if not fragment.more_fragments:
            # Linux: a second end must be the same, and nothing may have come from beyond it.
            if end < partial.end or partial.total not in (-1, end):
                return "ip-fragment-beyond-end"
        elif partial.total >= 0 and end > partial.total:
            return "ip-fragment-beyond-end"
        reason = self._overlap(partial, start, end)
        if reason:
            return reason
        if not fragment.more_fragments:
            partial.total = end
        partial.end = max(partial.end, end)
        partial.ecn |= 1 << (fragment.tos & 3)
        partial.pieces.append((start, payload))
        partial.held += len(payload) + OVERHEAD
        self.held += len(payload) + OVERHEAD
        partial.newest = fragment
        if start == 0 and partial.first is None:
            partial.first = fragment
        return ""

    def _overlap(self, partial: Partial, start: int, end: int) -> str:
        """Files the run from `start` to `end`. "", or what is wrong with it."""
        runs = partial.runs
        right = left = bisect_right(runs, (start, _LONGEST))
        touched = False
        if left and runs[left - 1][1] >= start:
            left -= 1
            if runs[left][1] >= end and self.overlap != LAST_WINS:
                return "ip-fragment-duplicate"
            touched = runs[left][1] > start
        while right < len(runs) and runs[right][0] <= end:
            touched = touched or runs[right][0] < end
            right += 1
        if touched and self.overlap == DROP_ALL:
            return "ip-fragment-overlap"
        if self.overlap == DROP_ALL and not (runs and runs[-1][1] == start):
            # Linux lets only the last run grow: a fragment that fills a gap stays a run of its own, and one that
            # spans two of them is no duplicate of either.
            left = right = bisect_right(runs, (start, _LONGEST))
        for low, high in runs[left:right]:
            partial.covered -= high - low
            start = min(start, low)
            end = max(end, high)
        partial.covered += end - start
        runs[left:right] = [(start, end)]
        return ""

    def _complete(self, partial: Partial, first: IpPacket) -> IpPacket | None:
        self._forget(partial)
        # RFC 3168 §5.3: one congestion mark marks the datagram, but not one that cannot have had it.
        seen = partial.ecn
        mixed = seen & _NOT_ECT and seen & (_ECT | _CE)
        if mixed:
            return self._refuse(None, "ip-fragment-ecn")
        data = bytearray(partial.total)
        pieces = partial.pieces if self.overlap == LAST_WINS else reversed(partial.pieces)
        for start, piece in pieces:
            data[start : start + len(piece)] = piece
        try:
            whole = reassembled(first, bytes(data))
        except WireError as error:
            return self._refuse(None, error.reason)
        if seen & _CE:
            whole.tos |= 3
        return whole
