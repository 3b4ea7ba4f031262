"""SYN cookies by themselves (RFC 4987 §3.6); what a listener does with them is in test_listener_cookies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.rng import Rng
from netglass.tcp.config import TcpConfig
from netglass.tcp.cookies import (
    MSS_TABLE_V4,
    MSS_TABLE_V6,
    PERIOD,
    SynCookies,
    options_in_timestamp,
    timestamp_with_options,
)
from netglass.times import SECOND
from netglass.wire.tcp import ABSENT

SERVER, CLIENT = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
SERVER6, CLIENT6 = b"\xfd" + bytes(14) + b"\x01", b"\xfd" + bytes(14) + b"\x02"
KEY = (CLIENT, 1000, SERVER)
NOW = 1_000_000 * SECOND


def cookies(seed: int = 1, secret: int = 0, port: int = 80) -> SynCookies:
    config = TcpConfig()
    config.cookie_secret = secret
    return SynCookies(port, Rng(seed), config)


@pytest.mark.parametrize(
    ("offered", "kept"),
    [(100, 536), (536, 536), (1299, 536), (1300, 1300), (1439, 1300), (1452, 1440), (1460, 1460), (65495, 1460)],
)
def test_the_mss_comes_back_rounded_down(offered: int, kept: int) -> None:
    jar = cookies()
    assert jar.mss(jar.cookie(KEY, 7, offered, NOW), KEY, 7, NOW) == kept


@pytest.mark.parametrize(("offered", "kept"), [(536, 1220), (1220, 1220), (1439, 1420), (1440, 1440), (9000, 8940)])
def test_ipv6_has_sizes_of_its_own(offered: int, kept: int) -> None:
    jar = cookies()
    key = (CLIENT6, 1000, SERVER6)
    assert jar.mss(jar.cookie(key, 7, offered, NOW), key, 7, NOW) == kept


def test_it_lives_to_the_end_of_the_next_period() -> None:
    jar = cookies()
    start = NOW // PERIOD * PERIOD
    cookie = jar.cookie(KEY, 7, 1460, start)
    assert jar.mss(cookie, KEY, 7, start + 2 * PERIOD - 1) == 1460
    assert jar.mss(cookie, KEY, 7, start + 2 * PERIOD) == 0
    assert jar.mss(cookie, KEY, 7, start + 256 * PERIOD) == 0, "eight bits of the count, but the hash has all of it"


def test_it_works_from_the_first_nanosecond() -> None:
    jar = cookies()
    assert jar.mss(jar.cookie(KEY, 7, 1460, 0), KEY, 7, PERIOD) == 1460
    assert jar.mss(12345, KEY, 7, 0) == 0


def test_a_secret_is_shared_by_those_who_know_it() -> None:
    cookie = cookies(seed=1, secret=99).cookie(KEY, 7, 1460, NOW)
    assert cookies(seed=2, secret=99).mss(cookie, KEY, 7, NOW) == 1460
    assert cookies(seed=1, secret=98).mss(cookie, KEY, 7, NOW) == 0
    assert cookies(seed=1).mss(cookie, KEY, 7, NOW) == 0


def test_a_cookie_for_somebody_else_is_never_good() -> None:
    jar, rng = cookies(), Rng(5)
    good = 0
    for _ in range(10_000):
        port, irs = 1024 + rng.below(60_000), rng.u32()
        key = (rng.bytes(4), port, SERVER)
        cookie = jar.cookie(key, irs, 1460, NOW)
        good += jar.mss(cookie, key, irs, NOW) == 1460
        assert jar.mss(cookie, (rng.bytes(4), port, SERVER), irs, NOW) == 0
        assert jar.mss(cookie, (key[0], port ^ (1 + rng.below(1000)), SERVER), irs, NOW) == 0
        assert jar.mss(cookie, key, irs + 1 + rng.below(1 << 20), NOW) == 0
        assert jar.mss(cookie, (key[0], port, CLIENT), irs, NOW) == 0
    assert good == 10_000


def test_another_port_of_the_server_has_other_cookies() -> None:
    assert cookies(port=81).mss(cookies(port=80).cookie(KEY, 7, 1460, NOW), KEY, 7, NOW) == 0


def test_a_guess_is_not_good() -> None:
    jar, rng = cookies(), Rng(6)
    assert not any(jar.mss(rng.u32(), KEY, 7, NOW) for _ in range(10_000))


@given(
    irs=st.integers(0, 2**32 - 1),
    mss=st.sampled_from(MSS_TABLE_V4),
    port=st.integers(1, 65535),
    now=st.integers(0, 2**60),
    age=st.integers(0, PERIOD),
)
def test_every_cookie_comes_back(irs: int, mss: int, port: int, now: int, age: int) -> None:
    jar = cookies()
    key = (CLIENT, port, SERVER)
    cookie = jar.cookie(key, irs, mss, now)
    assert 0 <= cookie < 2**32
    assert jar.mss(cookie, key, irs, now + age) == mss


def test_the_tables_are_sorted() -> None:
    assert list(MSS_TABLE_V4) == sorted(MSS_TABLE_V4)
    assert list(MSS_TABLE_V6) == sorted(MSS_TABLE_V6)
    assert len(MSS_TABLE_V4) == len(MSS_TABLE_V6) == 4


@given(clock=st.integers(0, 2**40), scale=st.integers(0, 14) | st.just(ABSENT), sack=st.booleans())
def test_options_in_a_timestamp(clock: int, scale: int, sack: bool) -> None:
    stamp = timestamp_with_options(clock, scale, sack)
    assert options_in_timestamp(stamp) == (scale, sack)
    assert clock - 64 < stamp <= clock, "the connection's own timestamps must not go back"
