"""What the application gave and the peer has not acknowledged, by sequence number. Chunks are kept as they came, never copied."""

from __future__ import annotations

from netglass.wire.tcp import Buffer


class SendBuffer:
    """Bytes [start, end) of the outgoing stream. Sequence numbers are unwrapped."""

    __slots__ = ("end", "start")

    def __init__(self, start: int) -> None:
        self.start: int = start  # sequence number of the first byte held
        self.end: int = start  # one past the last byte held

    def append(self, data: Buffer) -> None:
        """One write of the application. `data` must not change afterwards."""
        raise NotImplementedError

    def take(self, seq: int, size: int) -> tuple[Buffer, ...]:
        """The chunks that make up [seq, seq + size), for a first transmission or a retransmission; they stay in the buffer."""
        raise NotImplementedError

    def ends_write(self, seq: int) -> bool:
        """True if a write of the application ended just before `seq`: a segment that ends there carries PSH."""
        raise NotImplementedError

    def release(self, seq: int) -> None:
        """Everything before `seq` has been acknowledged."""
        raise NotImplementedError
