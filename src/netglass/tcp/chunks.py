"""Pieces of the stream, cut and joined for the two buffers with as little copying as pays."""

from __future__ import annotations

from typing import Final

from netglass.wire.checksum import Buffer

# Up to this size a slice of bytes (a copy) is as quick as a view, and quicker for everyone who handles it later.
# Measured on CPython 3.11: 1448 bytes 0.12 us against 0.23 for a view, 8 KiB 0.19 against 0.18, 64 KiB 1.7 against 0.2.
_COPY_UP_TO: Final = 4096

# Two neighbours that fit in this together become one piece: a stream of tiny writes or segments costs at most two
# objects per KiB, and no join copies more than this.
JOIN_UP_TO: Final = 1024


def cut(chunk: Buffer, start: int, stop: int) -> Buffer:
    """chunk[start:stop], as a view where a copy would be dear."""
    if start == 0 and stop == len(chunk):
        return chunk
    if stop - start > _COPY_UP_TO:
        return memoryview(chunk)[start:stop]
    piece = chunk[start:stop]
    # A small piece of a view must not keep a whole frame of 64 KiB alive.
    return piece if isinstance(piece, bytes) else bytes(piece)


def cut_all(chunks: tuple[Buffer, ...], start: int, stop: int) -> list[Buffer]:
    """The pieces that make up bytes [start, stop) of the joined `chunks`."""
    pieces: list[Buffer] = []
    for chunk in chunks:
        size = len(chunk)
        if start < size and stop > 0:
            pieces.append(cut(chunk, max(start, 0), min(stop, size)))
        start -= size
        stop -= size
    return pieces
