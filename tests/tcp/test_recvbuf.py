"""The receive buffer: reassembly, SACK blocks, reading, and what a hostile peer can make it cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netglass.tcp.recvbuf import ReceiveBuffer


def arrives(buffer: ReceiveBuffer, seq: int, data: bytes) -> int:
    return buffer.insert(seq, (data,) if data else (), len(data))


def test_data_in_order_is_readable_at_once():
    buffer = ReceiveBuffer(1000)
    assert arrives(buffer, 1000, b"hello ") == 6
    assert arrives(buffer, 1006, b"world") == 5
    assert buffer.next == 1011
    assert buffer.readable == 11
    assert buffer.read(100) == b"hello world"
    assert buffer.read(100) == b""


def test_data_ahead_of_a_gap_waits_for_it():
    buffer = ReceiveBuffer(1000)
    assert arrives(buffer, 1003, b"def") == 0
    assert (buffer.readable, buffer.waiting) == (0, 3)
    assert buffer.sack_blocks(4) == ((1003, 1006),)
    assert arrives(buffer, 1000, b"abc") == 6
    assert (buffer.readable, buffer.waiting) == (6, 0)
    assert buffer.sack_blocks(4) == ()
    assert buffer.read(6) == b"abcdef"


def test_what_is_held_wins_over_what_comes_again():
    buffer = ReceiveBuffer(1000)
    arrives(buffer, 1002, b"CD")
    arrives(buffer, 1001, b"bcde")
    arrives(buffer, 1000, b"Abcdef")
    arrives(buffer, 1000, b"zzzzzzz")
    assert buffer.read(100) == b"AbCDefz"


def test_a_duplicate_changes_nothing():
    buffer = ReceiveBuffer(1000)
    arrives(buffer, 1000, b"abc")
    assert arrives(buffer, 1000, b"xyz") == 0
    assert arrives(buffer, 1001, b"x") == 0
    assert (buffer.next, buffer.readable) == (1003, 3)


def test_a_super_segment_over_many_holes_fills_them_all():
    buffer = ReceiveBuffer(0)
    for seq in (2, 6, 10, 14):
        arrives(buffer, seq, b"XX")
    assert arrives(buffer, 0, bytes(12)) == 12
    assert buffer.sack_blocks(4) == ((14, 16),)
    assert buffer.read(100) == b"\0\0XX\0\0XX\0\0XX"


def test_the_block_that_changed_last_is_told_first():
    # RFC 2018 §4: the first block holds the segment that triggered the ACK, then the most recently told ones.
    buffer = ReceiveBuffer(0)
    arrives(buffer, 100, b"a" * 10)
    arrives(buffer, 200, b"b" * 10)
    arrives(buffer, 300, b"c" * 10)
    assert buffer.sack_blocks(4) == ((300, 310), (200, 210), (100, 110))
    arrives(buffer, 110, b"a" * 10)
    assert buffer.sack_blocks(4) == ((100, 120), (300, 310), (200, 210))
    assert buffer.sack_blocks(2) == ((100, 120), (300, 310))


def test_a_block_that_joins_two_others_replaces_them():
    buffer = ReceiveBuffer(0)
    arrives(buffer, 100, b"a" * 10)
    arrives(buffer, 300, b"c" * 10)
    arrives(buffer, 120, b"b" * 10)
    arrives(buffer, 110, b"x" * 10)
    assert buffer.sack_blocks(4) == ((100, 130), (300, 310))


def test_a_duplicate_ahead_of_the_gap_moves_its_block_to_the_front():
    buffer = ReceiveBuffer(0)
    arrives(buffer, 100, b"a" * 10)
    arrives(buffer, 200, b"b" * 10)
    arrives(buffer, 102, b"a" * 3)
    assert buffer.sack_blocks(4) == ((100, 110), (200, 210))


def test_reading_less_than_there_is():
    buffer = ReceiveBuffer(0)
    arrives(buffer, 0, b"x" * 5000)
    arrives(buffer, 5000, b"y" * 5000)
    assert buffer.read(4999) == b"x" * 4999
    assert buffer.read(3) == b"xyy"
    assert buffer.read(100_000) == b"y" * 4998


def test_peeking_leaves_the_data():
    buffer = ReceiveBuffer(0)
    arrives(buffer, 0, b"x" * 2000)
    arrives(buffer, 2000, b"y" * 2000)
    buffer.read(1999)
    assert buffer.read(3, peek=True) == b"xyy"
    assert buffer.read(3, peek=True) == b"xyy"
    assert buffer.readable == 2001
    assert buffer.read(3) == b"xyy"


def test_chunks_pass_through_without_a_copy():
    data = bytes(60_000)
    buffer = ReceiveBuffer(0)
    buffer.insert(0, (data,), len(data))
    (chunk,) = buffer.read_chunks(60_000)
    assert chunk is data
    buffer.insert(60_000, (data,), len(data))
    first, second = buffer.read_chunks(40_000)[0], buffer.read_chunks(40_000)[0]
    assert isinstance(first, memoryview)
    assert isinstance(second, memoryview)
    assert first.obj is data
    assert (len(first), len(second)) == (40_000, 20_000)


def test_read_gives_bytes_whatever_arrived():
    buffer = ReceiveBuffer(0)
    buffer.insert(0, (memoryview(b"abc"),), 3)
    assert type(buffer.read(3)) is bytes


def test_a_stream_of_single_bytes_costs_no_more_than_its_data():
    buffer = ReceiveBuffer(0)
    for seq in range(20_000):
        arrives(buffer, seq, b"x")
    assert buffer.overhead() < buffer.readable


def test_single_bytes_ahead_of_a_gap_cost_no_more_than_their_data():
    for order in (range(1, 20_001), range(20_000, 0, -1)):
        buffer = ReceiveBuffer(0)
        for seq in order:
            arrives(buffer, seq, b"x")
        assert buffer.waiting == 20_000
        assert buffer.overhead() < buffer.waiting


def test_holes_cost_and_can_be_dropped():
    buffer = ReceiveBuffer(0)
    arrives(buffer, 0, b"kept")
    for seq in range(10, 2010, 2):
        arrives(buffer, seq, b"x")
    assert buffer.overhead() > 100 * buffer.waiting
    assert buffer.forget_waiting() == 1000
    assert (buffer.readable, buffer.waiting, buffer.sack_blocks(4)) == (4, 0, ())
    assert buffer.overhead() < 1000
    # What was forgotten comes again.
    arrives(buffer, 4, b"y" * 20)
    assert buffer.read(100) == b"kept" + b"y" * 20


PIECES = st.tuples(st.integers(0, 300), st.integers(1, 80), st.integers(1, 80))
STEPS = st.lists(st.one_of(PIECES, st.integers(1, 60)), max_size=60)


@given(STEPS)
def test_it_behaves_like_a_string_with_holes(steps):
    stream = bytes(index * 7 % 251 for index in range(400))
    arrived = [False] * 400
    buffer = ReceiveBuffer(5000)
    got = b""
    for step in steps:
        if isinstance(step, int):
            peeked = buffer.read(step, peek=True)
            assert len(peeked) == min(step, buffer.readable)
            read = buffer.read(step) if step % 2 else b"".join(buffer.read_chunks(step))
            assert read == peeked
            got += read
        else:
            start, size, cut = step
            chunks = tuple(stream[at : min(at + cut, start + size)] for at in range(start, start + size, cut))
            before = arrived.index(False)
            arrived[start : start + size] = [True] * size
            assert buffer.insert(5000 + start, chunks, size) == arrived.index(False) - before
        edge = arrived.index(False)
        assert buffer.next == 5000 + edge
        assert buffer.readable == edge - len(got)
        assert buffer.waiting == sum(arrived[edge:])
        for left, right in buffer.sack_blocks(4):
            assert all(arrived[left - 5000 : right - 5000])
            assert not arrived[left - 5001]
            assert not arrived[right - 5000]
    assert got + buffer.read(400) == stream[: arrived.index(False)]
