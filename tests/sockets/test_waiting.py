"""What a layer above needs to make calls wait: masks, limits, wake-ups, lingering."""

from __future__ import annotations

from struct import pack

import pytest

from netglass.errnos import EAGAIN, EALREADY, ECONNREFUSED, EINPROGRESS
from netglass.sockets import TO_ACCEPT, TO_CONNECT, TO_RECEIVE, TO_SEND
from netglass.sockets.constants import (
    AF_INET,
    IPPROTO_TCP,
    MSG_DONTWAIT,
    MSG_WAITALL,
    SO_LINGER,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NOTSENT_LOWAT,
)
from netglass.times import MILLISECOND, NEVER, SECOND
from netglass.world import POLLIN, POLLOUT, Waker
from tests.sockets.pair import Pair


class Bell(Waker):
    def __init__(self) -> None:
        self.rang: list[int] = []

    def wake(self, events: int) -> None:
        self.rang.append(events)


def test_a_call_that_would_wait():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    result = calls.recv(client, 10, pair.now)
    assert result == -EAGAIN
    assert calls.must_wait(client, result)
    assert not calls.must_wait(client, result, MSG_DONTWAIT)
    assert not calls.must_wait(client, b"data")
    assert not calls.must_wait(client, -ECONNREFUSED)
    assert not calls.must_wait(99, -EAGAIN)
    polite = calls.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    assert not calls.must_wait(polite, calls.connect(polite, ("10.0.0.2", 80), pair.now))


def test_connect_is_repeated_until_it_says_how_it_ended():
    pair = Pair()
    pair.listener()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    address = ("10.0.0.2", 80)
    assert calls.must_wait(client, calls.connect(client, address, pair.now))
    assert calls.ready(client) & TO_CONNECT == 0
    assert calls.connect(client, address, pair.now) == -EALREADY
    pair.run(25 * MILLISECOND)
    assert calls.ready(client) & TO_CONNECT
    assert calls.connect(client, address, pair.now) == 0


def test_connect_that_nobody_answers():
    pair = Pair()
    pair.cut = True
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    assert calls.connect(client, ("10.0.0.2", 80), pair.now) == -EINPROGRESS
    pair.run(126 * SECOND)
    assert calls.ready(client) == 0
    pair.run(2 * SECOND)  # 127 s: six retries
    assert calls.ready(client) & TO_CONNECT
    assert calls.connect(client, ("10.0.0.2", 80), pair.now) == -110


def test_accept_and_receive_are_woken_once_each():
    pair = Pair()
    listener = pair.listener()
    bell = Bell()
    heard = pair.b.sockets.description(listener)
    assert heard is not None
    heard.watchers.append(bell)
    client = pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    pair.a.sockets.connect(client, ("10.0.0.2", 80), pair.now)
    pair.run(15 * MILLISECOND)
    assert bell.rang == []
    assert pair.b.sockets.ready(listener) & TO_ACCEPT == 0
    pair.run(25 * MILLISECOND)
    assert bell.rang == [POLLIN]
    assert pair.b.sockets.ready(listener) & TO_ACCEPT
    accepted = pair.b.sockets.accept(listener, pair.now)
    assert isinstance(accepted, tuple)
    stream = pair.b.sockets.description(accepted[0])
    assert stream is not None
    stream.watchers.append(bell)
    pair.a.sockets.send(client, b"hello", pair.now)
    pair.run(15 * MILLISECOND)
    assert len(bell.rang) == 2
    assert bell.rang[1] & POLLIN
    assert pair.b.sockets.ready(accepted[0]) & TO_RECEIVE


def test_a_watcher_may_leave_while_it_is_woken():
    pair = Pair()
    client, server = pair.connected()
    description = pair.b.sockets.description(server)
    assert description is not None
    watchers = description.watchers

    class Once(Bell):
        def wake(self, events: int) -> None:
            super().wake(events)
            watchers.remove(self)

    first, second = Once(), Bell()
    watchers += [first, second]
    for _ in range(2):
        pair.a.sockets.send(client, b"x", pair.now)
        pair.run()
        pair.b.sockets.recv(server, 10, pair.now)
    assert len(first.rang) == 1
    assert len(second.rang) == 2


def test_a_full_send_buffer_wakes_the_writer():
    pair = Pair()
    client, server = pair.connected()
    calls = pair.a.sockets
    calls.setsockopt(client, SOL_SOCKET, SO_SNDBUF, 20_000, pair.now)
    assert calls.send(client, bytes(100_000), pair.now) == 20_000
    assert calls.send(client, b"x", pair.now) == -EAGAIN
    assert calls.ready(client) & TO_SEND == 0
    pair.run(100 * MILLISECOND)
    assert calls.ready(client) & TO_SEND
    assert calls.send(client, bytes(100_000), pair.now) == 20_000
    pair.run()
    assert pair.b.sockets.recv(server, 1 << 20, pair.now) == bytes(40_000)


def test_low_water_for_reading():
    pair = Pair()
    client, server = pair.connected()
    calls = pair.b.sockets
    calls.setsockopt(server, SOL_SOCKET, SO_RCVLOWAT, 10, pair.now)
    pair.a.sockets.send(client, b"123456789", pair.now)
    pair.run()
    assert calls.ready(server) & POLLIN == 0
    assert calls.receive_target(server, 100) == 10
    assert calls.receive_target(server, 5) == 5
    assert calls.receive_target(server, 100, MSG_WAITALL) == 100
    pair.a.sockets.send(client, b"0", pair.now)
    pair.run()
    assert calls.ready(server) & POLLIN
    calls.recv(server, 100, pair.now)
    pair.a.sockets.send(client, b"last", pair.now)
    pair.a.sockets.shutdown(client, 1, pair.now)
    pair.run()
    assert calls.ready(server) & POLLIN, "the end of the stream does not wait for more"


def test_low_water_for_unsent_data():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    calls.setsockopt(client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 10_000, pair.now)
    calls.send(client, bytes(60_000), pair.now)  # ten segments leave at once
    assert calls.ready(client) & POLLOUT == 0
    assert calls.send(client, b"x", pair.now) == -EAGAIN
    pair.run()
    assert calls.ready(client) & POLLOUT
    assert calls.send(client, b"x", pair.now) == 1


@pytest.mark.parametrize(("option", "mask"), [(SO_RCVTIMEO, TO_RECEIVE), (SO_SNDTIMEO, TO_SEND)])
def test_time_limits(option, mask):
    pair = Pair()
    calls = pair.a.sockets
    fd = calls.socket(AF_INET, SOCK_STREAM)
    assert calls.wait_limit(fd, mask) == NEVER
    calls.setsockopt(fd, SOL_SOCKET, option, pack("<qq", 2, 500_000), pair.now)
    assert calls.wait_limit(fd, mask) == 2500 * MILLISECOND
    assert calls.wait_limit(fd, TO_SEND if mask == TO_RECEIVE else TO_RECEIVE) == NEVER
    calls.setsockopt(fd, SOL_SOCKET, option, pack("<qq", 0, 0), pair.now)
    assert calls.wait_limit(fd, mask) == NEVER


def test_accepted_sockets_inherit_time_limits():
    pair = Pair()
    listener = pair.listener()
    pair.b.sockets.setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, pack("<qq", 3, 0), pair.now)
    pair.a.sockets.connect(pair.a.sockets.socket(AF_INET, SOCK_STREAM), ("10.0.0.2", 80), pair.now)
    pair.run()
    accepted = pair.b.sockets.accept(listener, pair.now)
    assert isinstance(accepted, tuple)
    assert pair.b.sockets.wait_limit(accepted[0], TO_RECEIVE) == 3 * SECOND


def test_lingering_until_the_data_is_acknowledged():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    assert calls.lingering(client) == 0
    calls.setsockopt(client, SOL_SOCKET, SO_LINGER, pack("<ii", 1, 5), pair.now)
    copy = calls.dup(client)
    assert calls.lingering(client) == 0, "not the last descriptor"
    calls.close(copy, pair.now)
    assert calls.lingering(client) == 5 * SECOND
    description = calls.description(client)
    assert description is not None
    calls.send(client, b"goodbye", pair.now)
    assert calls.close(client, pair.now) == 0
    assert description.draining()
    pair.run(15 * MILLISECOND)
    assert description.draining()
    pair.run(100 * MILLISECOND)
    assert not description.draining()


def test_lingering_for_nobody():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    calls.setsockopt(client, SOL_SOCKET, SO_LINGER, pack("<ii", 1, 5), pair.now)
    description = calls.description(client)
    assert description is not None
    pair.cut = True
    calls.send(client, b"goodbye", pair.now)
    calls.close(client, pair.now)
    pair.run(5 * SECOND)
    assert description.draining()
