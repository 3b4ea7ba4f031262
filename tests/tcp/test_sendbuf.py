"""The send buffer: what the application gave, by sequence number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError
from netglass.tcp.sendbuf import SendBuffer


def holding(*writes: bytes, start: int = 1000) -> SendBuffer:
    buffer = SendBuffer(start)
    for each in writes:
        buffer.append(each)
    return buffer


def taken(buffer: SendBuffer, seq: int, size: int) -> bytes:
    return b"".join(buffer.take(seq, size))


def test_what_was_written_comes_out_by_sequence_number():
    buffer = holding(b"hello ", b"world")
    assert (buffer.start, buffer.end) == (1000, 1011)
    assert taken(buffer, 1000, 11) == b"hello world"
    assert taken(buffer, 1004, 4) == b"o wo"


def test_a_large_write_is_cut_without_copying_it():
    data = bytes(200_000)
    buffer = holding(data)
    (chunk,) = buffer.take(1000 + 70_000, 65_160)
    assert isinstance(chunk, memoryview)
    assert chunk.obj is data


def test_a_whole_write_goes_out_as_the_object_that_came():
    data = bytes(2000)
    buffer = holding(b"x" * 2000, data)
    (chunk,) = buffer.take(3000, 2000)
    assert chunk is data


def test_bytes_stay_until_they_are_released():
    buffer = holding(b"abcdef")
    assert taken(buffer, 1000, 6) == b"abcdef"
    buffer.release(1003)
    assert taken(buffer, 1003, 3) == b"def"
    with pytest.raises(MisuseError, match=r"holds \[1003, 1006\); \[1002, 1004\) is not in it"):
        buffer.take(1002, 2)


def test_more_than_there_is_cannot_be_taken():
    buffer = holding(b"abc")
    for seq, size in ((1000, 4), (1003, 1), (1000, 0), (999, 2)):
        with pytest.raises(MisuseError):
            buffer.take(seq, size)


def test_the_acknowledgement_of_a_fin_lies_one_past_the_end():
    buffer = holding(b"abc")
    buffer.release(1004)
    assert (buffer.start, buffer.end) == (1003, 1003)
    buffer.append(b"d")
    assert taken(buffer, 1003, 1) == b"d"


def test_an_old_acknowledgement_releases_nothing():
    buffer = holding(b"abc")
    buffer.release(1002)
    buffer.release(1001)
    assert buffer.start == 1002


def test_push_where_a_write_ended():
    buffer = holding(b"x" * 2000, b"y" * 3000)
    assert buffer.ends_write(3000)
    assert buffer.ends_write(6000)
    assert not buffer.ends_write(2448)
    taken(buffer, 1000, 2000)
    assert buffer.ends_write(3000)
    taken(buffer, 3000, 1448)
    assert not buffer.ends_write(4448)


def test_a_write_that_was_sent_keeps_its_push_when_it_is_sent_again():
    buffer = holding(b"GET")
    taken(buffer, 1000, 3)
    buffer.append(b"more")
    taken(buffer, 1003, 4)
    taken(buffer, 1000, 3)
    assert buffer.ends_write(1003)


def test_small_writes_that_nobody_sent_yet_go_out_as_one():
    buffer = holding(b"a", b"b", b"c")
    assert buffer.take(1000, 3) == (b"abc",)
    assert buffer.ends_write(1003)
    assert not buffer.ends_write(1002)


def test_one_segment_of_single_byte_writes_is_few_chunks():
    buffer = holding(*[b"x"] * 1448)
    assert len(buffer.take(1000, 1448)) <= 3
    assert taken(buffer, 1000, 1448) == b"x" * 1448


def test_single_bytes_that_were_sent_one_by_one_are_sent_again_in_few_chunks():
    buffer = SendBuffer(1000)
    for number in range(1448):
        buffer.append(b"x")
        buffer.take(1000 + number, 1)
    assert buffer.take(1000, 1448) == (b"x" * 1448,)


def test_large_writes_are_not_joined():
    buffer = holding(*[b"x" * 1000] * 20)
    assert len(buffer.take(1000, 20_000)) == 20


WRITES = st.one_of(st.just(b"x"), st.binary(min_size=0, max_size=40), st.sampled_from([bytes(range(250)) * 24]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WRITES, st.just(0)),
        st.tuples(st.just("take"), st.integers(0, 10_000), st.integers(1, 10_000)),
        st.tuples(st.just("next"), st.integers(1, 3000), st.just(0)),
        st.tuples(st.just("release"), st.integers(0, 3000), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_it_behaves_like_one_long_string(steps):
    buffer = SendBuffer(7)
    stream = b""
    sent = gone = 0
    for name, first, second in steps:
        if name == "write":
            buffer.append(memoryview(first) if len(first) % 2 else first)
            stream += first
        elif name == "take" and gone < len(stream):
            start = gone + first % (len(stream) - gone)
            size = min(second, len(stream) - start)
            assert taken(buffer, 7 + start, size) == stream[start : start + size]
            sent = max(sent, start + size)
        elif name == "next" and sent < len(stream):
            size = min(first, len(stream) - sent)
            assert taken(buffer, 7 + sent, size) == stream[sent : sent + size]
            sent += size
        elif name == "release":
            gone = min(gone + first, sent)
            buffer.release(7 + gone)
        assert (buffer.start, buffer.end) == (7 + gone, 7 + len(stream))
    if gone < len(stream):
        assert taken(buffer, 7 + gone, len(stream) - gone) == stream[gone:]
