"""A UDP port by itself: its queue, whom it hears, its readiness."""

from __future__ import annotations

import pytest

from netglass.errnos import EAGAIN, ECONNREFUSED, EHOSTUNREACH
from netglass.udp.port import OVERHEAD, ReceivedDatagram, UdpPort
from netglass.wire.address import parse
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP

HOST, PEER, OTHER = parse("10.0.0.1"), parse("10.0.0.2"), parse("10.0.0.3")
GROUP = parse("224.0.0.100")


def datagram(data: bytes) -> ReceivedDatagram:
    return ReceivedDatagram(PEER, 4000, data, HOST, 64, 0, "eth0")


def test_datagrams_are_read_in_order_whole_and_once():
    port = UdpPort(b"", 64)
    assert port.receive() == -EAGAIN
    for data in (b"one", b"", b"three"):
        assert port.deliver(datagram(data))
    seen = []
    for peek in (True, False, False, False):
        got = port.receive(peek)
        assert isinstance(got, ReceivedDatagram)
        seen.append(got.payload)
    assert seen == [b"one", b"one", b"", b"three"]
    assert port.receive() == -EAGAIN
    assert port.queued == 0


def test_the_queue_is_bounded_in_bytes_and_empty_datagrams_count():
    port = UdpPort(b"", 64)
    port.rcvbuf = 10 * OVERHEAD
    taken = 0
    while port.deliver(datagram(b"")):
        taken += 1
    assert taken == 10
    port.receive()
    assert port.deliver(datagram(b""))
    assert not port.deliver(datagram(b""))


def test_one_datagram_fits_however_small_the_limit():
    port = UdpPort(b"", 64)
    port.rcvbuf = 1
    assert port.deliver(datagram(bytes(1000)))
    assert not port.deliver(datagram(b""))


@pytest.mark.parametrize(
    ("local", "remote", "score"),
    [
        (b"", b"", 0),
        (bytes(4), b"", 0),
        (bytes(16), b"", -1),
        (HOST, b"", 1),
        (OTHER, b"", -1),
        (b"", PEER, 2),
        (HOST, PEER, 3),
        (HOST, OTHER, -1),
    ],
)
def test_the_more_exactly_a_port_is_bound_the_better_it_fits(local: bytes, remote: bytes, score: int):
    port = UdpPort(local, 64)
    port.remote, port.remote_port = remote, 4000 if remote else 0
    assert port.score(HOST, PEER, 4000) == score
    if remote:
        assert port.score(HOST, PEER, 4001) == -1


def test_what_is_sent_to_many_reaches_every_port_that_it_fits():
    port = UdpPort(bytes(4), 64)
    assert port.takes_group(parse("255.255.255.255"), PEER, 4000)
    assert port.takes_group(GROUP, PEER, 4000)
    port.remote = OTHER
    assert not port.takes_group(GROUP, PEER, 4000)
    bound = UdpPort(GROUP, 64)
    assert bound.takes_group(GROUP, PEER, 4000)
    assert not bound.takes_group(parse("224.0.0.101"), PEER, 4000)
    assert not UdpPort(bytes(16), 64).takes_group(parse("255.255.255.255"), PEER, 4000)


def test_an_error_is_told_once_and_only_if_connected_and_final():
    port = UdpPort(b"", 64)
    assert not port.receive_error(ECONNREFUSED, True)
    port.remote, port.remote_port = PEER, 4000
    assert not port.receive_error(EHOSTUNREACH, False)
    assert port.receive_error(ECONNREFUSED, True)
    assert port.readiness() & POLLERR
    assert port.receive() == -ECONNREFUSED
    assert port.receive() == -EAGAIN
    assert port.take_error() == 0


def test_readiness_says_what_is_true_now():
    port = UdpPort(b"", 64)
    assert port.readiness() == POLLOUT
    port.deliver(datagram(b""))
    assert port.readiness() == POLLIN | POLLOUT
    port.receive()
    port.read_closed = True
    assert port.readiness() == POLLIN | POLLOUT | POLLRDHUP
    port.write_closed = True
    assert port.readiness() & POLLHUP
