"""RFC 9293 §3.10.7, state by state, and what RFC 5961, 7323, 6191 and Linux add."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errnos import EAGAIN, ECONNREFUSED, ECONNRESET, EPIPE
from netglass.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpOptions
from tests.tcp.dialogue import (
    EVERY_STATE,
    MSS,
    Tcp,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    plain,
    syn_received,
    syn_sent,
    time_wait,
)

# -- SYN-SENT


def test_syn_ack_completes_the_handshake() -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(SYN | ACK, seq=4999, ack=1000, options=MSS)
    tcp.expect(ACK, seq=1000, ack=5000)
    assert tcp.state is ESTABLISHED


def test_wrong_ack_in_syn_sent_is_answered_with_a_reset_that_has_its_number() -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(SYN | ACK, seq=4999, ack=1001)
    tcp.expect(RST, seq=1001)
    assert tcp.state is SYN_SENT


def test_reset_with_the_right_ack_refuses() -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(RST | ACK, seq=0, ack=1000)
    tcp.expect_nothing()
    assert tcp.state is CLOSED
    assert tcp.receive() == -ECONNREFUSED


@pytest.mark.parametrize(("flags", "ack"), [(RST, 0), (RST | ACK, 999), (RST | ACK, 1001), (ACK, 1000), (FIN, 0)])
def test_others_leave_syn_sent_as_it_is(flags: int, ack: int) -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(flags, seq=5000, ack=ack)
    tcp.expect_nothing()
    assert tcp.state is SYN_SENT


def test_fin_beside_syn_ack_is_ignored() -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(SYN | FIN | ACK, seq=4999, ack=1000, options=MSS)
    tcp.expect(ACK, seq=1000, ack=5000)
    assert tcp.state is ESTABLISHED


def test_simultaneous_open() -> None:
    tcp = syn_sent(snd_nxt=1000)
    tcp.inject(SYN, seq=4999, options=MSS)
    tcp.expect(SYN | ACK, seq=999, ack=5000)
    assert tcp.state is SYN_RECEIVED
    tcp.inject(SYN | ACK, seq=4999, ack=1000, options=MSS)
    assert tcp.state is ESTABLISHED


def test_syn_is_retransmitted_doubling_and_then_given_up() -> None:
    tcp = syn_sent()
    waits = []
    while tcp.state is SYN_SENT:
        waits.append(tcp.wait_for_timer() // 1_000_000_000)
    assert waits == [1, 2, 4, 8, 16, 32, 64]
    assert len(tcp.sent) == 6


def test_linux_repeats_the_first_syns_each_second() -> None:
    config = plain()
    config.syn_linear_timeouts = 4
    tcp = syn_sent(config=config)
    waits = []
    while tcp.state is SYN_SENT:
        waits.append(tcp.wait_for_timer() // 1_000_000_000)
    assert waits == [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64]


# -- SYN-RECEIVED


def test_ack_completes_a_simultaneous_open() -> None:
    tcp = syn_received(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000)
    tcp.expect_nothing()
    assert tcp.state is ESTABLISHED


def test_wrong_ack_in_syn_received_is_reset() -> None:
    tcp = syn_received(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1001)
    tcp.expect(RST, seq=1001)
    assert tcp.state is SYN_RECEIVED


# -- first check: sequence numbers


@pytest.mark.parametrize("make", [established, fin_wait_1, fin_wait_2, close_wait, closing, last_ack])
@pytest.mark.parametrize("seq", [5000 + 65536 + 10000, 5000 - 70000])
def test_text_outside_the_window_is_answered_with_what_we_expect(make: Callable[..., Tcp], seq: int) -> None:
    tcp = make(snd_nxt=1000, rcv_nxt=5000)
    state = tcp.state
    tcp.inject(ACK, seq=seq, ack=1000 if state is ESTABLISHED else 999, data=b"x" * 10)
    tcp.expect(ACK, seq=1000, ack=5000)
    assert tcp.state is state


def test_text_ahead_of_a_gap_waits_for_it() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5005, ack=1000, data=b"world")
    tcp.expect(ACK, seq=1000, ack=5000)
    assert tcp.receive() == -EAGAIN
    tcp.inject(ACK, seq=5000, ack=1000, data=b"hello")
    tcp.expect(ACK, seq=1000, ack=5010)
    assert tcp.receive() == b"helloworld"


def test_a_duplicate_is_acknowledged_and_not_delivered_twice() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"hello")
    tcp.expect(ACK, ack=5005)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"hello")
    tcp.expect(ACK, ack=5005)
    assert tcp.receive() == b"hello"
    assert tcp.receive() == -EAGAIN


# -- second: RST (RFC 5961 §3.2)


def test_reset_at_exactly_rcv_nxt_ends_the_connection() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(RST, seq=5000)
    tcp.expect_nothing()
    assert tcp.state is CLOSED
    assert tcp.receive() == -ECONNRESET


def test_reset_elsewhere_in_the_window_is_challenged() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(RST, seq=5001)
    tcp.expect(ACK, seq=1000, ack=5000)
    assert tcp.state is ESTABLISHED


def test_reset_outside_the_window_is_dropped() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(RST, seq=200000)
    tcp.expect_nothing()
    assert tcp.state is ESTABLISHED
    assert tcp.counters.counts == {"reset-outside-window": 1}


def test_reset_after_the_peers_fin_is_a_broken_pipe() -> None:
    tcp = close_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(RST, seq=5000)
    assert tcp.state is CLOSED
    assert tcp.send(b"x") == -EPIPE


def test_data_that_arrived_before_the_reset_can_still_be_read() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"last words")
    tcp.inject(RST, seq=5010)
    assert tcp.receive() == b"last words"
    assert tcp.receive() == -ECONNRESET
    assert tcp.receive() == b""


# -- fourth: SYN (RFC 5961 §4.2)


def test_syn_in_established_gets_a_challenge_ack() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(SYN, seq=5000)
    tcp.expect(ACK, seq=1000, ack=5000)
    tcp.expect_nothing()
    assert tcp.state is ESTABLISHED


def test_challenges_are_limited_to_two_a_second() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    for _ in range(10):
        tcp.inject(SYN, seq=5000)
        tcp.now += 100_000_000
    assert len(tcp.sent) == 2
    assert tcp.counters.counts == {"challenge-syn": 10, "answer-rate-limited": 8}


# -- fifth: ACK


def test_ack_of_something_not_yet_sent_is_answered() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1001)
    tcp.expect(ACK, seq=1000, ack=5000)


def test_a_segment_without_ack_is_dropped() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(PSH, seq=5000, data=b"hello")
    tcp.expect_nothing()
    assert tcp.receive() == -EAGAIN


# -- eighth: FIN


def test_four_segment_close_from_our_side() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.close()
    tcp.expect(FIN | ACK, seq=1000, ack=5000)
    assert tcp.state is FIN_WAIT_1
    tcp.inject(ACK, seq=5000, ack=1001)
    assert tcp.state is FIN_WAIT_2
    tcp.inject(FIN | ACK, seq=5000, ack=1001)
    tcp.expect(ACK, seq=1001, ack=5001)
    assert tcp.state is TIME_WAIT
    tcp.wait("59s")
    assert tcp.state is TIME_WAIT
    tcp.wait("1s")
    assert tcp.state is CLOSED


def test_three_segment_close() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"bye")
    tcp.expect(ACK, seq=1000, ack=5003)
    assert tcp.receive() == b"bye"
    tcp.inject(FIN | ACK, seq=5003, ack=1000)
    tcp.expect_nothing()  # the ACK waits for our FIN
    tcp.close()
    tcp.expect(FIN | ACK, seq=1000, ack=5004)
    assert tcp.state is LAST_ACK
    tcp.inject(ACK, seq=5004, ack=1001)
    assert tcp.state is CLOSED


def test_simultaneous_close() -> None:
    tcp = fin_wait_1(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(FIN | ACK, seq=5000, ack=999)
    tcp.expect(ACK, seq=1000, ack=5001)
    assert tcp.state is CLOSING
    tcp.inject(ACK, seq=5001, ack=1000)
    assert tcp.state is TIME_WAIT


def test_fin_ahead_of_missing_text_waits() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(FIN | ACK, seq=5005, ack=1000)
    tcp.expect(ACK, ack=5000)
    assert tcp.state is ESTABLISHED
    tcp.inject(ACK, seq=5000, ack=1000, data=b"hello")
    tcp.expect(ACK, ack=5006)
    assert tcp.state is CLOSE_WAIT
    assert tcp.receive() == b"hello"
    assert tcp.receive() == b""


@pytest.mark.parametrize("make", [close_wait, closing, last_ack])
def test_a_repeated_fin_is_acknowledged_again(make: Callable[..., Tcp]) -> None:
    tcp = make(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(FIN | ACK, seq=4999, ack=999 if make is not close_wait else 1000)
    tcp.expect(ACK, seq=1000, ack=5000)


def test_half_close_still_receives() -> None:
    tcp = fin_wait_2(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK | PSH, seq=5000, ack=1000, data=b"still here")
    tcp.expect(ACK, seq=1000, ack=5010)
    assert tcp.receive() == b"still here"
    assert tcp.state is FIN_WAIT_2


def test_data_for_somebody_who_has_gone_is_answered_with_a_reset() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.close()
    tcp.expect(FIN | ACK)
    tcp.inject(ACK, seq=5000, ack=1001, data=b"are you there?")
    tcp.expect(RST, seq=1001)
    assert tcp.state is CLOSED


def test_close_with_unread_data_resets() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK | PSH, seq=5000, ack=1000, data=b"unread")
    tcp.expect(ACK, ack=5006)
    tcp.close()
    tcp.expect(RST | ACK, seq=1000, ack=5006)
    assert tcp.state is CLOSED


def test_an_orphan_does_not_wait_for_ever_in_fin_wait_2() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.close()
    tcp.expect(FIN | ACK)
    tcp.inject(ACK, seq=5000, ack=1001)
    assert tcp.state is FIN_WAIT_2
    tcp.wait("60s")
    assert tcp.state is CLOSED
    assert tcp.counters.counts["fin-wait-2-timeout"] == 1


def test_half_closed_fin_wait_2_waits_for_ever() -> None:
    tcp = fin_wait_2()
    tcp.wait("10h")
    assert tcp.state is FIN_WAIT_2


# -- TIME-WAIT


def test_a_lost_last_ack_is_sent_again_and_the_wait_starts_over() -> None:
    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.wait("40s")
    tcp.inject(FIN | ACK, seq=4999, ack=1000)
    tcp.expect(ACK, seq=1000, ack=5000)
    tcp.wait("40s")
    assert tcp.state is TIME_WAIT
    tcp.wait("20s")
    assert tcp.state is CLOSED


def test_reset_ends_time_wait_unless_rfc_1337_is_on() -> None:
    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(RST, seq=5000)
    assert tcp.state is CLOSED
    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.tcb.config.rfc1337 = True
    tcp.inject(RST, seq=5000)
    assert tcp.state is TIME_WAIT


def test_only_a_newer_syn_may_replace_time_wait() -> None:
    from netglass.wire.tcp import TcpSegment

    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    newer = TcpSegment(5000, 80, 5001, 0, SYN, 65535)
    older = TcpSegment(5000, 80, 4000, 0, SYN, 65535)
    assert tcp.connection.replaceable_by(newer, tcp.now)
    assert not tcp.connection.replaceable_by(older, tcp.now)
    tcp.inject(SYN, seq=4000)
    tcp.expect(ACK, seq=1000, ack=5000)


# -- PAWS (RFC 7323 §5)


def test_paws_drops_an_old_timestamp() -> None:
    config = plain()
    config.timestamps = True
    options = TcpOptions(mss=1460)
    tcp = established(rcv_nxt=5000, config=config, options=options, ts=(700, 1000))
    tcp.inject(ACK, seq=5000, ack=1000, data=b"new", ts=(710, 1000))
    tcp.expect(ACK, ack=5003)
    tcp.inject(ACK, seq=5003, ack=1000, data=b"old", ts=(705, 1000))
    assert tcp.expect(ACK, ack=5003).ts_ecr == 710
    assert tcp.receive() == b"new"
    assert tcp.counters.counts["paws"] == 1


# -- every state, every flag, numbers everywhere around both windows


@given(
    state=st.sampled_from(sorted(EVERY_STATE)),
    flags=st.integers(0, 511),
    seq_offset=st.sampled_from([-(1 << 31), -70000, -1461, -2, -1, 0, 1, 5, 1460, 65534, 65535, 65536, 70000, 1 << 31]),
    ack_offset=st.sampled_from([-(1 << 31), -70000, -2, -1, 0, 1, 2, 70000, 1 << 31]),
    size=st.sampled_from([0, 1, 10, 1460, 65535]),
    window=st.sampled_from([0, 1, 500, 65535]),
    urgent=st.sampled_from([0, 1, 10, 65535]),
)
def test_no_segment_raises_or_makes_an_illegal_transition(
    state: str, flags: int, seq_offset: int, ack_offset: int, size: int, window: int, urgent: int
) -> None:
    tcp = EVERY_STATE[state]()
    rcv_nxt = tcp.tcb.rcv_nxt or 5000
    snd_nxt = tcp.tcb.snd_nxt
    for _ in range(2):
        tcp.inject(flags, rcv_nxt + seq_offset, snd_nxt + ack_offset, b"x" * size, window, urgent=urgent)
    tcp.wait("300s")
    assert "illegal-transition" not in tcp.counters.counts
    assert len(tcp.sent) < 100
    tcp.receive()
    tcp.close()
    tcp.wait("2h")
    assert tcp.state is CLOSED, "nothing may stay for ever once the application has gone"


# -- D-SACK (RFC 2883): what came twice is told once


def with_sack() -> Tcp:
    config = plain()
    config.sack = True
    return established(snd_nxt=1000, rcv_nxt=5000, config=config, options=TcpOptions(mss=1460, sack_permitted=True))


def test_text_below_rcv_nxt_is_reported() -> None:
    tcp = with_sack()
    tcp.inject(ACK, seq=5000, ack=1000, data=b"x" * 100)
    tcp.expect(ACK, ack=5100)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"x" * 100)
    assert tcp.expect(ACK, ack=5100).sack == ((5000, 5100),)


def test_overlap_ahead_of_the_gap_is_reported_before_the_blocks() -> None:
    tcp = with_sack()
    tcp.inject(ACK, seq=5200, ack=1000, data=b"x" * 100)
    assert tcp.expect(ACK, ack=5000).sack == ((5200, 5300),)
    tcp.inject(ACK, seq=5250, ack=1000, data=b"x" * 100)
    assert tcp.expect(ACK, ack=5000).sack == ((5250, 5300), (5200, 5350))


def test_a_filled_gap_reports_what_it_covered_again() -> None:
    tcp = with_sack()
    tcp.inject(ACK, seq=5200, ack=1000, data=b"x" * 100)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"x" * 250)
    tcp.expect(ACK, ack=5000)
    assert tcp.expect(ACK, ack=5300).sack == ((5200, 5250),)


def test_sack_blocks_beside_data_leave_the_segment_within_the_mtu() -> None:
    tcp = with_sack()
    tcp.inject(ACK, seq=5200, ack=1000, data=b"x" * 100)
    tcp.expect(ACK)
    tcp.send(bytes(1460))
    assert tcp.expect(ACK, seq=1000, ack=5000, data=1460 - 12).sack == ((5200, 5300),)


def test_tiny_segments_with_gaps_cannot_cost_more_memory_than_the_buffer() -> None:
    tcp = with_sack()
    for number in range(1, 4000):
        tcp.inject(ACK, seq=5000 + 2 * number, ack=1000, data=b"x")
    assert tcp.counters.counts["receive-queue-pruned"] > 0
    assert tcp.tcb.received.overhead() < 4 * tcp.tcb.rcvbuf
    assert tcp.tcb.rcv_nxt == 5000


def test_a_host_sends_only_so_many_challenge_acks_a_second() -> None:
    config = plain()
    config.challenge_ack_limit = 3
    config.invalid_ratelimit = 0
    tcp = established(snd_nxt=1000, rcv_nxt=5000, config=config)
    for _ in range(10):
        tcp.inject(SYN, seq=5000)
    assert len(tcp.sent) == 3
    tcp.wait("1s")
    tcp.inject(SYN, seq=5000)
    assert len(tcp.sent) == 4
