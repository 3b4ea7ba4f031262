"""Sixty thousand mutated packets into a busy host. `benchmarks/fuzz.py`, which says what is held, does a million."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import Fuzz, run

PACKETS = 30_000


@pytest.mark.parametrize("forwarding", [False, True])
def test_mutated_packets(forwarding: bool):
    fuzz = run(PACKETS, seed=7 + forwarding, forwarding=forwarding)
    host = fuzz.host
    assert host.received == PACKETS
    assert (host.forwarded > 1000) == forwarding
    # The packets are worth their time: many reach somebody, and what is wrong with them is of many kinds.
    assert host.delivered > PACKETS // 4
    assert fuzz.opened > 100
    assert len(host.counters.counts) > 60
    assert host.counters.counts.keys() >= {
        "tcp-checksum",
        "paws",
        "challenge-reset",
        "sack-block-invalid",
        "ip-fragment-beyond-end",
        "icmp-outside-window",
        "data-cut-to-window",
    }


def test_the_same_seed_mutates_alike():
    one, other = Fuzz(3), Fuzz(3)
    for _ in range(500):
        one.step()
        other.step()
    assert one.host.counters.counts == other.host.counters.counts
    assert one.sent == other.sent


def test_a_packet_that_is_not_accounted_for_is_noticed():
    fuzz = Fuzz(4)
    fuzz.deliver(b"no packet at all")
    fuzz.host.receive_frame(b"one that nobody counted", fuzz.eth0, fuzz.now)
    with pytest.raises(AssertionError):
        fuzz.deliver(b"the next")
