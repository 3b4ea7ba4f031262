"""Classes of the program's own that are derived from socket.socket, made before the run or in it."""

from __future__ import annotations

import socket

from tests.programs.both import both, linux_only, on_a_host

pytestmark = linux_only


class Counting(socket.socket):
    """As PySocks does it: attributes that look private, methods that go on to those of the base."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._timeout = None
        self._kind = self._run = self._number = "mine"
        self.sent = 0

    def settimeout(self, timeout):
        self._timeout = timeout
        super().settimeout(timeout)

    def send(self, data, flags=0):
        self.sent += len(data)
        return super().send(data, flags)

    def _connect(self, address):
        raise AssertionError("nobody but me calls this")

    _open = _send_to = _address = _message = _connect


def conversation(kind):
    with socket.create_server(("127.0.0.1", 0)) as listener, kind() as client:
        client.settimeout(2)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        client.send(b"hello")
        told = [client.sent, client._timeout, client.gettimeout(), client._kind, server.recv(10)]
        with server, client.dup() as twin:
            told += [type(twin).__name__, isinstance(client, socket.socket), isinstance(client, kind)]
        return told


def test_made_before_the_run():
    both(lambda: conversation(Counting))


def test_made_in_the_run():
    names = {**vars(Counting), "__init__": init, "send": send, "settimeout": set_timeout}
    names.pop("__dict__", None)
    both(lambda: conversation(type("Inner", (socket.socket,), names)))


def init(self, *args, **options):
    socket.socket.__init__(self, *args, **options)
    self._timeout = None
    self._kind = self._run = self._number = "mine"
    self.sent = 0


def send(self, data, flags=0):
    self.sent += len(data)
    return socket.socket.send(self, data, flags)


def set_timeout(self, timeout):
    self._timeout = timeout
    socket.socket.settimeout(self, timeout)


def test_after_the_run_they_are_real_again():
    on_a_host(lambda: conversation(Counting))
    with Counting(socket.AF_INET, socket.SOCK_DGRAM) as real:
        real.bind(("127.0.0.1", 0))
        assert real.type == socket.SOCK_DGRAM
        assert real.getsockname()[0] == "127.0.0.1"
    assert "__new__" not in vars(socket.socket)


def test_a_socket_shows_itself_after_its_run():
    left = on_a_host(lambda: socket.socket())
    assert repr(left) == "<socket.socket [its run is over] family=2, type=1, proto=0>"


def test_nothing_is_asked_for_nothing():
    def program():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            s.sendto(b"hello", s.getsockname())
            return [s.recv(0), s.recv_into(bytearray()), s.recv(10)]

    both(program)
