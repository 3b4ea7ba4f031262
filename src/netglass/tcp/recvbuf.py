"""What arrived and was not read yet: the stream in order, and what came ahead of a gap (RFC 9293 §3.10.7.4).

Ahead of the gap lie ranges, sorted, disjoint, never touching each other; RFC 2018 tells them to the peer. Data that is
already held wins over data that comes again. Chunks are kept as they came; only neighbours that fit into 1 KiB together
are joined, so that a peer who sends single bytes cannot make the bookkeeping many times larger than the data. Single
bytes with gaps between them remain dear: `overhead` tells how dear, `forget_waiting` drops them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from operator import attrgetter
from typing import Final

from netglass.tcp.chunks import JOIN_UP_TO, cut, cut_all
from netglass.wire.checksum import Buffer

# Bytes of memory on CPython 3.11, about: a bytes object or a view with its place in a list; a range with its list.
PIECE_OVERHEAD: Final = 128
RANGE_OVERHEAD: Final = 256

# Ranges whose order of change is remembered. A segment carries at most four (RFC 2018 §3); some merge meanwhile.
_REMEMBERED: Final = 8


class _Range:
    """[start, end) ahead of the gap."""

    __slots__ = ("end", "pieces", "start")

    def __init__(self, start: int, end: int, pieces: list[Buffer]) -> None:
        self.start: int = start
        self.end: int = end
        self.pieces: list[Buffer] = pieces


_START: Final = attrgetter("start")


class ReceiveBuffer:
    """Reassembles the incoming stream. Sequence numbers are unwrapped."""

    __slots__ = (
        "_offset",
        "_pieces",
        "_ranges",
        "_recent",
        "_waiting_pieces",
        "duplicate",
        "next",
        "readable",
        "waiting",
    )

    def __init__(self, start: int) -> None:
        self.next: int = start  # RCV.NXT as far as data is concerned: the first byte that has not arrived
        self.readable: int = 0  # bytes in order and unread
        self.waiting: int = 0  # bytes ahead of a gap
        self.duplicate: tuple[int, int] | None = None  # what insert() was given and already held ahead of the gap
        self._pieces: deque[Buffer] = deque()
        self._offset: int = 0  # bytes of the first piece that were read
        self._ranges: list[_Range] = []
        self._recent: list[_Range] = []  # the ranges that changed last, newest first
        self._waiting_pieces: int = 0

    # -- from the network

    @property
    def end(self) -> int:
        """One past the last byte that has arrived, gaps before it or not."""
        return self._ranges[-1].end if self._ranges else self.next

    def insert(self, seq: int, chunks: tuple[Buffer, ...], size: int) -> int:
        """Data for [seq, seq + size), already cut to the window. Returns by how much `next` advanced.

        0: out of order, or nothing new.
        """
        if seq == self.next and not self._ranges:
            self._append(chunks, size)
            return size
        end = seq + size
        before = self.next
        if end <= before or size <= 0:
            return 0
        if seq <= before:
            self._deliver(seq, end, chunks)
        else:
            self._hold(seq, end, chunks)
        return self.next - before

    def _append(self, chunks: tuple[Buffer, ...], size: int) -> None:
        self.next += size
        self.readable += size
        pieces = self._pieces
        for chunk in chunks:
            if len(chunk) < JOIN_UP_TO and pieces and len(pieces[-1]) + len(chunk) <= JOIN_UP_TO:
                pieces[-1] = b"".join((pieces[-1], chunk))
            else:
                pieces.append(chunk)

    def _deliver(self, seq: int, end: int, chunks: tuple[Buffer, ...]) -> None:
        """[seq, end) reaches past `next`: it fills the gap, and every range that it meets comes into order."""
        first_held = self._ranges[0] if self._ranges else None
        if first_held is not None and first_held.start < end:
            # Linux tells of the first only (tcp_ofo_queue).
            self.duplicate = (first_held.start, min(first_held.end, end))
        while self._ranges and self._ranges[0].start <= end:
            first = self._ranges.pop(0)
            self._forget(first)
            if self.next < first.start:
                self._append(tuple(cut_all(chunks, self.next - seq, first.start - seq)), first.start - self.next)
            self._append(tuple(first.pieces), first.end - first.start)
        if self.next < end:
            self._append(tuple(cut_all(chunks, self.next - seq, end - seq)), end - self.next)

    def _hold(self, seq: int, end: int, chunks: tuple[Buffer, ...]) -> None:
        """[seq, end) lies ahead of the gap: it becomes a range, or part of the ranges that it meets."""
        ranges = self._ranges
        index = bisect_right(ranges, seq, key=_START)
        if index > 0 and ranges[index - 1].end >= seq:
            index -= 1
            held = ranges[index]
            if held.end > seq:
                self._repeat(seq, min(held.end, end))
        else:
            first = min(end, ranges[index].start) if index < len(ranges) else end
            held = _Range(seq, seq, [])
            ranges.insert(index, held)
            self._extend(held, cut_all(chunks, 0, first - seq), first)
        after = index + 1
        while after < len(ranges) and ranges[after].start <= end:
            other = ranges[after]
            if other.start < end:
                self._repeat(other.start, min(other.end, end))
            self._extend(held, cut_all(chunks, held.end - seq, other.start - seq), other.start)
            self._forget(other)
            self._extend(held, other.pieces, other.end)
            after += 1
        del ranges[index + 1 : after]
        if held.end < end:
            self._extend(held, cut_all(chunks, held.end - seq, end - seq), end)
        self._remember(held)

    def _repeat(self, start: int, end: int) -> None:
        """[start, end) came again: what RFC 2883 lets us tell. Of several pieces the first, as in Linux."""
        if self.duplicate is None:
            self.duplicate = (start, end)
        elif start <= self.duplicate[1]:
            self.duplicate = (self.duplicate[0], max(end, self.duplicate[1]))

    def _extend(self, held: _Range, pieces: list[Buffer], end: int) -> None:
        self.waiting += end - held.end
        held.end = end
        own = held.pieces
        before = len(own)
        for position, piece in enumerate(pieces):
            if not own or len(own[-1]) + len(piece) > JOIN_UP_TO:
                own.extend(pieces[position:])
                break
            own[-1] = b"".join((own[-1], piece))
        self._waiting_pieces += len(own) - before

    def _remember(self, held: _Range) -> None:
        recent = self._recent
        if recent and recent[0] is held:
            return
        if held in recent:
            recent.remove(held)
        recent.insert(0, held)
        del recent[_REMEMBERED:]

    def _forget(self, held: _Range) -> None:
        self.waiting -= held.end - held.start
        self._waiting_pieces -= len(held.pieces)
        if held in self._recent:
            self._recent.remove(held)

    def sack_blocks(self, most: int) -> tuple[tuple[int, int], ...]:
        """Up to `most` (left, right) ranges ahead of the gap, the one that changed last first (RFC 2018 §4)."""
        if not self._recent:
            return ()
        return tuple([(held.start, held.end) for held in self._recent[:most]])

    # -- memory

    def overhead(self) -> int:
        """Bytes of memory that the bookkeeping takes, about; beside `readable + waiting` for the data."""
        pieces = len(self._pieces) + self._waiting_pieces
        return pieces * PIECE_OVERHEAD + len(self._ranges) * RANGE_OVERHEAD

    def forget_waiting(self) -> int:
        """Drops everything ahead of the gap, as a receiver short of memory may (RFC 2018 §8).

        Returns how many bytes that were; the caller counts them.
        """
        dropped = self.waiting
        self._ranges.clear()
        self._recent.clear()
        self.waiting = 0
        self._waiting_pieces = 0
        return dropped

    # -- to the application

    def read(self, size: int, peek: bool = False) -> bytes:
        """At most `size` bytes, b"" if nothing is there."""
        if size > self.readable:
            size = self.readable
        if size <= 0:
            return b""
        if peek:
            return b"".join(self._look(size))
        pieces = self._pieces
        first = pieces[0]
        if len(first) == size and self._offset == 0:
            pieces.popleft()
            self.readable -= size
            return first if isinstance(first, bytes) else bytes(first)
        return b"".join(self.read_chunks(size))

    def read_chunks(self, size: int) -> list[Buffer]:
        """The same without joining: for a reader that writes the chunks on."""
        if size > self.readable:
            size = self.readable
        taken: list[Buffer] = []
        if size <= 0:
            return taken
        self.readable -= size
        pieces = self._pieces
        offset = self._offset
        while size > 0:
            piece = pieces[0]
            available = len(piece) - offset
            if available > size:
                taken.append(cut(piece, offset, offset + size))
                offset += size
                break
            taken.append(cut(piece, offset, len(piece)))
            pieces.popleft()
            offset = 0
            size -= available
        self._offset = offset
        return taken

    def _look(self, size: int) -> list[Buffer]:
        seen: list[Buffer] = []
        offset = self._offset
        for piece in self._pieces:
            if size <= 0:
                break
            stop = min(len(piece), offset + size)
            seen.append(cut(piece, offset, stop))
            size -= stop - offset
            offset = 0
        return seen
