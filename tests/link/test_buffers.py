"""Buffers are used again once nobody looks at them, and never before."""

from __future__ import annotations

from netglass.link.buffers import KEPT, VIEW_FROM, ReadBuffers
from netglass.wire.checksum import Buffer

SIZE = 65536


def read(buffers: ReadBuffers, byte: int, size: int = SIZE) -> Buffer:
    buffers.free[:size] = bytes([byte]) * size
    return buffers.frame(10, size)


def test_a_frame_that_is_held_does_not_change():
    buffers = ReadBuffers(SIZE)
    held = [read(buffers, byte) for byte in range(200)]
    for byte, frame in enumerate(held):
        assert bytes(frame) == bytes([byte]) * (SIZE - 10)


def test_a_slice_of_a_frame_holds_it_too():
    buffers = ReadBuffers(SIZE)
    pieces = [read(buffers, byte)[100:200] for byte in range(100)]
    for byte, piece in enumerate(pieces):
        assert bytes(piece) == bytes([byte]) * 100


def test_short_frames_are_copies():
    buffers = ReadBuffers(SIZE)
    frames = [read(buffers, byte, VIEW_FROM - 1) for byte in range(5)]
    assert all(isinstance(frame, bytes) for frame in frames)
    assert frames[0] == bytes(VIEW_FROM - 11)


def test_what_is_let_go_is_used_again():
    buffers = ReadBuffers(SIZE)
    seen = set()
    for byte in range(100):
        seen.add(id(buffers.free))
        read(buffers, byte)
    assert len(seen) <= 3


def test_a_view_that_is_held_for_ever_does_not_stop_that():
    buffers = ReadBuffers(SIZE)
    held = read(buffers, 77)
    seen = set()
    for byte in range(100):
        seen.add(id(buffers.free))
        read(buffers, byte)
    assert len(seen) <= 5
    assert bytes(held) == bytes([77]) * (SIZE - 10)


def test_after_a_flood_most_are_given_back():
    buffers = ReadBuffers(SIZE)
    held = [read(buffers, 1) for _ in range(3 * KEPT)]
    held.clear()
    for _ in range(10 * KEPT):
        read(buffers, 2)
    assert len(buffers._lent) <= KEPT + 1
