"""Initial sequence numbers and timestamp offsets (RFC 6528, RFC 7323 §5.4)."""

from __future__ import annotations

from itertools import pairwise

from netglass.rng import Rng
from netglass.tcp.config import TcpConfig
from netglass.tcp.isn import IsnGenerator
from netglass.times import MICROSECOND, SECOND

HERE, THERE, ELSEWHERE = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02", b"\x0a\x00\x00\x03"


def generator(seed: int = 1, fixed: int = -1) -> IsnGenerator:
    config = TcpConfig()
    config.fixed_isn = fixed
    return IsnGenerator(Rng(seed), config)


def test_it_ticks_every_four_microseconds() -> None:
    isn = generator()
    first = isn.isn(HERE, 80, THERE, 1000, 0)
    assert isn.isn(HERE, 80, THERE, 1000, 3 * MICROSECOND) == first
    assert isn.isn(HERE, 80, THERE, 1000, 4 * MICROSECOND) == (first + 1) % 2**32
    assert isn.isn(HERE, 80, THERE, 1000, SECOND) == (first + 250_000) % 2**32


def test_the_clock_wraps_and_goes_on() -> None:
    isn = generator()
    around = 2**32 * 4 * MICROSECOND
    assert isn.isn(HERE, 80, THERE, 1000, around + SECOND) == isn.isn(HERE, 80, THERE, 1000, SECOND)


def test_each_of_the_four_parts_and_the_seed_matters() -> None:
    isn = generator()
    numbers = {
        isn.isn(HERE, 80, THERE, 1000, 0),
        isn.isn(HERE, 81, THERE, 1000, 0),
        isn.isn(HERE, 80, THERE, 1001, 0),
        isn.isn(HERE, 80, ELSEWHERE, 1000, 0),
        isn.isn(ELSEWHERE, 80, THERE, 1000, 0),
        isn.isn(THERE, 1000, HERE, 80, 0),
        generator(seed=2).isn(HERE, 80, THERE, 1000, 0),
    }
    assert len(numbers) == 7
    assert all(0 <= number < 2**32 for number in numbers)


def test_what_one_peer_sees_does_not_tell_the_numbers_of_the_next() -> None:
    # The differences between neighbours would all be equal if the hash were left out.
    isn = generator()
    numbers = [isn.isn(HERE, 80, THERE, port, 0) for port in range(1000, 1200)]
    steps = {(b - a) % 2**32 for a, b in pairwise(numbers)}
    assert len(steps) == 199


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert generator().isn(HERE, 80, THERE, 1000, 5) == generator().isn(HERE, 80, THERE, 1000, 5)


def test_a_fixed_number_overrides() -> None:
    isn = generator(fixed=2**32 + 7)
    assert isn.isn(HERE, 80, THERE, 1000, 0) == 7
    assert isn.isn(HERE, 80, ELSEWHERE, 1001, SECOND) == 7
    assert generator(fixed=0).isn(HERE, 80, THERE, 1000, 0) == 0


def test_the_timestamp_offset_belongs_to_the_pair_of_addresses() -> None:
    isn = generator()
    offset = isn.ts_offset(HERE, THERE)
    assert 0 <= offset < 2**32
    assert isn.ts_offset(HERE, THERE) == offset
    assert isn.ts_offset(HERE, ELSEWHERE) != offset
    assert generator(seed=2).ts_offset(HERE, THERE) != offset
