"""Cables: what arrives when, to the nanosecond."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.network.cable import Cable, Tally
from netglass.network.fault import Names
from netglass.network.units import queue_limit, rate_bps, share
from netglass.probe import Probe
from netglass.rng import ONE, Rng
from netglass.times import MICROSECOND, MILLISECOND, NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.udp import UdpDatagram

A = parse("10.0.0.1")
B = parse("10.0.0.2")


def datagram(size: int = 1500, source: bytes = A, destination: bytes = B) -> IpPacket:
    """A packet of `size` bytes on the wire."""
    return IpPacket(source, destination, UDP, UdpDatagram(1, 2, bytes(size - 28)))


def cable(delay: int = 0, rate: int = 0, packets: int = 1000, size: int = -1, jitter: int = 0, seed: int = 1) -> Cable:
    names: Names = {A: "a", B: "b"}
    made = Cable("a-b", "a", "b", Tally(), Rng(seed), names)
    made.set_delay(delay, jitter)
    made.set_rate(rate, packets, size)
    return made


def arrivals(made: Cable, packet: IpPacket, now: int, direction: int = 0) -> list[int]:
    return [when for when, _, _ in made.carry(packet, direction, now)]


class Told(Probe):
    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str, int, int, str]] = []
        self.frames: list[bytes | None] = []

    def carried(self, link, source, destination, number, packet, frame, sent, arrives, note):
        self.lines.append((number, source, destination, sent, arrives, note))
        self.frames.append(frame)


def test_without_a_rate_a_packet_arrives_after_the_delay():
    made = cable(delay=10 * MILLISECOND)
    packet = datagram()
    assert made.carry(packet, 0, 5) == [(10 * MILLISECOND + 5, 1, packet)]
    assert made.carry(packet, 1, 5) == [(10 * MILLISECOND + 5, 0, packet)]


def test_transmission_takes_the_bits_divided_by_the_rate():
    made = cable(delay=20 * MILLISECOND, rate=100_000_000)
    # 1500 bytes are 12,000 bits: 120 us at 100 Mbit/s.
    assert arrivals(made, datagram(), 0) == [20 * MILLISECOND + 120 * MICROSECOND]


def test_packets_wait_for_those_before_them_but_not_for_the_other_direction():
    made = cable(rate=100_000_000)
    assert [arrivals(made, datagram(), 0) for _ in range(3)] == [[120_000], [240_000], [360_000]]
    assert arrivals(made, datagram(), 0, direction=1) == [120_000]
    # The line was free for a while.
    assert arrivals(made, datagram(), 1_000_000) == [1_120_000]


def test_a_transmission_time_is_rounded_up_to_whole_nanoseconds():
    # 8,000 bits at 3 Gbit/s: 2666.66 ns.
    assert arrivals(cable(rate=3_000_000_000), datagram(1000), 0) == [2667]


def test_a_queue_of_packets_holds_so_many_behind_the_one_that_is_leaving():
    made = cable(rate=100_000_000, packets=2)
    assert [arrivals(made, datagram(), 0) for _ in range(4)] == [[120_000], [240_000], [360_000], []]
    assert made.lanes[0].counters.counts == {"queue-full": 1}
    # At 120 us the first has left: one place.
    assert arrivals(made, datagram(), 120_000) == [480_000]
    assert arrivals(made, datagram(), 120_000) == []


def test_a_queue_of_no_packets_takes_one_when_the_line_is_free():
    made = cable(rate=100_000_000, packets=0)
    assert arrivals(made, datagram(), 0) == [120_000]
    assert arrivals(made, datagram(), 119_999) == []
    assert arrivals(made, datagram(), 120_000) == [240_000]


def test_a_queue_of_bytes_counts_what_has_not_left():
    made = cable(rate=8_000_000_000, packets=-1, size=3000)  # one byte a nanosecond
    assert arrivals(made, datagram(1500), 0) == [1500]
    assert arrivals(made, datagram(1500), 0) == [3000]
    assert arrivals(made, datagram(1000), 0) == []
    assert arrivals(made, datagram(1000), 999) == []
    assert arrivals(made, datagram(1000), 1000) == [4000]


def test_a_long_idle_line_remembers_no_departures():
    made = cable(rate=100_000_000, packets=1)
    for second in range(100):
        assert arrivals(made, datagram(), second * SECOND) == [second * SECOND + 120_000]
    # Had the hundred counted, the queue would be full.
    assert arrivals(made, datagram(), 99 * SECOND) == [99 * SECOND + 240_000]


def test_a_packet_larger_than_the_mtu_is_refused_and_counted():
    made = cable()
    assert arrivals(made, datagram(1501), 0) == []
    assert made.lanes[0].counters.counts == {"mtu-exceeded": 1}
    made.set_size(9000)
    assert arrivals(made, datagram(1501), 0) == [0]
    made.set_size(1500, offload=True)
    assert arrivals(made, datagram(60_000), 0) == [0]


def test_jitter_spreads_arrivals_and_keeps_the_order():
    made = cable(delay=MILLISECOND, jitter=500 * MICROSECOND)
    dense = [arrivals(made, datagram(), n * 10_000)[0] for n in range(200)]
    assert dense == sorted(dense)
    extra = [arrivals(made, datagram(), n * SECOND)[0] - n * SECOND - MILLISECOND for n in range(1, 200)]
    assert 0 <= min(extra) < 100 * MICROSECOND
    assert 400 * MICROSECOND < max(extra) <= 500 * MICROSECOND


def test_jitter_may_change_the_order_if_asked():
    made = cable()
    made.set_delay(MILLISECOND, 500 * MICROSECOND, reorders=True)
    times = [arrivals(made, datagram(), n * 10_000)[0] for n in range(200)]
    assert times != sorted(times)


def test_jitter_belongs_to_the_seed_and_the_packet_number():
    first = [arrivals(cable(jitter=1000, seed=1), datagram(), 0)[0] for _ in range(2)]
    assert first[0] == first[1]
    other = [arrivals(cable(jitter=1_000_000, seed=seed), datagram(), 0)[0] for seed in range(5)]
    assert len(set(other)) == 5


def test_a_shorter_delay_does_not_let_packets_overtake_those_under_way():
    made = cable(delay=10 * MILLISECOND)
    assert arrivals(made, datagram(), 0) == [10 * MILLISECOND]
    made.set_delay(MILLISECOND)
    assert arrivals(made, datagram(), 0) == [10 * MILLISECOND]


def test_transit_and_carry_agree():
    plain, general = (cable(MILLISECOND, 50_000_000, 3, jitter=30_000) for _ in range(2))
    for n in range(50):
        want = arrivals(general, datagram(500 + 17 * n), n * 70_000)
        got = plain.lanes[0].transit(datagram(500 + 17 * n), n * 70_000)
        assert ([] if got == NEVER else [got]) == want


def test_serialising_delivers_the_bytes():
    made = cable(delay=7)
    made.set_serialise(True)
    packet = datagram()
    assert made.carry(packet, 0, 0) == [(7, 1, packet_bytes(packet))]


def test_every_transmission_is_told_in_order():
    tally = Tally()
    told = Told()
    tally.probe = told
    made = Cable("a-b", "a", "b", tally, Rng(1), {})
    made.set_rate(100_000_000, 0)
    made.lanes[0].transit(datagram(), 0)
    made.carry(datagram(), 0, 0)
    made.carry(datagram(), 1, 5)
    assert told.lines == [
        (1, "a", "b", 0, 120_000, ""),
        (2, "a", "b", 0, NEVER, "queue-full"),
        (3, "b", "a", 5, 120_005, ""),
    ]


# Units --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bps"),
    [("100 Mbit/s", 100_000_000), ("1.5Mbit/s", 1_500_000), ("10 Gbit/s", 10**10), ("9600 bit/s", 9600), (5, 5)],
)
def test_rates(text, bps):
    assert rate_bps(text) == bps


def test_no_rate_is_no_limit():
    assert rate_bps(None) == 0


@pytest.mark.parametrize("text", ["100", "100 mbit/s", "fast", "-1 Mbit/s", "0 Mbit/s", "1e6 bit/s", 0, -5, ""])
def test_what_is_no_rate_says_what_is_one(text):
    with pytest.raises(MisuseError, match="bit/s"):
        rate_bps(text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (100, (100, -1)),
        ("100 packets", (100, -1)),
        ("1 packet", (1, -1)),
        ("64 KiB", (-1, 65536)),
        ("150kB", (-1, 150_000)),
    ],
)
def test_queues(text, limit):
    assert queue_limit(text) == limit


@pytest.mark.parametrize("text", [-1, "64", "64 kb", "many packets", "seconds"])
def test_what_is_no_queue_says_what_is_one(text):
    with pytest.raises(MisuseError, match="queue"):
        queue_limit(text)


@pytest.mark.parametrize(
    ("text", "parts"), [("5%", ONE // 20), (0.5, ONE // 2), ("100%", ONE), (0, 0), ("0.1%", ONE // 1000)]
)
def test_probabilities(text, parts):
    assert share(text) == parts


@pytest.mark.parametrize("text", ["5", "101%", "-1%", 1.5, -0.1])
def test_what_is_no_probability_says_what_is_one(text):
    with pytest.raises((MisuseError, ValueError), match="probability"):
        share(text)
