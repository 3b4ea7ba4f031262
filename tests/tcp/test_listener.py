"""A listener: LISTEN and SYN-RECEIVED (RFC 9293 §3.10.7.2, §3.10.7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errnos import ECONNRESET
from netglass.errors import MisuseError
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.state import CLOSE_WAIT, CLOSED, ESTABLISHED
from netglass.times import MILLISECOND, NEVER
from netglass.wire.tcp import ABSENT, ACK, FIN, PSH, RST, SYN, URG, TcpOptions, TcpSegment
from netglass.world import POLLIN
from tests.tcp.listening import MSS, RICH, Port, Told, without_cookies

# -- the handshake


def test_three_segments_make_a_connection() -> None:
    port = Port()
    iss = port.syn(1000)
    assert (port.half_open, port.complete) == (1, 0)
    assert port.listener.readiness() == 0
    assert port.listener.woken == 0
    child = port.inject(ACK, 1000, seq=1, ack=iss + 1)
    port.expect_nothing()
    assert child is not None
    assert child.tcb.state is ESTABLISHED
    assert (port.half_open, port.complete) == (0, 1)
    assert port.listener.readiness() == POLLIN
    assert port.listener.woken == POLLIN
    assert port.listener.deadline == NEVER
    assert port.listener.accept(port.now) is child
    assert port.listener.accept(port.now) is None
    assert port.listener.readiness() == 0


def test_the_probe_hears_every_step_in_order() -> None:
    told = Told()
    port = Port(told=told)
    port.connected(1000)
    port.listener.accept(port.now)
    assert told.states == [(1000, "LISTEN", "SYN-RECEIVED"), (1000, "SYN-RECEIVED", "ESTABLISHED")]
    assert told.queues == [(1, 0), (0, 1), (0, 0)]


def test_the_third_segment_may_carry_data_and_a_fin() -> None:
    port = Port()
    iss = port.syn(1000)
    child = port.inject(ACK | PSH | FIN, 1000, seq=1, ack=iss + 1, data=b"hello")
    assert child is not None
    assert child.tcb.state is CLOSE_WAIT
    assert child.receive(100, port.now) == b"hello"
    assert child.receive(100, port.now) == b""


def test_data_completes_the_handshake_when_the_third_segment_is_lost() -> None:
    port = Port()
    iss = port.syn(1000)
    child = port.inject(ACK | PSH, 1000, seq=1, ack=iss + 1, data=b"first words")
    assert child is not None
    assert child.receive(100, port.now) == b"first words"


def test_data_in_a_syn_is_left_for_later() -> None:
    port = Port()
    port.inject(SYN, 1000, data=b"early", options=MSS)
    iss = port.expect(SYN | ACK, ack=1).seq
    assert port.count("syn-data-ignored") == 1
    child = port.inject(ACK | PSH, 1000, seq=1, ack=iss + 1, data=b"early")
    assert child is not None
    assert child.receive(100, port.now) == b"early"


def test_connections_are_accepted_in_the_order_in_which_they_became_complete() -> None:
    port = Port()
    numbers = {peer: port.syn(peer) for peer in (1000, 1001, 1002)}
    for peer in (1002, 1000, 1001):
        port.inject(ACK, peer, seq=1, ack=numbers[peer] + 1)
    accepted = [port.listener.accept(port.now) for _ in range(3)]
    assert [each.tcb.remote_port for each in accepted if each] == [1002, 1000, 1001]


def test_sequence_numbers_wrap() -> None:
    port = Port()
    port.inject(SYN, 1000, seq=2**32 - 1, options=MSS)
    iss = port.expect(SYN | ACK, ack=0).seq
    child = port.inject(ACK | PSH, 1000, seq=0, ack=iss + 1, data=b"around")
    assert child is not None
    assert child.receive(100, port.now) == b"around"


def test_an_iss_of_the_hosts_choice_is_used() -> None:
    config = TcpConfig()
    config.fixed_isn = 2**32 - 1
    port = Port(config=config)
    assert port.syn(1000) == 2**32 - 1
    assert port.inject(ACK, 1000, seq=1, ack=0) is not None


def test_a_child_has_settings_of_its_own() -> None:
    settings = TcpSettings()
    settings.nodelay = True
    port = Port(settings=settings)
    child = port.connected(1000)
    settings.nodelay = False
    assert child.tcb.settings.nodelay


# -- options


@pytest.mark.parametrize("options", [None, TcpOptions(mss=0)])
def test_a_syn_without_options_gets_none_but_the_mss(options: TcpOptions | None) -> None:
    port = Port()
    port.inject(SYN, 1000, options=options)
    answer = port.expect(SYN | ACK)
    assert answer.options is not None
    assert answer.options.mss == 1460
    assert answer.options.window_scale == ABSENT
    assert not answer.options.sack_permitted
    assert answer.ts_val == ABSENT
    child = port.inject(ACK, 1000, seq=1, ack=answer.seq + 1, window=1000)
    assert child is not None
    assert child.tcb.peer_mss == 536
    assert child.tcb.snd_wnd == 1000


def test_what_is_offered_is_agreed_on() -> None:
    port = Port()
    port.inject(SYN, 1000, options=RICH, ts=(700, 0))
    answer = port.expect(SYN | ACK)
    assert answer.options is not None
    assert answer.options.window_scale == 7
    assert answer.options.sack_permitted
    assert answer.ts_ecr == 700
    child = port.inject(ACK, 1000, seq=1, ack=answer.seq + 1, window=1000, ts=(701, answer.ts_val))
    assert child is not None
    assert child.tcb.peer_mss == 1460
    assert child.tcb.snd_wnd == 1000 << 7
    assert child.tcb.sack_ok
    assert child.tcb.ts_recent == 701
    child.send(b"x", port.now)
    first = child.poll_segment(port.now)
    assert first is not None
    assert first.ts_val == answer.ts_val, "the child's clock is the SYN-ACK's"


@pytest.mark.parametrize("off", ["window_scaling", "sack", "timestamps"])
def test_what_the_host_has_switched_off_is_not_agreed_on(off: str) -> None:
    config = TcpConfig()
    setattr(config, off, False)
    port = Port(config=config)
    port.inject(SYN, 1000, options=RICH, ts=(700, 0))
    answer = port.expect(SYN | ACK)
    assert answer.options is not None
    assert (answer.options.window_scale == ABSENT) == (off == "window_scaling")
    assert answer.options.sack_permitted == (off != "sack")
    assert (answer.ts_val == ABSENT) == (answer.ts_ecr == ABSENT) == (off == "timestamps")


def test_tcp_maxseg_limits_the_mss_that_is_announced() -> None:
    settings = TcpSettings()
    settings.max_segment = 700
    port = Port(settings=settings)
    port.inject(SYN, 1000, options=MSS)
    answer = port.expect(SYN | ACK)
    assert answer.options is not None
    assert answer.options.mss == 700


def test_the_child_remembers_the_window_that_the_syn_ack_told() -> None:
    settings = TcpSettings()
    settings.rcvbuf = 5000
    port = Port(settings=settings)
    port.inject(SYN, 1000, options=MSS)
    answer = port.expect(SYN | ACK)
    assert answer.window == 3 * 1460
    child = port.inject(ACK, 1000, seq=1, ack=answer.seq + 1)
    assert child is not None
    assert child.tcb.rcv_adv - child.tcb.rcv_nxt == answer.window


def test_the_round_trip_is_measured_once_only() -> None:
    port = Port()
    iss = port.syn(1000)
    port.now += 30 * MILLISECOND
    child = port.inject(ACK, 1000, seq=1, ack=iss + 1)
    assert child is not None
    assert child.tcb.rtt.srtt == 30 * MILLISECOND

    iss = port.syn(1001)
    port.wait("1s")
    port.expect(SYN | ACK, 1001)
    port.now += 30 * MILLISECOND
    child = port.inject(ACK, 1001, seq=1, ack=iss + 1)
    assert child is not None
    assert child.tcb.rtt.srtt == 0, "which of two SYN-ACKs was acknowledged? (Karn)"


# -- segments in LISTEN


def test_syn_and_fin_together_are_dropped() -> None:
    port = Port()
    port.inject(SYN | FIN, 1000, options=MSS)
    port.expect_nothing()
    assert port.listener.drop_reason == "syn-fin"
    assert port.count("syn-fin") == 1


def test_a_reset_is_ignored() -> None:
    port = Port()
    for flags in (RST, RST | ACK, RST | SYN, RST | SYN | ACK | FIN):
        port.inject(flags, 1000, ack=5)
        port.expect_nothing()
        assert port.listener.drop_reason == "reset-in-listen"


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK, ACK | PSH])
def test_an_ack_is_answered_with_a_reset_at_its_own_number(flags: int) -> None:
    port = Port()
    assert port.inject(flags, 1000, seq=3, ack=77) is None
    port.expect(RST, 1000, seq=77)
    assert port.listener.drop_reason == "ack-in-listen"
    assert port.half_open == 0


@pytest.mark.parametrize("flags", [0, FIN, PSH, URG])
def test_a_segment_without_syn_ack_and_rst_is_dropped(flags: int) -> None:
    port = Port()
    port.inject(flags, 1000)
    port.expect_nothing()
    assert port.listener.drop_reason == "no-syn-in-listen"


def test_the_drop_reason_is_that_of_the_last_segment_only() -> None:
    port = Port()
    port.inject(RST, 1000)
    port.syn(1000)
    assert port.listener.drop_reason == ""


# -- segments in SYN-RECEIVED. Every row was measured on Linux 6.18; sequence numbers relative to RCV.NXT (1) and ISS.

STAYS, GONE, OPEN = "entry stays", "entry gone", "connection"
CHALLENGE, SILENCE, SYN_ACK, RESET, RESET_ACK = "challenge ACK", "nothing", "SYN-ACK", "RST", "RST and ACK"
WINDOW = 65535

SYN_RECEIVED_ROWS = [
    # flags, seq, ack, data, answer, what becomes of the entry, drop reason
    (RST, 1, 0, b"", SILENCE, GONE, ""),
    (RST, 100, 0, b"", CHALLENGE, STAYS, "challenge-reset"),
    (RST, WINDOW, 0, b"", CHALLENGE, STAYS, "challenge-reset"),
    (RST, 1 + WINDOW, 0, b"", CHALLENGE, STAYS, "challenge-reset"),
    (RST, 2 + WINDOW, 0, b"", SILENCE, STAYS, "reset-outside-window"),
    (RST, 0, 0, b"", SILENCE, STAYS, "reset-outside-window"),
    (RST | ACK, 1, 7, b"", SILENCE, GONE, ""),
    (RST | ACK, 5, 7, b"", CHALLENGE, STAYS, "challenge-reset"),
    (RST | ACK, 1, 1, b"", SILENCE, GONE, ""),
    (RST | ACK, 90_000, 7, b"", SILENCE, STAYS, "reset-outside-window"),
    (RST | SYN, 1, 0, b"", SILENCE, GONE, ""),
    (RST | SYN, 0, 0, b"", SILENCE, STAYS, "reset-outside-window"),
    (ACK, 90_000, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, 90_000, 1, b"x", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, -5, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK | FIN, -5, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, 1, 1, b"", SILENCE, OPEN, ""),
    (ACK, 100, 1, b"", SILENCE, OPEN, ""),
    (ACK, 100, 1, b"xyz", SILENCE, OPEN, ""),
    (ACK, 0, 1, b"xyz", SILENCE, OPEN, ""),
    (ACK | FIN, 0, 1, b"x", SILENCE, OPEN, ""),
    (ACK | FIN, 0, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, 0, 1, b"x", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, WINDOW, 1, b"x", SILENCE, OPEN, ""),
    (ACK, 1 + WINDOW, 1, b"", SILENCE, OPEN, ""),
    (ACK, 1 + WINDOW, 1, b"x", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK | FIN, 1 + WINDOW, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, 2 + WINDOW, 1, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (ACK, 1, 0, b"", RESET, STAYS, "ack-in-listen"),
    (ACK, 1, 500, b"abc", RESET, STAYS, "ack-in-listen"),
    (ACK, 90_000, 500, b"", RESET, STAYS, "ack-in-listen"),
    (SYN, 0, 0, b"", SYN_ACK, STAYS, ""),
    (SYN | FIN, 0, 0, b"", SYN_ACK, STAYS, ""),
    (SYN, 90_000, 0, b"", CHALLENGE, STAYS, "sequence-outside-window"),
    (SYN, 1, 0, b"", RESET_ACK, GONE, "syn-in-window"),
    (SYN | ACK, 1, 1, b"", RESET, GONE, "syn-in-window"),
    (SYN | ACK, 0, 3, b"", RESET, STAYS, "ack-in-listen"),
    (PSH, 1, 0, b"x", SILENCE, STAYS, "no-ack-bit"),
    (0, 1, 0, b"", SILENCE, STAYS, "no-ack-bit"),
    (FIN, 1, 0, b"", SILENCE, STAYS, "no-ack-bit"),
]


@pytest.mark.parametrize(("flags", "seq", "ack", "data", "answer", "entry", "reason"), SYN_RECEIVED_ROWS)
def test_a_segment_in_syn_received(
    flags: int, seq: int, ack: int, data: bytes, answer: str, entry: str, reason: str
) -> None:
    told = Told()
    port = Port(told=told)
    iss = port.syn(1000)
    child = port.inject(flags, 1000, seq=seq, ack=iss + ack if flags & ACK else 0, data=data)
    if answer == CHALLENGE:
        port.expect(ACK, 1000, seq=iss + 1, ack=1)
    elif answer == SYN_ACK:
        port.expect(SYN | ACK, 1000, seq=iss, ack=1)
    elif answer == RESET:
        port.expect(RST, 1000, seq=iss + ack)
    elif answer == RESET_ACK:
        port.expect(RST | ACK, 1000, seq=0, ack=seq + 1)
    port.expect_nothing()
    assert (port.half_open == 1) == (entry == STAYS)
    assert (child is not None) == (entry == OPEN)
    assert ((1000, "SYN-RECEIVED", "CLOSED") in told.states) == (entry == GONE)
    assert port.listener.drop_reason == reason
    assert port.count("half-open-reset") == (entry == GONE and flags & RST != 0)
    if reason:
        assert port.count(reason) == 1


def test_wrong_acks_are_answered_twice_a_second_at_most() -> None:
    port = Port()
    iss = port.syn(1000)
    for _ in range(3):
        port.inject(ACK, 1000, seq=90_000, ack=iss + 1)
    port.expect(ACK, seq=iss + 1)
    port.expect_nothing()
    assert port.count("answer-rate-limited") == 2
    port.wait("500ms")
    port.inject(ACK, 1000, seq=90_000, ack=iss + 1)
    port.expect(ACK, seq=iss + 1)


def test_data_outside_the_window_is_answered_every_time() -> None:
    port = Port()
    iss = port.syn(1000)
    for _ in range(3):
        port.inject(ACK, 1000, seq=90_000, ack=iss + 1, data=b"x")
        port.expect(ACK, seq=iss + 1, ack=1)


def test_a_syn_that_comes_again_is_answered_twice_a_second_at_most() -> None:
    port = Port()
    iss = port.syn(1000)
    port.inject(SYN, 1000, options=MSS)
    port.expect(SYN | ACK, seq=iss)
    port.inject(SYN, 1000, options=MSS)
    port.expect_nothing()
    assert port.listener.drop_reason == "answer-rate-limited"
    port.wait("500ms")
    port.inject(SYN, 1000, options=MSS)
    port.expect(SYN | ACK, seq=iss)
    assert port.half_open == 1


def test_the_window_in_a_challenge_is_scaled() -> None:
    port = Port()
    iss = port.syn(1000, RICH, ts=(700, 0))
    port.inject(ACK, 1000, seq=90_000, ack=iss + 1, ts=(701, 0))
    answer = port.expect(ACK)
    assert answer.window == WINDOW >> 7
    assert answer.ts_ecr == 700


def test_an_old_timestamp_is_answered_with_an_ack() -> None:
    port = Port()
    port.inject(SYN, 1000, options=RICH, ts=(700, 0))
    answer = port.expect(SYN | ACK)
    assert port.inject(ACK, 1000, seq=1, ack=answer.seq + 1, ts=(699, answer.ts_val)) is None
    port.expect(ACK, seq=answer.seq + 1, ack=1)
    assert port.listener.drop_reason == "paws"
    assert port.inject(ACK, 1000, seq=1, ack=answer.seq + 1, ts=(700, answer.ts_val)) is not None


def test_an_echo_of_a_timestamp_that_we_never_sent_is_answered_with_an_ack() -> None:
    port = Port()
    port.inject(SYN, 1000, options=RICH, ts=(700, 0))
    first = port.expect(SYN | ACK)
    port.wait("1s")
    second = port.expect(SYN | ACK)
    assert second.ts_val == (first.ts_val + 1000) % 2**32
    for wrong in (first.ts_val - 1, second.ts_val + 1):
        assert port.inject(ACK, 1000, seq=1, ack=first.seq + 1, ts=(701, wrong)) is None
        port.expect(ACK)
        assert port.listener.drop_reason == "timestamp-echo"
        port.wait("500ms")
    assert port.inject(ACK, 1000, seq=1, ack=first.seq + 1, ts=(701, first.ts_val + 500)) is not None


def test_an_echo_of_zero_and_no_timestamp_at_all_are_taken() -> None:
    port = Port()
    for peer, ts in ((1000, (701, 0)), (1001, None)):
        iss = port.syn(peer, RICH, ts=(700, 0))
        assert port.inject(ACK, peer, seq=1, ack=iss + 1, ts=ts) is not None


# -- what is never tried: robustness


@given(
    segments=st.lists(
        st.tuples(
            st.integers(0, 511),
            st.sampled_from([-1, 0, 1, 2, 100, 65_535, 65_536, 65_537, 2**31, 2**31 + 1, 2**32 - 1]),
            st.sampled_from([0, 1, 2, 2**31, 2**32 - 1]),
            st.binary(max_size=2),
            st.none() | st.tuples(st.sampled_from([0, 699, 700, 2**32 - 1]), st.sampled_from([0, 1, 2**32 - 1])),
        ),
        max_size=6,
    ),
    mode=st.sampled_from(["cookies", "no cookies", "recycle", "two-way", "defer", "abort", "cookies always"]),
)
def test_no_segment_ever_raises(segments: list[tuple[int, int, int, bytes, tuple[int, int] | None]], mode: str) -> None:
    config = TcpConfig()
    settings = TcpSettings()
    config.syncookies = {"no cookies": 0, "cookies always": 2}.get(mode, 1)
    config.recycle_half_open = mode == "recycle"
    config.handshake_ack_required = mode != "two-way"
    config.abort_on_overflow = mode == "abort"
    settings.defer_accept = duration_of(mode)
    port = Port(0, config, settings)
    port.inject(SYN, 1000, options=RICH, ts=(700, 0))
    iss = port.sent[0].seq
    before = 0
    for flags, seq, ack, data, ts in segments:
        port.inject(flags, 1000, seq=seq, ack=iss + ack, data=data, ts=ts)
        assert port.half_open <= 1
        assert port.complete <= 1
        assert (port.listener.deadline < NEVER) == (port.half_open == 1)
        # Nothing is dropped without a counter.
        if port.listener.drop_reason:
            assert sum(port.counters.counts.values()) > before
        before = sum(port.counters.counts.values())
    port.wait("200s")
    assert port.half_open == 0


def duration_of(mode: str) -> int:
    return 3_000_000_000 if mode == "defer" else 0


def test_every_combination_of_flags_at_every_edge() -> None:
    for flags in range(512):
        for seq in (0, 1, 2, 65_536, 65_537, 2**31):
            for half_open in (False, True):
                port = Port()
                iss = port.syn(1000) if half_open else 0
                made = port.inject(flags, 1000, seq=seq, ack=iss + 1)
                if made is None:
                    # It was answered, or it made an entry, or it ended one, or it was counted.
                    assert port.sent or port.counters.counts or port.half_open != half_open
                assert len(port.sent) <= 1


# -- a deadline is exact, and a call too many does nothing


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900)), max_size=30))
def test_the_deadline_is_the_earliest_timer(steps: list[tuple[int, int]]) -> None:
    port = Port(config=without_cookies())
    numbers: dict[int, int] = {}
    for peer, pause in steps:
        if peer in numbers and pause % 3 == 0:
            port.inject(ACK, peer, seq=1, ack=numbers[peer] + 1)
        elif peer in numbers and pause % 3 == 1:
            port.inject(RST, peer, seq=1)
        else:
            port.inject(SYN, peer, options=MSS)
        for segment in port.sent:
            if segment.flags == SYN | ACK:
                numbers[segment.destination_port] = segment.seq
        port.sent.clear()
        timers = [each.expires for each in port.listener.half_open.values()]
        assert port.listener.deadline == min(timers, default=NEVER)
        port.listener.handle_timeout(port.listener.deadline - 1)
        port.drain()
        port.expect_nothing()
        port.wait(f"{pause}ms")
        port.sent.clear()


# -- accept and close


def test_a_connection_that_died_while_it_waited_is_accepted_and_says_so() -> None:
    port = Port()
    child = port.connected(1000)
    child.receive_segment(reset_of(child.tcb.rcv_nxt), port.now)
    assert child.tcb.state is CLOSED
    assert port.listener.accept(port.now) is child
    assert child.receive(10, port.now) == -ECONNRESET


def reset_of(seq: int) -> TcpSegment:
    return TcpSegment(1000, 80, seq & 0xFFFFFFFF, 0, RST, 0)


def test_close_forgets_the_half_open_and_hands_back_the_complete() -> None:
    told = Told()
    port = Port(told=told)
    child = port.connected(1000)
    port.syn(1001)
    assert port.listener.close(port.now) == [child]
    port.drain()
    port.expect_nothing()
    assert (port.half_open, port.complete) == (0, 0)
    assert port.listener.deadline == NEVER
    assert told.states[-1] == (1001, "SYN-RECEIVED", "CLOSED")
    assert told.queues[-1] == (0, 0)


def test_a_negative_backlog_is_a_mistake() -> None:
    with pytest.raises(MisuseError, match="backlog"):
        Port(backlog=-1)


def test_a_scale_above_14_counts_as_14() -> None:
    port = Port()
    iss = port.syn(1000, TcpOptions(mss=1460, window_scale=200))
    child = port.inject(ACK, 1000, seq=1, ack=iss + 1, window=1)
    assert child is not None
    assert child.tcb.snd_wnd == 1 << 14
