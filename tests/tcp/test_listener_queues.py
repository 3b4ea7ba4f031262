"""Room in the two queues, and the SYN-ACK timer. What Linux 6.18 does was measured."""

from __future__ import annotations

import pytest

from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.half_open import HalfOpen
from netglass.tcp.state import ESTABLISHED
from netglass.tcp.syn_queue import SynQueue
from netglass.times import MILLISECOND, MINUTE, NEVER, SECOND
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpSegment
from tests.tcp.listening import CLIENT, MSS, RICH, SERVER, Port, Told, without_cookies

# -- how many


@pytest.mark.parametrize("backlog", [0, 1, 5, 8])
def test_the_syn_queue_holds_backlog_and_one(backlog: int) -> None:
    port = Port(backlog, without_cookies())
    for peer in range(1000, 1000 + backlog + 1):
        port.syn(peer)
    port.inject(SYN, 2000, options=MSS)
    port.expect_nothing()
    assert port.listener.drop_reason == "syn-queue-full"
    assert port.half_open == backlog + 1


@pytest.mark.parametrize("backlog", [0, 1, 5])
def test_the_accept_queue_holds_backlog_and_one(backlog: int) -> None:
    port = Port(backlog)
    for peer in range(1000, 1000 + backlog + 1):
        port.connected(peer)
    port.inject(SYN, 2000, options=MSS)
    port.expect_nothing()
    assert port.listener.drop_reason == "accept-queue-full"
    port.listener.accept(port.now)
    port.connected(2001)


@pytest.mark.parametrize("syncookies", [0, 1, 2])
def test_a_full_accept_queue_drops_syns_with_cookies_and_without(syncookies: int) -> None:
    port = Port(0)
    port.connected(1000)
    port.config.syncookies = syncookies
    port.inject(SYN, 1001, options=MSS)
    port.expect_nothing()
    assert port.count("accept-queue-full") == 1


def test_a_limit_of_its_own_overrides_the_backlog() -> None:
    config = without_cookies()
    config.syn_queue_limit = 3
    port = Port(100, config)
    for peer in (1000, 1001, 1002):
        port.syn(peer)
    port.inject(SYN, 1003, options=MSS)
    port.expect_nothing()
    assert port.listener.drop_reason == "syn-queue-full"


def test_an_entry_that_ends_makes_room() -> None:
    port = Port(0, without_cookies())
    port.syn(1000)
    port.inject(RST, 1000, seq=1)
    port.syn(1001)
    port.wait("200s")
    port.sent.clear()
    port.syn(1002)


# -- a full accept queue and the third segment


def overflowing(config: TcpConfig | None = None, settings: TcpSettings | None = None) -> tuple[Port, int]:
    """The peer on 1001 is half-open, and the one place in the accept queue is taken."""
    port = Port(1, config, settings)
    iss = port.syn(1001)
    port.connected(1002)
    port.connected(1003)
    return port, iss


def test_a_third_segment_without_room_is_ignored_and_asked_for_again() -> None:
    port, iss = overflowing()
    assert port.inject(ACK, 1001, seq=1, ack=iss + 1) is None
    port.expect_nothing()
    assert port.listener.drop_reason == "accept-queue-full"
    assert port.half_open == 1
    # The peer believes that it is connected; on the wire the SYN-ACK comes again.
    port.wait("1s")
    port.expect(SYN | ACK, 1001, seq=iss)
    port.listener.accept(port.now)
    child = port.inject(ACK, 1001, seq=1, ack=iss + 1)
    assert child is not None
    assert child.tcb.state is ESTABLISHED


def test_data_without_room_is_ignored_too() -> None:
    port, iss = overflowing()
    assert port.inject(ACK | PSH, 1001, seq=1, ack=iss + 1, data=b"hello") is None
    port.expect_nothing()
    port.listener.accept(port.now)
    child = port.inject(ACK | PSH, 1001, seq=1, ack=iss + 1, data=b"hello")
    assert child is not None
    assert child.receive(100, port.now) == b"hello"


def test_an_ignored_third_segment_does_not_prolong_the_wait() -> None:
    port, iss = overflowing()
    start = port.now
    port.inject(ACK, 1001, seq=1, ack=iss + 1)
    assert port.syn_ack_times(1001, start) == [1, 3, 7, 15, 31]
    assert port.now - start == 63 * SECOND
    assert port.half_open == 0
    port.inject(ACK, 1001, seq=1, ack=iss + 1)
    port.expect(RST, 1001, seq=iss + 1)


def test_abort_on_overflow_says_so() -> None:
    config = TcpConfig()
    config.abort_on_overflow = True
    port, iss = overflowing(config)
    assert port.inject(ACK, 1001, seq=1, ack=iss + 1) is None
    port.expect(RST, 1001, seq=iss + 1)
    assert port.half_open == 0
    assert port.listener.drop_reason == "accept-queue-full"


# -- the SYN-ACK timer


def test_the_syn_ack_comes_again_after_1_2_4_8_and_16_seconds_and_then_no_more() -> None:
    told = Told()
    port = Port(told=told)
    start = port.now
    iss = port.syn(1000)
    assert port.listener.deadline == start + SECOND
    assert port.syn_ack_times(1000, start) == [1, 3, 7, 15, 31]
    assert port.now - start == 63 * SECOND
    assert port.half_open == 0
    assert port.count("syn-ack-timeout") == 1
    assert told.timers == [(1000, "syn-ack")] * 6
    assert told.states == [(1000, "LISTEN", "SYN-RECEIVED"), (1000, "SYN-RECEIVED", "CLOSED")]
    assert told.queues == [(1, 0), (0, 0)]
    port.inject(ACK, 1000, seq=1, ack=iss + 1)
    port.expect(RST, 1000, seq=iss + 1)


@pytest.mark.parametrize(("count", "times", "end"), [(1, [1], 3), (2, [1, 3], 7), (6, [1, 3, 7, 15, 31, 63], 127)])
def test_tcp_syncnt_limits_the_retries_of_one_listener(count: int, times: list[int], end: int) -> None:
    settings = TcpSettings()
    settings.syn_count = count
    port = Port(settings=settings)
    start = port.now
    port.syn(1000)
    assert port.syn_ack_times(1000, start) == times
    assert port.now - start == end * SECOND


def test_the_host_can_wait_less() -> None:
    config = TcpConfig()
    config.synack_retries = 0
    config.syn_ack_rto = 200 * MILLISECOND
    port = Port(config=config)
    port.syn(1000)
    port.wait("200ms")
    port.expect_nothing()
    assert port.half_open == 0


def test_the_timeout_stops_doubling_at_the_most() -> None:
    config = TcpConfig()
    config.synack_retries = 9
    port = Port(config=config)
    start = port.now
    port.syn(1000)
    assert port.syn_ack_times(1000, start) == [1, 3, 7, 15, 31, 63, 127, 247, 367]
    assert config.rto_max == 2 * MINUTE


def test_a_repeated_syn_starts_the_timer_anew() -> None:
    port = Port()
    start = port.now
    port.syn(1000)
    port.wait("900ms")
    port.inject(SYN, 1000, options=MSS)
    port.expect(SYN | ACK)
    assert port.listener.deadline == start + 1900 * MILLISECOND
    port.wait("999ms")
    port.expect_nothing()
    port.wait("1ms")
    port.expect(SYN | ACK)


def give_up_times(port: Port, start: int) -> dict[int, int]:
    """When each entry was dropped, in seconds."""
    waiting = {peer for _, peer, _ in port.listener.half_open}
    gone = {}
    while (due := port.listener.deadline) < NEVER:
        port.now = due
        port.listener.handle_timeout(due)
        for peer in waiting - {each for _, each, _ in port.listener.half_open}:
            gone[peer] = (due - start) // SECOND
        waiting = {peer for _, peer, _ in port.listener.half_open}
    return gone


@pytest.mark.parametrize(("backlog", "entries", "early"), [(8, 4, 0), (8, 5, 1), (20, 10, 0), (20, 12, 2)])
def test_above_half_full_old_entries_go_early(backlog: int, entries: int, early: int) -> None:
    # As Linux 6.18 does: at 7 s, after two retries, one entry after the other goes until the queue is half full again.
    port = Port(backlog, without_cookies())
    start = port.now
    for peer in range(1000, 1000 + entries):
        port.syn(peer)
    gone = give_up_times(port, start)
    assert list(gone.values()).count(7) == early
    assert list(gone.values()).count(63) == entries - early


def test_young_entries_shield_the_old_ones() -> None:
    # One old entry among many that came just now: the queue is not being clogged, so it keeps its retries.
    port = Port(8, without_cookies())
    port.syn(1000)
    port.wait("6900ms")
    port.sent.clear()
    for peer in range(1001, 1008):
        port.syn(peer)
    port.wait("100ms")
    assert port.half_open == 8
    port.expect(SYN | ACK, 1000)


@pytest.mark.parametrize(("young", "gone"), [(2, 1), (3, 1), (4, 0)])
def test_how_many_are_young_decides_how_many_retries_the_old_ones_keep(young: int, gone: int) -> None:
    # At 15 s the 9 old entries have had three retries. With 2 young among 11, and with 3 among 12, three are enough,
    # until one entry has gone; with 4 among 13 the limit is four.
    port = Port(20, without_cookies())
    for peer in range(1000, 1009):
        port.syn(peer)
    port.wait("14500ms")
    port.sent.clear()
    for peer in range(2000, 2000 + young):
        port.syn(peer)
    port.wait("600ms")
    assert port.count("syn-ack-timeout") == gone


def test_entries_time_out_each_at_its_own_time() -> None:
    port = Port(100)
    start = port.now
    for peer in range(1000, 1010):
        port.syn(peer)
        port.wait("10ms")
    port.wait("20s")
    assert [s.destination_port for s in port.sent[:10]] == list(range(1000, 1010))
    assert port.listener.deadline == start + 31 * SECOND


# -- TCP_DEFER_ACCEPT


def deferring(seconds: int) -> tuple[Port, int, int]:
    settings = TcpSettings()
    settings.defer_accept = seconds * SECOND
    port = Port(settings=settings)
    start = port.now
    iss = port.syn(1000)
    return port, iss, start


def test_defer_accept_waits_for_data() -> None:
    port, iss, _ = deferring(3)
    assert port.inject(ACK, 1000, seq=1, ack=iss + 1) is None
    port.expect_nothing()
    assert port.listener.drop_reason == "defer-accept"
    assert port.listener.readiness() == 0
    child = port.inject(ACK | PSH, 1000, seq=1, ack=iss + 1, data=b"GET /")
    assert child is not None
    assert child.receive(100, port.now) == b"GET /"


def test_a_fin_is_worth_as_much_as_data() -> None:
    port, iss, _ = deferring(3)
    assert port.inject(ACK | FIN, 1000, seq=1, ack=iss + 1) is not None


def test_defer_accept_is_quiet_and_gives_a_last_chance() -> None:
    # 3 s are two expiries of the timer, after 1 and 2 s: the second one asks again, and then an ACK alone is enough.
    port, iss, start = deferring(3)
    port.inject(ACK, 1000, seq=1, ack=iss + 1)
    port.wait("2999ms")
    port.expect_nothing()
    port.wait("1ms")
    assert port.now == start + 3 * SECOND
    port.expect(SYN | ACK, 1000, seq=iss)
    assert port.inject(ACK, 1000, seq=1, ack=iss + 1) is not None


@pytest.mark.parametrize(("seconds", "chance"), [(1, 1), (2, 3), (3, 3), (4, 7), (10, 15)])
def test_defer_accept_is_counted_in_expiries_of_the_timer(seconds: int, chance: int) -> None:
    port, iss, start = deferring(seconds)
    port.inject(ACK, 1000, seq=1, ack=iss + 1)
    assert port.syn_ack_times(1000, start)[0] == chance


def test_timestamps_of_a_deferred_ack_are_remembered() -> None:
    settings = TcpSettings()
    settings.defer_accept = 3 * SECOND
    port = Port(settings=settings)
    iss = port.syn(1000, RICH, ts=(700, 0))
    port.inject(ACK, 1000, seq=1, ack=iss + 1, ts=(710, 0))
    assert port.inject(ACK, 1000, seq=1, ack=iss + 1, data=b"old", ts=(705, 0)) is None
    assert port.listener.drop_reason == "paws"


def test_without_the_ack_defer_accept_changes_nothing() -> None:
    port, _, start = deferring(3)
    assert port.syn_ack_times(1000, start) == [1, 3, 7, 15, 31]


def test_defer_accept_outlives_the_retries() -> None:
    settings = TcpSettings()
    settings.defer_accept = 60 * SECOND
    settings.syn_count = 1
    port = Port(settings=settings)
    start = port.now
    iss = port.syn(1000)
    port.inject(ACK, 1000, seq=1, ack=iss + 1)
    # 60 s are six expiries: 1, 3, 7, 15, 31, 63 s. The last of them, at 63 s, asks once more; then one more timeout.
    assert port.syn_ack_times(1000, start) == [63]
    assert port.now - start == 127 * SECOND


# -- switches of the lab


def test_recycling_drops_the_oldest_entry() -> None:
    told = Told()
    config = TcpConfig()
    config.recycle_half_open = True
    port = Port(1, config, told=told)
    for peer in (1000, 1001, 1002):
        port.syn(peer)
    assert [peer for _, peer, _ in port.listener.half_open] == [1001, 1002]
    assert port.count("half-open-recycled") == 1
    assert (1000, "SYN-RECEIVED", "CLOSED") in told.states
    assert max(half_open for half_open, _ in told.queues) == 2


def test_a_two_way_handshake_makes_a_connection_of_any_syn() -> None:
    told = Told()
    config = TcpConfig()
    config.handshake_ack_required = False
    port = Port(0, config, told=told)
    ghost = port.inject(SYN, 1000, seq=0, options=MSS)
    port.expect(SYN | ACK, 1000, ack=1)
    assert ghost is not None
    assert ghost.tcb.state is ESTABLISHED
    assert told.states == [(1000, "LISTEN", "SYN-RECEIVED"), (1000, "SYN-RECEIVED", "ESTABLISHED")]
    assert port.listener.accept(port.now) is ghost
    assert ghost.send(b"to nobody", port.now) == 9
    segment = ghost.poll_segment(port.now)
    assert segment is not None
    assert segment.length == 9


def test_two_way_handshakes_fill_the_accept_queue() -> None:
    config = TcpConfig()
    config.handshake_ack_required = False
    port = Port(0, config)
    port.inject(SYN, 1000, options=MSS)
    port.sent.clear()
    assert port.inject(SYN, 1001, options=MSS) is None
    port.expect_nothing()
    assert port.listener.drop_reason == "accept-queue-full"


def test_a_syn_after_time_wait_starts_where_the_host_says() -> None:
    port = Port()
    syn = TcpSegment(1000, 80, 5, 0, SYN, 65535)
    port.listener.receive_segment(syn, CLIENT, SERVER, 1500, 0, port.now, iss=2**32 + 17)
    port.drain()
    port.expect(SYN | ACK, 1000, seq=17, ack=6)


def test_entries_that_left_are_not_kept_for_their_timers() -> None:
    queue = SynQueue()
    for number in range(10_000):
        entry = HalfOpen((CLIENT, number, SERVER), 0, 0, 0)
        queue.add(entry, SECOND + number)
        if len(queue.entries) > 10:
            queue.remove(queue.oldest())
    assert len(queue._timers) < 200
    assert queue.deadline == queue.oldest().expires == SECOND + 9_990


def test_the_queue_knows_how_many_are_young() -> None:
    queue = SynQueue()
    entries = [HalfOpen((CLIENT, number, SERVER), 0, 0, 0) for number in range(4)]
    for entry in entries:
        queue.add(entry, SECOND)
    queue.expire(entries[0], 3 * SECOND)
    queue.expire(entries[0], 7 * SECOND)
    queue.expire(entries[1], 3 * SECOND)
    assert queue.young == 2
    queue.remove(entries[0])
    assert queue.young == 2
    queue.remove(entries[2])
    assert queue.young == 1
