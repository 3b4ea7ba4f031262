"""recv_chunks: what recv gives, in pieces."""

from __future__ import annotations

import pytest

from netglass import Network, errnos
from netglass.sockets import Sockets
from netglass.sockets.constants import AF_INET, MSG_OOB, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM


class Both:
    """A socket and what it is connected to, over a cable without delay."""

    def __init__(self) -> None:
        self.net = Network()
        a, b = self.net.host("a", "10.0.0.1"), self.net.host("b", "10.0.0.2")
        self.net.cable(a, b)
        self.a: Sockets = a.sockets
        self.b: Sockets = b.sockets
        listener = self.b.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
        self.b.bind(listener, ("", 80), 0)
        self.b.listen(listener, 1, 0)
        self.ours = self.a.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
        self.a.connect(self.ours, ("10.0.0.2", 80), 0)
        self.net.run()
        accepted = self.b.accept(listener, self.net.now())
        assert isinstance(accepted, tuple)
        self.theirs = accepted[0]

    def send(self, data: bytes, flags: int = 0) -> None:
        assert self.a.send(self.ours, data, self.net.now(), flags) == len(data)
        self.net.run()

    def receive(self, size: int) -> bytes | int:
        chunks = self.b.recv_chunks(self.theirs, size, self.net.now())
        return chunks if isinstance(chunks, int) else b"".join(chunks)


@pytest.fixture
def both() -> Both:
    return Both()


def test_the_same_bytes(both: Both):
    data = bytes(range(256)) * 40
    both.send(data)
    assert both.receive(5000) == data[:5000]
    assert both.receive(1 << 20) == data[5000:]
    assert both.receive(1) == -errnos.EAGAIN


def test_the_end_is_no_piece(both: Both):
    both.send(b"last")
    both.a.shutdown(both.ours, SHUT_WR, both.net.now())
    both.net.run()
    assert both.receive(100) == b"last"
    assert both.b.recv_chunks(both.theirs, 100, both.net.now()) == []


def test_the_urgent_byte_is_left_out(both: Both):
    both.send(b"abc", MSG_OOB)
    both.send(b"def")
    assert both.receive(100) == b"ab"
    assert both.receive(100) == b"def"


def test_the_window_opens_again(both: Both):
    data = bytes(3 << 20)
    got = 0
    at = 0
    while got < len(data):
        at += max(both.a.send(both.ours, data[at:], both.net.now()), 0)
        both.net.run()
        more = both.receive(1 << 24)
        assert isinstance(more, bytes)
        got += len(more)
        both.net.run()


def test_other_sockets(both: Both):
    assert both.b.recv_chunks(99, 1, 0) == -errnos.EBADF
    assert both.b.recv_chunks(both.theirs, -1, 0) == -errnos.EINVAL
    fd = both.b.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)
    both.b.bind(fd, ("", 53), 0)
    sender = both.a.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)
    both.a.sendto(sender, b"datagram", ("10.0.0.2", 53), both.net.now())
    both.net.run()
    assert both.b.recv_chunks(fd, 100, both.net.now()) == [b"datagram"]
    unconnected = both.b.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    assert both.b.recv_chunks(unconnected, 100, both.net.now()) == -errnos.ENOTCONN
