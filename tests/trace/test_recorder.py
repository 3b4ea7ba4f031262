"""The recorder keeps what it was told and answers from it."""

from __future__ import annotations

import pytest

from netglass import MILLISECOND, SECOND, MisuseError, faults, match
from netglass.trace import Recorder
from netglass.wire.tcp import ACK
from tests.trace.scenes import FLOW, Play, conversation, corrupted, handshake, two_losses


def test_states_of_both_ends():
    trace = handshake()
    assert trace.states("client") == ["CLOSED", "SYN-SENT", "ESTABLISHED"]
    assert trace.states("server") == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
    assert trace.states("nobody") == []
    assert trace.hosts() == ["client", "server"]


def test_state_at_a_time():
    trace = handshake()
    assert trace.state_at("server", 10 * MILLISECOND - 1) == "LISTEN"
    assert trace.state_at("server", 10 * MILLISECOND) == "SYN-RECEIVED"
    assert trace.state_at("server", SECOND) == "ESTABLISHED"


def test_states_of_several_connections_need_a_flow():
    trace = handshake()
    trace.state_changed("client", (b"\x0a\x00\x00\x01", 40001, b"\x0a\x00\x00\x02", 80), "CLOSED", "SYN-SENT", 0)
    with pytest.raises(MisuseError, match=r"'client' had 2 connections; say which"):
        trace.states("client")
    assert trace.states("client", FLOW) == ["CLOSED", "SYN-SENT", "ESTABLISHED"]
    assert trace.states("server", FLOW) == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]  # either end's name will do


@pytest.mark.parametrize(
    ("flags", "count"), [("S", 1), ("SA", 1), ("S.", 1), ("A", 1), (".", 1), ("FA", 0), ("R", 0), ("AP", 0)]
)
def test_packets_by_flags(flags, count):
    assert len(handshake().sent(flags=flags)) == count


def test_push_only_counts_if_it_is_named():
    trace = conversation()
    assert len(trace.sent("client", "A")) > len(trace.sent("client", "PA")) == 1


def test_an_unknown_flag_is_refused():
    with pytest.raises(MisuseError, match="'X' in 'SX' is no TCP flag"):
        handshake().sent(flags="SX")


def test_times_and_gaps():
    trace = two_losses()
    assert trace.times("client", "FA") == [0, 200 * MILLISECOND, 400 * MILLISECOND]
    assert trace.gaps("client", "FA") == [200 * MILLISECOND] * 2
    assert [each.time for each in trace.timers("client", "retransmission")] == [200 * MILLISECOND, 400 * MILLISECOND]


def test_losses_and_retransmissions():
    trace = two_losses()
    assert [each.note for each in trace.losses()] == ["drop FIN"] * 2
    assert len(trace.losses("drop FIN")) == 2
    assert trace.losses("another") == []
    assert [each.time for each in trace.retransmissions("client")] == [200 * MILLISECOND, 400 * MILLISECOND]
    assert trace.retransmissions("server") == []


def test_sequence_numbers_are_relative_and_wrap():
    play = Play(handshake())
    packet = play.packet("server", ACK, 1, 1, length=100)
    later = play.packet("server", ACK, 101, 1, length=100)
    play.leave("server", packet)
    play.leave("server", later)
    seen = [(each.seq, each.ack, each.length) for each in play.trace.transmissions()]
    assert seen == [(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 100), (101, 1, 100)]
    assert play.trace.retransmissions() == []


def test_a_transmission_knows_both_ends():
    first, second, _ = handshake().transmissions()
    assert first.tcb_before is not None
    assert first.tcb_before.state == "SYN-SENT"
    assert second.tcb_after is not None
    assert second.tcb_after.state == "ESTABLISHED"
    assert (first.source, first.destination, first.sent, first.arrives) == ("client", "server", 0, 10 * MILLISECOND)


def test_what_a_host_dropped():
    trace = corrupted()
    assert trace.drop_counts("server") == {"tcp-checksum": 1}
    assert [each.time for each in trace.drops(reason="tcp-checksum")] == [10 * MILLISECOND]
    assert trace.transmissions()[0].drops == ["tcp-checksum"]
    assert trace.received("server") == []


def test_a_duplicate_is_a_copy_and_no_retransmission():
    trace = conversation(faults.duplicate(match.syn))
    first, second = trace.transmissions("client", "server", "S")
    assert (first.copy, second.copy) == (False, True)
    assert trace.retransmissions("client") == []
    assert all(each.arrival_order > 0 for each in (first, second))


def test_a_segment_over_two_cables_is_counted_once():
    trace = conversation(faults.drop(match.syn), router=True)
    syns = trace.transmissions(flags="S")
    assert [(each.source, each.destination, each.lost) for each in syns] == [
        ("client", "router", True),
        ("client", "router", False),
        ("router", "server", False),
    ]
    assert syns[2].previous is syns[1]
    assert [each.retransmission for each in syns] == [False, True, True]
    assert len(trace.retransmissions()) == 1


@pytest.mark.parametrize("serialise", [False, True])
def test_objects_and_bytes_on_the_way_are_told_alike(serialise):
    trace = conversation(faults.duplicate(match.data), faults.drop(match.third_ack), router=True, serialise=serialise)
    told = [
        (each.seq, each.ack, each.window, each.lost, each.copy, each.retransmission, each.previous is None)
        for each in trace.transmissions()
    ]
    plain = conversation(faults.duplicate(match.data), faults.drop(match.third_ack), router=True).transmissions()
    assert told == [
        (each.seq, each.ack, each.window, each.lost, each.copy, each.retransmission, each.previous is None)
        for each in plain
    ]
    assert all(each.arrival_order >= 0 for each in trace.transmissions() if not each.lost)


def test_windows_are_scaled():
    trace = conversation()
    assert trace.transmissions("client", flags="S")[0].window == 65535
    third = trace.transmissions("client", flags="A")[0]
    assert third.segment is not None
    assert third.window == third.segment.window << 7  # the lab's default shift


def test_a_bounded_recorder_forgets_and_says_so():
    trace = handshake(Recorder(limit=5))
    assert (trace.count, len(trace.events), trace.forgotten) == (18, 5, 13)
    (last,) = trace.transmissions()
    assert (last.source, last.sent_by, last.arrival_order) == ("client", None, 1)  # that it was sent is forgotten
    assert trace.states("server") == ["SYN-RECEIVED", "ESTABLISHED"]
    with pytest.raises(MisuseError, match="limit is the number of events to keep"):
        Recorder(limit=-1)


def test_queues_notes_and_snapshots():
    trace = handshake()
    trace.note("client", "browser", "done", SECOND)
    assert [(each.half_open, each.complete) for each in trace.queues("server", 80)] == [(1, 0), (0, 1)]
    assert trace.queues("server", 81) == []
    assert [each.text for each in trace.notes("client", "browser")] == ["done"]
    assert [(time, tcb.state) for time, tcb in trace.snapshots("client")] == [
        (0, "SYN-SENT"),
        (20 * MILLISECOND, "ESTABLISHED"),
    ]
