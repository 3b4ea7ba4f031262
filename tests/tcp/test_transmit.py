"""What goes out, and when: windows, Nagle, corks, probes (RFC 9293 §3.8)."""

from __future__ import annotations

from itertools import pairwise

from netglass.tcp.config import TcpSettings
from netglass.tcp.state import CLOSED
from netglass.wire.tcp import ACK, PSH, TcpOptions
from tests.tcp.dialogue import established, plain


def test_nagle_holds_a_small_segment_while_a_small_one_is_in_flight() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.send(b"a")
    tcp.expect(PSH | ACK, seq=1000, data=b"a")
    tcp.send(b"b")
    tcp.send(b"c")
    tcp.expect_nothing()
    tcp.inject(ACK, seq=5000, ack=1001)
    tcp.expect(PSH | ACK, seq=1001, data=b"bc")


def test_nagle_counts_options_into_the_segment_size() -> None:
    """A full segment beside timestamps is 1448 bytes, not 1460: it is not small, and what follows is not held."""
    config = plain()
    config.timestamps = True
    tcp = established(config=config, options=TcpOptions(mss=1460), ts=(1, 1))
    tcp.send(bytes(1448))
    tcp.expect(PSH | ACK, data=1448)
    tcp.send(b"x")
    tcp.expect(PSH | ACK, data=b"x")


def test_a_cork_holds_for_at_most_a_timeout() -> None:
    settings = TcpSettings()
    settings.cork = True
    tcp = established(snd_nxt=1000, rcv_nxt=5000, settings=settings)
    tcp.send(b"corked")
    tcp.expect_nothing()
    elapsed = tcp.wait_for_timer()
    assert 200_000_000 <= elapsed <= 1_000_000_000
    tcp.expect(PSH | ACK, seq=1000, data=b"corked")


def test_a_closed_window_is_probed_until_it_opens() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000, window=0)
    tcp.send(b"hello")
    tcp.expect_nothing()
    waits = []
    for _ in range(4):
        waits.append(tcp.wait_for_timer())
        tcp.expect(ACK, seq=999, ack=5000)
        tcp.inject(ACK, seq=5000, ack=1000, window=0)
    assert [later / first for first, later in pairwise(waits)] == [2, 2, 2]
    tcp.inject(ACK, seq=5000, ack=1000, window=100)
    tcp.expect(PSH | ACK, seq=1000, data=b"hello")


def test_probes_without_any_answer_end_the_connection() -> None:
    tcp = established(snd_nxt=1000, rcv_nxt=5000, window=0)
    tcp.send(b"hello")
    tcp.wait("2h")
    assert tcp.state is CLOSED
    assert len(tcp.sent) == tcp.tcb.config.retries2


def test_a_small_window_is_used_only_after_a_while() -> None:
    """Silly window avoidance at the sender (§3.8.6.2.1): less than a segment waits, unless it is half of the largest
    window seen."""
    tcp = established(snd_nxt=1000, rcv_nxt=5000, window=10000)
    tcp.inject(ACK, seq=5000, ack=1000, window=100)
    tcp.send(bytes(1000))
    tcp.expect_nothing()
    tcp.wait_for_timer()
    tcp.expect(ACK, seq=1000, data=100)


# -- found by two hosts with a hostile cable between them


def test_text_beyond_the_window_is_cut_off_whole() -> None:
    settings = TcpSettings()
    settings.rcvbuf = 3000
    tcp = established(snd_nxt=1000, rcv_nxt=5000, settings=settings)
    tcp.inject(ACK, seq=5000, ack=1000, data=bytes(1400))
    tcp.inject(ACK, seq=6400, ack=1000, data=b"x" * 1460)
    tcp.inject(ACK, seq=7860, ack=1000, data=b"y" * 1460)
    read = tcp.receive()
    assert isinstance(read, bytes)
    assert len(read) == tcp.tcb.rcv_nxt - 5000
    assert read[2860:] == b"y" * (len(read) - 2860)


def test_the_window_of_an_overtaken_ack_is_not_believed() -> None:
    config = plain()
    config.sack = True
    options = TcpOptions(mss=1460, sack_permitted=True)
    tcp = established(snd_nxt=1000, rcv_nxt=5000, config=config, options=options)
    tcp.send(bytes(5000))
    tcp.sent.clear()
    tcp.inject(ACK, seq=5000, ack=3920, window=2000)
    tcp.inject(ACK, seq=5000, ack=2460, window=60000, sack=((5380, 6000),))
    assert tcp.tcb.snd_wnd == 2000


def test_a_buffer_smaller_than_a_segment_still_opens() -> None:
    settings = TcpSettings()
    settings.rcvbuf = 1000
    tcp = established(snd_nxt=1000, rcv_nxt=5000, settings=settings)
    tcp.inject(ACK, seq=5000, ack=1000, data=bytes(1000))
    tcp.receive()
    tcp.sent.clear()
    tcp.inject(ACK, seq=5999, ack=1000, data=b"?")
    assert tcp.expect(ACK, ack=6000).window == 1000


def test_an_idle_window_is_cut_once_however_often_one_asks() -> None:
    settings = TcpSettings()
    settings.cork = True
    tcp = established(snd_nxt=1000, rcv_nxt=5000, settings=settings)
    before = tcp.tcb.recovery.cc.cwnd
    tcp.now += 10_000_000_000
    tcp.send(b"held by the cork")
    for _ in range(5):
        tcp.expect_nothing()
    assert tcp.tcb.recovery.cc.cwnd == before
