"""A listener under a SYN flood: cookies (RFC 4987 §3.6)."""

from __future__ import annotations

import pytest

from netglass.tcp.config import COOKIES_ALWAYS, COOKIES_NEVER, TcpConfig
from netglass.tcp.state import ESTABLISHED
from netglass.times import NEVER
from netglass.wire.tcp import ABSENT, ACK, PSH, RST, SYN, TcpSegment
from tests.tcp.listening import MSS, RICH, Port, Told


def flooded(backlog: int = 0, told: Told | None = None) -> Port:
    """The SYN queue is full of peers that never answer."""
    port = Port(backlog, told=told)
    for peer in range(backlog + 1):
        port.syn(60_000 + peer)
    return port


def cookie_for(port: Port, peer: int, ts: tuple[int, int] | None = None, syncookies: int | None = None) -> TcpSegment:
    if syncookies is not None:
        port.config.syncookies = syncookies
    port.inject(SYN, peer, options=RICH, ts=ts)
    return port.expect(SYN | ACK, peer, ack=1)


def test_when_the_syn_queue_is_full_a_cookie_is_sent_and_nothing_kept() -> None:
    told = Told()
    port = flooded(told=told)
    before = (list(told.states), list(told.queues))
    cookie_for(port, 1000)
    assert port.listener.drop_reason == ""
    assert port.half_open == 1
    assert port.count("syncookies-sent") == 1
    assert (told.states, told.queues) == before


def test_the_ack_of_a_cookie_opens_the_connection() -> None:
    told = Told()
    port = flooded(told=told)
    cookie = cookie_for(port, 1000)
    child = port.inject(ACK | PSH, 1000, seq=1, ack=cookie.seq + 1, data=b"hello")
    port.expect_nothing()
    assert child is not None
    assert child.tcb.state is ESTABLISHED
    assert child.receive(100, port.now) == b"hello"
    assert port.count("syncookies-received") == 1
    assert told.states[-2:] == [(1000, "LISTEN", "SYN-RECEIVED"), (1000, "SYN-RECEIVED", "ESTABLISHED")]
    assert port.listener.accept(port.now) is child


def test_without_timestamps_a_cookie_has_neither_scale_nor_sack() -> None:
    port = flooded()
    cookie = cookie_for(port, 1000)
    assert cookie.options is not None
    assert cookie.options.mss == 1460
    assert cookie.options.window_scale == ABSENT
    assert not cookie.options.sack_permitted
    child = port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1, window=1000)
    assert child is not None
    assert child.tcb.peer_mss == 1460
    assert child.tcb.snd_wnd == 1000
    assert not child.tcb.sack_ok


def test_with_timestamps_they_come_back() -> None:
    port = flooded()
    port.wait("123ms")
    port.sent.clear()
    cookie = cookie_for(port, 1000, ts=(700, 0))
    assert cookie.options is not None
    assert cookie.options.window_scale == 7
    assert cookie.options.sack_permitted
    child = port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1, window=1000, ts=(701, cookie.ts_val))
    assert child is not None
    assert child.tcb.snd_wnd == 1000 << 7
    assert child.tcb.sack_ok
    assert child.tcb.ts_recent == 701
    child.send(b"x", port.now)
    answer = child.poll_segment(port.now)
    assert answer is not None
    assert 0 <= (answer.ts_val - cookie.ts_val) % 2**32 < 64, "its timestamps go on where the cookie's was"


def test_a_cookie_is_never_sent_again() -> None:
    # So a client that waits for the server to speak hangs, if the third segment is lost.
    port = flooded()
    cookie_for(port, 1000)
    port.wait("100s")
    assert {segment.destination_port for segment in port.sent} == {60_000}


def test_a_cookie_of_somebody_else_gets_a_reset() -> None:
    port = flooded()
    cookie = cookie_for(port, 1000)
    assert port.inject(ACK, 1001, seq=1, ack=cookie.seq + 1) is None
    port.expect(RST, 1001, seq=cookie.seq + 1)
    assert port.count("syncookies-failed") == 1
    assert port.inject(ACK, 1000, seq=2, ack=cookie.seq + 1) is None
    port.expect(RST, 1000, seq=cookie.seq + 1)


def test_an_old_cookie_gets_a_reset() -> None:
    port = flooded()
    cookie = cookie_for(port, 1000)
    port.wait("119s")
    port.sent.clear()
    cookie_for(port, 1001, syncookies=COOKIES_ALWAYS)
    port.wait("2s")
    assert port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1) is None
    port.expect(RST, 1000, seq=cookie.seq + 1)
    assert port.count("syncookies-failed") == 1


def test_where_none_was_sent_lately_none_is_looked_for() -> None:
    port = flooded()
    cookie_for(port, 1000)
    port.wait("121s")
    port.sent.clear()
    port.inject(ACK, 1001, seq=1, ack=5)
    port.expect(RST, 1001)
    assert port.count("syncookies-failed") == 0
    assert port.count("ack-in-listen") == 1


def test_never_means_never() -> None:
    port = flooded()
    cookie = cookie_for(port, 1000)
    port.config.syncookies = COOKIES_NEVER
    assert port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1) is None
    port.expect(RST, 1000)


def test_always_sends_them_to_everybody() -> None:
    config = TcpConfig()
    config.syncookies = COOKIES_ALWAYS
    port = Port(config=config)
    cookie = cookie_for(port, 1000)
    assert port.half_open == 0
    assert port.listener.deadline == NEVER
    assert port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1) is not None


def test_always_takes_a_cookie_that_another_machine_sent() -> None:
    configs = [TcpConfig(), TcpConfig()]
    for config in configs:
        config.syncookies = COOKIES_ALWAYS
        config.cookie_secret = 4711
    ports = [Port(config=config, seed=seed) for seed, config in enumerate(configs)]
    cookie = cookie_for(ports[0], 1000)
    assert ports[1].inject(ACK, 1000, seq=1, ack=cookie.seq + 1) is not None


def test_a_full_accept_queue_ignores_the_ack_of_a_cookie() -> None:
    port = flooded(1)
    cookies = [cookie_for(port, peer).seq for peer in (1000, 1001, 1002)]
    for peer, cookie in zip((1000, 1001), cookies, strict=False):
        assert port.inject(ACK, peer, seq=1, ack=cookie + 1) is not None
    assert port.inject(ACK, 1002, seq=1, ack=cookies[2] + 1) is None
    port.expect_nothing()
    assert port.listener.drop_reason == "accept-queue-full"
    port.listener.accept(port.now)
    assert port.inject(ACK | PSH, 1002, seq=1, ack=cookies[2] + 1, data=b"x") is not None


@pytest.mark.parametrize("off", ["timestamps", "window_scaling", "sack"])
def test_options_that_the_host_does_not_use_are_not_believed(off: str) -> None:
    port = flooded()
    cookie = cookie_for(port, 1000, ts=(700, 0))
    setattr(port.config, off, False)
    assert port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1, ts=(701, cookie.ts_val)) is None
    port.expect(RST, 1000)
    assert port.count("syncookies-bad-options") == 1


def test_a_peer_with_an_entry_may_bring_a_cookie_instead() -> None:
    # Its first SYN found the queue full and got a cookie, its second found room.
    told = Told()
    port = flooded(told=told)
    cookie = cookie_for(port, 1000)
    port.inject(RST, 60_000, seq=1)
    port.now += 4000
    iss = port.syn(1000)
    assert iss != cookie.seq
    child = port.inject(ACK, 1000, seq=1, ack=cookie.seq + 1)
    assert child is not None
    assert port.half_open == 0
    assert told.queues[-1] == (0, 1)


def test_an_honest_client_connects_through_a_flood() -> None:
    port = flooded(10)
    for turn in range(50):
        for forged in range(100):
            port.inject(SYN, 2000 + turn * 100 + forged, seq=forged, options=MSS)
        port.sent.clear()
        child = port.connected(1000 + turn)
        assert port.listener.accept(port.now) is child
        port.wait("10ms")
        port.sent.clear()
    assert port.half_open == 11
