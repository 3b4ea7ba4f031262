"""The Internet checksum against RFC 1071's example and against its plain definition."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netglass.wire.checksum import checksum, chunks_sum, fold, intact, ones_sum, pseudo_header_sum


def sum_by_definition(data: bytes) -> int:
    """RFC 1071 §4.1, word by word, carries added at the end around."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_the_example_of_rfc_1071() -> None:
    data = bytes.fromhex("0001 f203 f4f5 f6f7")
    assert ones_sum(data) == 0xDDF2
    assert checksum(ones_sum(data)) == 0x220D


@pytest.mark.parametrize(
    ("data", "total"),
    [
        (b"", 0),
        (b"\x00\x00", 0),
        (b"\xff\xff", 0xFFFF),  # not 0: one's complement has two zeros, and only all-zero data gives the first
        (b"\xff\xff\xff\xff", 0xFFFF),
        (b"\x01", 0x0100),
        (b"\x00\x01\x02", 0x0201),
        (b"\xff\xfe\x00\x02", 1),
    ],
)
def test_edges(data: bytes, total: int) -> None:
    assert ones_sum(data) == total


@given(st.binary(max_size=200))
@example(b"\xff" * 64)
@example(bytes(64))
def test_the_modulus_is_the_sum(data: bytes) -> None:
    assert ones_sum(data) == sum_by_definition(data)
    assert ones_sum(memoryview(data)) == sum_by_definition(data)


@given(st.lists(st.binary(max_size=9), max_size=6))
def test_chunks_of_any_length_sum_as_if_joined(chunks: list[bytes]) -> None:
    assert fold(chunks_sum(tuple(chunks))) == sum_by_definition(b"".join(chunks))


@given(st.binary(min_size=2, max_size=64))
def test_data_with_its_checksum_is_intact_and_with_a_flipped_bit_is_not(data: bytes) -> None:
    whole = checksum(ones_sum(b"\0\0" + data)).to_bytes(2, "big") + data
    assert intact(whole, 0) == any(whole)
    assert not intact(bytes((whole[0] ^ 0x10,)) + whole[1:], 0)


def test_all_zeros_are_not_intact() -> None:
    # Linux: the complement of 0 is 0xFFFF, so an ICMP message of nothing but zeros is dropped.
    assert not intact(bytes(8), 0)


def test_pseudo_headers() -> None:
    # 0a00+0001 + 0a00+0002 + 6 + 20
    total = pseudo_header_sum(bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)), 6, 20)
    assert fold(total) == 0x141D
    one = bytes(15) + b"\x01"
    assert fold(pseudo_header_sum(one, one, 58, 8)) == 1 + 1 + 58 + 8
