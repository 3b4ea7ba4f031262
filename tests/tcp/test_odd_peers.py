"""Peers that do what no peer should: out of malice, by a bug, or because somebody forges their segments."""

from __future__ import annotations

import tracemalloc

import pytest

from netglass import Network
from netglass.errnos import EAGAIN, ETIMEDOUT
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.tcp.state import CLOSED, ESTABLISHED, TIME_WAIT
from netglass.times import SECOND
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, TcpOptions
from tests.tcp.dialogue import MSS, Tcp, established, plain, syn_received, time_wait
from tests.tcp.listening import Port

# -- FIN


def test_a_fin_before_what_arrived_is_no_end_of_the_stream() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"ab")
    tcp.inject(FIN | ACK, seq=5001, ack=1000)  # the FIN would take the place of "b"
    assert tcp.receive() == b"ab"
    assert tcp.receive() == -EAGAIN
    tcp.inject(ACK, seq=5002, ack=1000, data=b"cd")
    assert tcp.receive() == b"cd"
    tcp.inject(FIN | ACK, seq=5004, ack=1000)
    assert tcp.receive() == b""


def test_a_fin_in_the_middle_of_what_waits_for_a_gap_is_no_end_of_the_stream() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5002, ack=1000, data=b"cdef")
    tcp.inject(FIN | ACK, seq=5004, ack=1000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"ab")
    tcp.inject(ACK, seq=5006, ack=1000, data=b"gh")
    assert tcp.receive() == b"abcdefgh"
    assert tcp.receive() == -EAGAIN
    assert tcp.state is ESTABLISHED


# -- SYN


def test_data_on_the_syn_ack_of_a_simultaneous_open_is_not_misplaced() -> None:
    tcp = syn_received(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(SYN | ACK, seq=4999, ack=1000, data=b"ab", options=MSS)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"abcd")
    assert tcp.receive() == b"abcd"


def test_a_syn_ack_with_text_is_nobodys_third_segment() -> None:
    """It would leave a connection in SYN-RECEIVED in the accept queue, with no timer to end it."""
    port = Port()
    iss = port.syn(1001)
    assert port.inject(SYN | ACK, 1001, seq=0, ack=iss + 1, data=b"abc") is None
    port.expect(ACK, 1001, seq=iss + 1, ack=1)
    assert (port.half_open, port.complete) == (1, 0)
    assert port.inject(ACK, 1001, seq=1, ack=iss + 1) is not None


# -- timestamps


def stamped(ts_val: int = 100) -> Tcp:
    config = plain()
    config.timestamps = True
    return established(snd_nxt=1000, rcv_nxt=5000, config=config, ts=(ts_val, 0))


def test_a_timestamp_beside_an_impossible_ack_is_not_believed() -> None:
    """Else one forged segment, its ACK guessed wrong, would make PAWS drop all that the true peer sends (RFC 5961
    §5.2 asks for the ACK first)."""
    tcp = stamped(ts_val=100)
    tcp.inject(ACK, seq=5000, ack=999999, ts=(0x70000000, 0))
    tcp.inject(ACK, seq=5000, ack=1000, data=b"true", ts=(101, 0))
    assert tcp.receive() == b"true"


def test_a_timestamp_of_zero_in_the_handshake_says_nothing() -> None:
    """Some stacks send zero in the SYN and true values later (Linux tcp_paws_check)."""
    tcp = stamped(ts_val=0)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"true", ts=(0x90000000, 0))
    assert tcp.receive() == b"true"


# -- ACK


def test_an_ack_from_before_the_connection_is_challenged() -> None:
    """RFC 5961 §5.2; what was never sent cannot be acknowledged, however large the window (Linux bytes_acked)."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=900, data=b"forged")
    assert tcp.receive() == -EAGAIN
    tcp.expect(ACK, seq=1000, ack=5000)


# -- urgent data


def test_the_urgent_byte_that_comes_again_is_not_handed_out_again() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK | URG | PSH, seq=5000, ack=1000, data=b"ab!", urgent=3)
    assert tcp.connection.receive_urgent(tcp.now) == b"!"
    tcp.inject(ACK | URG | PSH, seq=5000, ack=1000, data=b"ab!", urgent=3)
    assert not isinstance(tcp.connection.receive_urgent(tcp.now), bytes)
    assert tcp.receive() == b"ab"


def test_looking_does_not_take_the_urgent_byte_away() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK | URG | PSH, seq=5000, ack=1000, data=b"!ab", urgent=1)
    assert tcp.connection.receive(10, tcp.now, peek=True) == b"ab"
    assert tcp.connection.receive_urgent(tcp.now) == b"!"
    assert tcp.receive() == b"ab"


# -- a peer that never lets go


def test_an_orphan_whose_peer_keeps_the_window_closed_is_given_up() -> None:
    """Nobody will ever read the answer: a peer must not be able to hold our buffer for ever (Linux
    tcp_orphan_retries)."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, window=0)
    tcp.send(b"unwanted")
    tcp.close()
    for _ in range(100):
        if tcp.state is CLOSED:
            break
        tcp.wait_for_timer()
        if tcp.sent:
            tcp.sent.clear()
            tcp.inject(ACK, seq=5000, ack=1000, window=0)
    assert tcp.state is CLOSED


def test_a_user_timeout_counts_while_the_window_is_closed() -> None:
    """RFC 5482 §2: data that stays unacknowledged for so long, whatever the peer answers to probes."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.tcb.settings.user_timeout = 10_000_000_000
    tcp.inject(ACK, seq=5000, ack=1000, window=0)
    tcp.send(b"waits")
    for _ in range(100):
        if tcp.state is CLOSED:
            break
        tcp.wait_for_timer()
        if tcp.sent:
            tcp.sent.clear()
            tcp.inject(ACK, seq=5000, ack=1000, window=0)
    assert tcp.connection.take_error() == ETIMEDOUT


def test_a_window_that_was_taken_back_is_waited_for_as_long_as_the_peer_answers() -> None:
    """RFC 9293 §3.8.6.1 (MUST-37): who shrinks his window to nothing with data in flight is still there (Linux
    tcp_rtx_probe0_timed_out)."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.send(b"x" * 100)
    for _ in range(30):
        tcp.wait_for_timer()
        tcp.sent.clear()
        tcp.inject(ACK, seq=5000, ack=1000, window=0)
    assert tcp.now > 2000 * SECOND
    assert tcp.state is ESTABLISHED
    for _ in range(30):
        if tcp.state is CLOSED:
            break
        tcp.wait_for_timer()
    assert tcp.connection.take_error() == ETIMEDOUT


# -- the retransmission timer


def test_the_timeout_stays_doubled_until_there_is_a_new_measurement() -> None:
    """RFC 6298 §5 (after 5.7), Karn: an ACK of what was sent twice measures nothing. On a path that became slower than
    the timeout, every flight would time out and nothing would ever be measured."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.send(b"x" * 1460)
    first = tcp.wait_for_timer()
    second = tcp.wait_for_timer()
    assert second == 2 * first
    tcp.inject(ACK, seq=5000, ack=2460)
    tcp.sent.clear()
    tcp.send(b"y" * 1460)
    assert tcp.wait_for_timer() == 4 * first


# -- TIME-WAIT


def test_an_ack_in_time_wait_starts_the_wait_over() -> None:
    """RFC 9293 §3.10.7.4, fifth; Linux tcp_timewait_state_process."""
    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.wait("50s")
    tcp.inject(ACK, seq=5000, ack=1000)
    tcp.expect_nothing()
    tcp.wait("50s")
    assert tcp.state is TIME_WAIT


def test_a_reset_does_not_prolong_time_wait() -> None:
    """RFC 1337 §3: with its cure on, a RST is ignored."""
    tcp = time_wait(snd_nxt=1000, rcv_nxt=5000)
    tcp.tcb.config.rfc1337 = True
    tcp.wait("50s")
    tcp.inject(RST, seq=5000)
    tcp.wait("11s")
    assert tcp.state is CLOSED


# -- sizes


def test_the_smallest_segments_leave_room_for_data_beside_sack_blocks() -> None:
    config = plain()
    config.timestamps = config.sack = True
    tcp = established(
        snd_nxt=1000, rcv_nxt=5000, config=config, options=TcpOptions(mss=1, sack_permitted=True), ts=(1, 0)
    )
    for place in (10, 20, 30, 40):
        tcp.inject(ACK, seq=5000 + place, ack=1000, data=b"x", ts=(1, 0))
    tcp.sent.clear()
    tcp.send(b"y" * 100)
    assert tcp.sent
    assert all(segment.length > 0 for segment in tcp.sent)


@pytest.mark.parametrize("mtu", [68, 80])
def test_the_smallest_mtu_has_room_for_data_beside_options(mtu: int) -> None:
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="1 ms", mtu=mtu, loss="10%")

    def talk(io: Io, stream: Stream) -> Steps:
        yield from stream.send(bytes(2000))
        stream.shutdown()
        data = yield from stream.receive_all()
        return len(data)

    def serve(io: Io) -> Steps:
        stream = yield from io.listen(80).accept()
        return (yield from talk(io, stream))

    def ask(io: Io) -> Steps:
        stream = yield from io.connect("server", 80)
        return (yield from talk(io, stream))

    programs = [server.spawn(serve), client.spawn(ask)]
    net.run(until="10 min")
    assert [program.result for program in programs] == [2000, 2000]


def test_a_little_new_text_in_a_large_frame_does_not_hold_the_frame() -> None:
    """Frames of 64 KiB of which only 1,001 bytes are new: what waits for the reader must not cost the whole frame."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(ACK, seq=5000, ack=1000, data=b"x" * 30_000)
    tracemalloc.start()
    for step in range(30):
        frame = memoryview(bytes(31_001))
        tcp.inject(ACK, seq=5000 + step * 1001, ack=1000, data=frame)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 300_000
    assert tcp.receive() == b"x" * 30_000 + bytes(30 * 1001 + 31_001 - 1001 - 30_000)
