"""What the application gave and the peer has not acknowledged, by sequence number. Chunks are kept as they came.

Two lists run in parallel: the chunks, and the sequence number where each ends. New data is taken in order, so a cursor
finds its chunk; a retransmission finds it by bisection. Only small writes that nobody has sent yet are joined, and a
join copies at most 1 KiB: a million one-byte writes make a thousand chunks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from netglass.errors import MisuseError
from netglass.tcp.chunks import JOIN_UP_TO, cut
from netglass.wire.checksum import Buffer

# A take that found more chunks than this, and small ones, joins them: a link that writes them all would pay for each.
_FEW: Final = 8
_SMALL: Final = 512
_COMPACT_AT: Final = 64


class SendBuffer:
    """Bytes [start, end) of the outgoing stream. Sequence numbers are unwrapped."""

    __slots__ = ("_chunks", "_cursor", "_cursor_seq", "_ends", "_head", "_taken", "end", "start")

    def __init__(self, start: int) -> None:
        self.start: int = start  # sequence number of the first byte held
        self.end: int = start  # one past the last byte held
        self._chunks: list[Buffer] = []
        self._ends: list[int] = []  # one past each chunk's last byte
        self._head: int = 0  # chunks before this index are released
        self._cursor: int = 0  # the chunk that holds _cursor_seq, where the last take stopped
        self._cursor_seq: int = start
        self._taken: int = start  # nothing at or after this was ever taken

    def append(self, data: Buffer) -> None:
        """One write of the application. `data` must not change afterwards."""
        size = len(data)
        if size == 0:
            return
        if size < JOIN_UP_TO and self._chunks and self._join(data, size):
            return
        self.end += size
        self._chunks.append(data)
        self._ends.append(self.end)

    def _join(self, data: Buffer, size: int) -> bool:
        # What was sent keeps its boundary, and with it the PSH of a retransmission.
        last = self._chunks[-1]
        if len(last) + size > JOIN_UP_TO or self.end - len(last) < self._taken:
            return False
        self._chunks[-1] = b"".join((last, data))
        self.end += size
        self._ends[-1] = self.end
        return True

    def take(self, seq: int, size: int) -> tuple[Buffer, ...]:
        """The chunks that make up [seq, seq + size), to send or to send again; they stay in the buffer.

        MisuseError if the buffer does not hold all of it.
        """
        stop = seq + size
        if seq < self.start or stop > self.end or size <= 0:
            raise MisuseError(f"the send buffer holds [{self.start}, {self.end}); [{seq}, {stop}) is not in it")
        index = self._cursor if seq == self._cursor_seq else bisect_right(self._ends, seq, self._head)
        chunk = self._chunks[index]
        end = self._ends[index]
        self._cursor_seq = stop
        if stop > self._taken:
            self._taken = stop
        if stop > end:
            return self._take_many(index, seq, stop)
        self._cursor = index if stop < end else index + 1
        if size == len(chunk):
            return (chunk,)
        skip = seq - end + len(chunk)
        return (cut(chunk, skip, skip + size),)

    def _take_many(self, index: int, seq: int, stop: int) -> tuple[Buffer, ...]:
        pieces: list[Buffer] = []
        position = seq
        while position < stop:
            chunk = self._chunks[index]
            end = self._ends[index]
            first = end - len(chunk)
            pieces.append(cut(chunk, position - first, min(stop, end) - first))
            position = end
            index += 1
        self._cursor = index if position == stop else index - 1
        if len(pieces) > _FEW and len(pieces) * _SMALL > stop - seq:
            return (b"".join(pieces),)
        return tuple(pieces)

    def ends_write(self, seq: int) -> bool:
        """True if a write of the application ended just before `seq`: a segment that ends there carries PSH.

        Small writes that were joined before they were sent count as one, as in Linux, where PSH moves to the end of
        what joins an unsent segment.
        """
        ends = self._ends
        if seq == self._cursor_seq and self._cursor > self._head:
            return ends[self._cursor - 1] == seq
        index = bisect_left(ends, seq, self._head)
        return index < len(ends) and ends[index] == seq

    def release(self, seq: int) -> None:
        """Everything before `seq` has been acknowledged. `seq` may lie past the end: a FIN is acknowledged, too."""
        if seq <= self.start:
            return
        self.start = min(seq, self.end)
        head = self._head
        ends = self._ends
        while head < len(ends) and ends[head] <= seq:
            self._chunks[head] = b""  # let the memory go before the list is compacted
            head += 1
        self._head = head
        if head == len(ends) or (head >= _COMPACT_AT and head * 2 > len(ends)):
            self._compact()

    def _compact(self) -> None:
        del self._chunks[: self._head]
        del self._ends[: self._head]
        self._cursor -= self._head  # below 0 only if the cursor's bytes are released: then no take can start there
        self._head = 0
