"""Faults: what becomes of the packets of a conversation, and that a fault disturbs nothing but what it hits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from netglass.errors import MisuseError, WireError
from netglass.lab.segments import forge
from netglass.network import faults, match
from netglass.network.cable import Cable, Item, Tally
from netglass.network.fault import PASS, Fault, Verdict
from netglass.network.faults import (
    blackhole,
    burst_loss,
    corrupt,
    corruption,
    delay,
    drop,
    duplicate,
    duplication,
    loss,
    reorder,
    reset,
)
from netglass.network.match import ALL, data, fin, syn, syn_ack, third_ack
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.times import MILLISECOND, NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes
from netglass.wire.tcp import ACK, RST, TcpSegment

CLIENT = "10.0.0.1"
SERVER = "10.0.0.2"
NAMES = {parse(CLIENT): "client", parse(SERVER): "server"}
TRIP = 10 * MILLISECOND


def up(flags: str, seq: int = 0, ack: int = 0, text: bytes = b"", port: int = 4000) -> IpPacket:
    """From the client."""
    return forge(CLIENT, port, SERVER, 80, flags, seq, ack, data=text)


def down(flags: str, seq: int = 0, ack: int = 0, text: bytes = b"", port: int = 4000) -> IpPacket:
    """From the server."""
    return forge(SERVER, 80, CLIENT, port, flags, seq, ack, data=text)


def conversation(port: int = 4000) -> list[IpPacket]:
    return [
        up("S", 100, port=port),
        down("SA", 900, 101, port=port),
        up("A", 101, 901, port=port),
        up("PA", 101, 901, b"request", port=port),
        down("PA", 901, 108, b"response", port=port),
        up("A", 108, 909, port=port),
        up("FA", 108, 909, port=port),
        down("FA", 909, 109, port=port),
        up("A", 109, 910, port=port),
    ]


class Told(Probe):
    def __init__(self):
        self.lines = []

    def carried(self, link, source, destination, number, packet, frame, sent, arrives, note):
        self.lines.append((source, destination, sent, arrives, note))


def cable(*wanted: Fault, seed: int = 1, told: Told | None = None) -> Cable:
    tally = Tally()
    tally.probe = told
    made = Cable("client-server", "client", "server", tally, Rng(seed), NAMES)
    made.set_delay(TRIP)
    for fault in wanted:
        made.add_fault(fault)
    return made


def direction(packet: IpPacket) -> int:
    return 0 if packet.source == parse(CLIENT) else 1


def lost(made: Cable, packets: list[IpPacket], step: int = SECOND) -> list[int]:
    """The places in `packets` of those that never arrived."""
    return [n for n, packet in enumerate(packets) if not made.carry(packet, direction(packet), n * step)]


# Exact faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matcher", "place"),
    [
        (match.anything, 0),
        (syn, 0),
        (syn_ack, 1),
        (third_ack, 2),
        (match.pure_ack, 2),
        (data, 3),
        (data.from_("server"), 4),
        (data.to(CLIENT), 4),
        (fin, 6),
        (fin & match.from_("server"), 7),
        (match.segment(6), 5),
        (~(syn | third_ack), 1),
        (match.payload(b"spons"), 4),
        (match.after_bytes(6), 3),
        (match.after_bytes(7), 4),
        (match.port(80), 0),
        (match.tcp, 0),
        (match.where(lambda packet: packet.size == 40 + 7), 3),
    ],
)
def test_drop_hits_the_named_packet_and_no_other(matcher, place):
    assert lost(cable(drop(matcher)), conversation()) == [place]


def test_drop_counts_over_all_flows():
    packets = [*conversation(4000), *conversation(4001), *conversation(4002)]
    assert lost(cable(drop(syn)), packets) == [0]
    assert lost(cable(drop(syn, nth=2)), packets) == [9]
    assert lost(cable(drop(syn, nth=2, times=2)), packets) == [9, 18]
    assert lost(cable(drop(syn, times=ALL)), packets) == [0, 9, 18]


def test_segments_are_counted_in_each_flow():
    packets = [*conversation(4000), *conversation(4001)]
    assert lost(cable(drop(match.segment(2), times=ALL)), packets) == [1, 10]


def test_the_third_ack_may_carry_data():
    packets = [up("S", 100), down("SA", 900, 101), up("PA", 101, 901, b"hello")]
    assert lost(cable(drop(third_ack)), packets) == [2]


def test_there_is_one_third_ack_to_each_syn_ack():
    again = [
        up("S", 100),
        down("SA", 900, 101),
        up("A", 101, 901),
        down("SA", 900, 101),
        up("A", 101, 901),
        up("A", 101, 901),
    ]
    assert lost(cable(drop(third_ack, times=ALL)), again) == [2, 4]


def test_a_new_connection_on_the_same_ports_has_a_third_ack_of_its_own():
    packets = [*conversation(), up("S", 5000), down("SA", 7000, 5001), up("A", 5001, 7001)]
    assert lost(cable(drop(third_ack, times=ALL)), packets) == [2, 11]


def test_a_reset_instead_of_a_third_ack_is_none():
    packets = [up("S", 100), down("SA", 900, 101), up("RA", 101, 901)]
    assert lost(cable(drop(third_ack)), packets) == []


def test_icmp_and_udp_are_told_apart():
    # Nothing of a TCP conversation is one of them.
    assert lost(cable(drop(match.udp), drop(match.icmp)), conversation()) == []


def test_a_lost_packet_is_told_with_the_name_of_the_fault():
    told = Told()
    made = cable(drop(third_ack), told=told)
    lost(made, conversation()[:3])
    assert told.lines[1:] == [
        ("server", "client", SECOND, SECOND + TRIP, ""),
        ("client", "server", 2 * SECOND, NEVER, "drop third ACK"),
    ]
    assert made.lanes[0].counters.counts == {"drop third ACK": 1}


def test_duplicates_arrive_right_after_and_are_told_as_transmissions():
    told = Told()
    packet = up("S")
    assert cable(duplicate(syn, copies=2), told=told).carry(packet, 0, 0) == [(TRIP, 1, packet)] * 3
    assert told.lines == [("client", "server", 0, TRIP, "duplicate SYN")] * 3


def test_a_delayed_packet_is_overtaken():
    made = cable(delay(data, by="1 s"))
    request, ack = up("PA", 101, 901, b"request"), up("A", 108, 901)
    assert made.carry(request, 0, 0) == [(SECOND + TRIP, 1, request)]
    assert made.carry(ack, 0, 1) == [(TRIP + 1, 1, ack)]


def test_corruption_flips_the_bit_that_was_asked_for():
    packet = up("PA", 101, 901, b"request")
    [(when, end, frame)] = cable(corrupt(data, bit=8 * 40 + 7)).carry(packet, 0, 0)
    assert (when, end) == (TRIP, 1)
    assert isinstance(frame, bytes)
    assert frame == packet_bytes(packet).replace(b"request", b"sequest")
    with pytest.raises(WireError, match="tcp-checksum"):
        decode_packet(frame)


def test_corruption_without_a_bit_flips_one_that_the_seed_draws():
    packet = up("PA", 101, 901, b"request")
    frames = {cable(corrupt(data), seed=seed).carry(packet, 0, 0)[0][2] for seed in range(10)}
    assert len(frames) > 5
    plain = int.from_bytes(packet_bytes(packet), "big")
    for frame in frames:
        assert isinstance(frame, bytes)
        assert (int.from_bytes(frame, "big") ^ plain).bit_count() == 1


def test_a_bit_beyond_the_packet_is_a_mistake():
    with pytest.raises(MisuseError, match="bits 0 to 319"):
        cable(corrupt(syn, bit=320)).carry(up("S"), 0, 0)


def test_a_reset_goes_to_both_ends():
    told = Told()
    made = cable(reset(after_bytes=7), told=told)
    *before, response = conversation()[:5]
    assert lost(made, before) == []
    (first, second) = made.carry(response, 1, SECOND)
    assert (first[:2], second[:2]) == ((SECOND + TRIP, 0), (SECOND + 2 * TRIP, 1))
    assert reset_in(first[2]) == (SERVER, CLIENT, 80, 4000, 901, 108, RST | ACK)
    assert reset_in(second[2]) == (CLIENT, SERVER, 4000, 80, 108, 0, RST)
    assert [line[0] for line in told.lines[4:]] == ["server", "client"]


def test_a_syn_that_is_reset_looks_refused():
    [(when, end, answer)] = cable(reset(syn)).carry(up("S", 100), 0, 0)
    assert (when, end) == (2 * TRIP, 0)
    assert reset_in(answer) == (SERVER, CLIENT, 80, 4000, 0, 101, RST | ACK)


def reset_in(item: Item) -> tuple[str, str, int, int, int, int, int]:
    assert isinstance(item, IpPacket)
    segment = item.payload
    assert isinstance(segment, TcpSegment)
    ends = {parse(CLIENT): CLIENT, parse(SERVER): SERVER}
    return (
        ends[item.source],
        ends[item.destination],
        segment.source_port,
        segment.destination_port,
        segment.seq,
        segment.ack,
        segment.flags,
    )


def test_a_blackhole_swallows_everything_for_a_time():
    assert lost(cable(blackhole(from_="2 s", to="4 s")), conversation()) == [2, 3]
    assert lost(cable(blackhole(from_="2 s", only=data)), conversation()) == [3, 4]
    assert lost(cable(blackhole()), conversation()) == list(range(9))


# Random faults ------------------------------------------------------------------------------------------------------

MANY = [up("PA", 1000 * n, 1, b"data") for n in range(4000)]


def test_loss_loses_its_share():
    assert 150 < len(lost(cable(loss("5%")), MANY)) < 250
    assert lost(cable(loss(0)), MANY) == []
    assert len(lost(cable(loss(1.0)), MANY)) == 4000


def test_loss_may_be_limited_to_some_packets():
    assert lost(cable(loss("100%", only=data)), conversation()) == [3, 4]


def test_the_seed_decides_what_is_lost():
    assert lost(cable(loss("5%"), seed=1), MANY) == lost(cable(loss("5%"), seed=1), MANY)
    assert lost(cable(loss("5%"), seed=1), MANY) != lost(cable(loss("5%"), seed=2), MANY)


def test_burst_loss_comes_in_bursts():
    gone = lost(cable(burst_loss(bad="1%", recover="10%")), MANY)
    bursts = 1 + sum(1 for before, after in pairwise(gone) if after != before + 1)
    assert 200 < len(gone) < 600
    assert 5 < len(gone) / bursts < 20  # ten packets on average


def test_a_burst_in_one_direction_is_none_in_the_other():
    made = cable(burst_loss(bad="100%", recover=0))
    assert made.carry(up("A"), 0, 0) == []
    # Had the directions one state, this one would be the second packet of it.
    other = cable(burst_loss(bad="100%", recover="100%"))
    assert other.carry(up("A"), 0, 0) == []
    assert other.carry(down("A"), 1, 0) == []


def test_reorder_lets_some_be_overtaken():
    made = cable(reorder("10%", by="3 ms"))
    times = [made.carry(packet, 0, n * MILLISECOND)[0][0] for n, packet in enumerate(MANY)]
    late = [n for n, when in enumerate(times) if when == n * MILLISECOND + TRIP + 3 * MILLISECOND]
    assert 300 < len(late) < 500
    assert len(late) + sum(1 for n, when in enumerate(times) if when == n * MILLISECOND + TRIP) == 4000


def test_duplication_doubles_some():
    made = cable(duplication("10%"))
    assert 4300 < sum(len(made.carry(packet, 0, 0)) for packet in MANY) < 4500


def test_corruption_turns_some_into_bytes():
    made = cable(corruption("10%"))
    frames = [made.carry(packet, 0, 0)[0][2] for packet in MANY]
    assert 300 < sum(isinstance(frame, bytes) for frame in frames) < 500


# What a fault must not disturb --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "idle",
    [
        lambda: drop(match.udp),
        lambda: loss(0),
        lambda: loss("50%", only=match.icmp),
        lambda: reorder(0, by="1 s"),
        lambda: burst_loss(0, 0),
        lambda: blackhole(from_="2 h"),
        lambda: corruption(0),
    ],
)
def test_a_fault_that_never_fires_changes_nothing(idle):
    alone = lost(cable(loss("5%"), delay(data, by=5, nth=7)), MANY)
    assert lost(cable(idle(), loss("5%"), delay(data, by=5, nth=7)), MANY) == alone
    assert lost(cable(loss("5%"), idle(), delay(data, by=5, nth=7)), MANY) == alone


def test_two_faults_of_one_kind_draw_apart():
    once = len(lost(cable(loss("50%")), MANY))
    twice = len(lost(cable(loss("50%"), loss("50%")), MANY))
    assert 1900 < once < 2100
    assert 2850 < twice < 3150


def test_the_other_direction_draws_apart():
    made = cable(loss("50%"))
    there = [bool(made.carry(up("A", n), 0, 0)) for n in range(100)]
    back = [bool(made.carry(down("A", n), 1, 0)) for n in range(100)]
    assert there != back


def test_verdicts_add_up():
    made = cable(delay(syn, by="1 s"), delay(syn, by="2 s"), duplicate(syn))
    assert [when for when, _, _ in made.carry(up("S"), 0, 0)] == [3 * SECOND + TRIP] * 2


def test_a_fault_behind_a_drop_does_not_see_the_packet():
    second = drop(syn)
    made = cable(drop(syn), second)
    assert lost(made, [up("S"), up("S"), up("S")]) == [0, 1]
    assert second.fired == 1


def test_a_fault_can_be_taken_away():
    fault = loss("100%")
    made = cable(fault)
    assert made.carry(up("S"), 0, 0) == []
    made.remove_fault(fault)
    assert len(made.carry(up("S"), 0, 0)) == 1
    assert made.lanes[0].plain


def test_a_fault_with_a_memory_for_each_direction_is_taken_from_both():
    fault = burst_loss("100%", 0)
    made = cable(fault)
    made.remove_fault(fault)
    assert lost(made, conversation()) == []


def test_a_fault_of_the_users_own():
    class Rewrite(Fault):
        def __init__(self):
            super().__init__("rewrite")

        def judge(self, packet, now, rng):
            return Verdict(packet=up("R")) if packet.source == parse(CLIENT) else PASS

    made = cable(Rewrite())
    [(_, _, item)] = made.carry(up("S"), 0, 0)
    assert isinstance(item, IpPacket)
    assert isinstance(item.payload, TcpSegment)
    assert item.payload.flags == RST
    back = down("SA")
    assert made.carry(back, 1, 0) == [(TRIP, 0, back)]


# Mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: drop(syn, nth=0),
        lambda: drop(syn, times=0),
        lambda: duplicate(syn, copies=0),
        lambda: corrupt(syn, bit=-2),
        lambda: blackhole(from_="2 s", to="1 s"),
        lambda: match.segment(0),
        lambda: loss("150%"),
    ],
)
def test_mistakes_are_told(wrong):
    with pytest.raises(MisuseError):
        wrong()


def test_a_fault_counts_for_one_network():
    fault = drop(syn)
    cable(fault)
    other = Cable("a-b", "a", "b", Tally(), Rng(1), {})
    with pytest.raises(MisuseError, match="another network"):
        other.add_fault(fault)


def test_every_fault_says_its_name():
    assert [
        fault.name for fault in (drop(third_ack), delay(fin.from_("client"), by="2 s"), loss("5%"), loss(0.05))
    ] == [
        "drop third ACK",
        "delay 2 s FIN from client",
        "loss 5%",
        "loss 0.05",
    ]
    assert faults.reset(after_bytes=1000).name == "reset after 1000 bytes"


@pytest.mark.parametrize("make", [faults.drop, faults.duplicate, faults.corrupt, faults.reset])
def test_a_fault_wants_a_matcher(make):
    with pytest.raises((MisuseError, TypeError), match=r"netglass\.match|object expected"):
        make("syn")


@pytest.mark.parametrize("module", [faults, match])
def test_what_may_be_named_is_listed(module):
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert "ALL" in module.__all__
    assert not {"Final", "annotations", "MisuseError"} & set(dir(module))
