"""What arrived and was not read yet: the stream in order, and what came ahead of a gap (RFC 9293 §3.10.7.4; RFC 2018 for the blocks told to the peer)."""

from __future__ import annotations

from netglass.wire.tcp import Buffer


class ReceiveBuffer:
    """Reassembles the incoming stream. Sequence numbers are unwrapped. Chunks are kept as they came, never copied."""

    __slots__ = ("next", "readable", "waiting")

    def __init__(self, start: int) -> None:
        self.next: int = start  # RCV.NXT as far as data is concerned: the first byte that has not arrived
        self.readable: int = 0  # bytes in order and unread
        self.waiting: int = 0  # bytes ahead of a gap

    def insert(self, seq: int, chunks: tuple[Buffer, ...], size: int) -> int:
        """Data for [seq, seq + size), already cut to the window. Returns by how much `next` advanced (0: out of order, or nothing new)."""
        raise NotImplementedError

    def read(self, size: int, peek: bool = False) -> bytes:
        """At most `size` bytes, b"" if nothing is there."""
        raise NotImplementedError

    def read_chunks(self, size: int) -> list[Buffer]:
        """The same without joining: for a reader that writes the chunks on."""
        raise NotImplementedError

    def sack_blocks(self, most: int) -> tuple[tuple[int, int], ...]:
        """Up to `most` (left, right) ranges ahead of the gap, the one that changed last first (RFC 2018 §4)."""
        raise NotImplementedError
