"""Whatever a cable does, a stream arrives whole, in order and once, or somebody is told; and nothing is left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.properties.hostile import CASES, CLOSINGS, Case, Hostile, capture, drawn

SEEDS = 240


@settings(max_examples=150)
@given(CASES)
def test_any_case(case: Case):
    Hostile(case).run()


def test_many_seeds():
    delivered = 0
    closings = dict.fromkeys(CLOSINGS, 0)
    seen: set[str] = set()
    for seed in range(SEEDS):
        hostile = Hostile(drawn(seed))
        try:
            hostile.run()
        except AssertionError as error:
            raise AssertionError(f"{error}; {hostile.case}") from None
        delivered += hostile.delivered
        closings[hostile.case.closing] += 1
        for host in (hostile.client, hostile.server):
            seen.update(hostile.counters(host))
    # The cases are worth their time: most get through, every way to close is there, and much went wrong on the way.
    assert SEEDS // 2 < delivered < SEEDS * 9 // 10
    assert min(closings.values()) > SEEDS // 12
    assert seen >= {
        "tcp-checksum",
        "out-of-order",
        "duplicate-data",
        "paws",
        "old-ack",
        "gave-up",
        "segment-in-time-wait",
        "sequence-outside-window",
        "challenge-syn",
        "close-with-zero-linger",
    }


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_faultless_cable_delivers_whatever_the_close(closing: str):
    hostile = Hostile(Case(up=100_000, down=70_000, closing=closing))
    hostile.run()
    # Only who hangs up without reading to the end gives the other one an error.
    assert hostile.delivered != closing.endswith("aborts")


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_packets_as_bytes_change_nothing(seed: int):
    case = drawn(seed)
    assert capture(replace(case, serialise=True)) == capture(replace(case, serialise=False))


# Found by these tests. Each was broken once.


def test_an_overtaken_ack_does_not_open_the_window_again():
    """The sender went beyond the window, and the receiver took in the bytes that it had meant to cut off."""
    hostile = Hostile(
        Case(
            seed=4,
            loss=3,
            reorder=1,
            jitter=15,
            up=172_812,
            down=1,
            piece=1000,
            closing="server first",
            client_pause=50,
            server_pause=3000,
            timestamps=False,
            control="reno",
            client_buffer=1,
            server_buffer=3000,
            server_read=700,
            nodelay=True,
            version=6,
            offload=True,
        )
    )
    hostile.run()
    assert hostile.delivered


def test_a_buffer_smaller_than_a_segment_does_not_close_the_window_for_ever():
    hostile = Hostile(Case(mtu=9000, down=60_000, client_buffer=3000, client_read=700, reading_pause=20, delay=1))
    hostile.run()
    assert hostile.delivered
