"""echo, discard, chargen and the web server, asked by programs of a lab."""

import asyncio
import contextlib
import socket
import time

import pytest

from netglass import Network, run, spawn
from netglass.tools import services
from netglass.tools.services import PATTERN, Tally

PAGES = {"/": lambda: ("text/html", b"<p>hello</p>"), "/data.json": lambda: ("application/json", b"{}")}


class Lab:
    """A client, and a server with all services."""

    def __init__(self) -> None:
        net = Network(seed=1)
        self.client, server = net.host("client"), net.host("server")
        net.cable(self.client, server, delay="1 ms")
        self.tally = Tally()
        spawn(server, self._serve, server.addresses, daemon=True)

    def _serve(self, addresses: list[str]) -> None:
        asyncio.run(services.serve(addresses, PAGES, self.tally, lambda: None))

    def ask(self, program):
        def after_a_moment():
            time.sleep(0.1)
            return program()

        return run(self.client, after_a_moment)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def read_all(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def test_echo_gives_everything_back(lab: Lab):
    def program():
        with socket.create_connection(("server", 7)) as connection:
            connection.sendall(b"one" * 10_000)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    assert lab.ask(program) == b"one" * 10_000


def test_discard_says_nothing(lab: Lab):
    def program():
        with socket.create_connection(("server", 9)) as connection:
            connection.sendall(bytes(100_000))
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    assert lab.ask(program) == b""


def test_chargen_sends_its_pattern_no_faster_than_it_may(lab: Lab):
    came: list[bytes] = []

    def listen(seconds):
        with socket.create_connection(("server", 19)) as connection:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                came.append(connection.recv(65536))

    def program():
        listen(1)
        alone = b"".join(came)
        came.clear()
        others = [spawn(lab.client, listen, 3) for _ in range(3)]
        for other in others:
            other.wait()
        return alone, sum([len(each) for each in came])

    alone, together = lab.ask(program)
    assert alone.startswith(PATTERN + PATTERN)
    assert PATTERN.startswith(b" !\"#$%&'()*")
    assert alone.splitlines()[1].startswith(b"!\"#$%&'()*+")
    assert {len(line) for line in PATTERN.splitlines()} == {72}
    assert 900_000 < len(alone) < 1_100_000
    assert 2_700_000 < together < 3_300_000


def test_chargen_ends_when_the_client_does(lab: Lab):
    def program():
        with socket.create_connection(("server", 19)) as connection:
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
        time.sleep(1)
        return lab.tally.open["chargen"]

    assert lab.ask(program) == 0


def datagrams(server_port: int, own_port: int, count: int = 1, every: float = 0.0) -> int:
    """How many of them are answered."""
    came = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", own_port))
        for timeout in [every] * (count - 1) + [2.0]:
            asking.sendto(b"question", ("server", server_port))
            asking.settimeout(timeout)
            with contextlib.suppress(TimeoutError):
                while asking.recv(1000):
                    came += 1
    return came


@pytest.mark.parametrize(("port", "answers"), [(7, 1), (9, 0), (19, 1)])
def test_a_datagram(lab: Lab, port: int, answers: int):
    assert lab.ask(lambda: datagrams(port, 40000)) == answers


@pytest.mark.parametrize("port", [7, 19])
def test_services_do_not_answer_each_other(lab: Lab, port: int):
    """Whoever can forge a source address could make two of them talk for ever."""

    def program():
        return [datagrams(port, own_port) for own_port in (7, 19, 1023, 1024)]

    assert lab.ask(program) == [0, 0, 0, 1]
    assert lab.tally.counts["datagrams not answered: from a reserved port"] == 3


def test_datagrams_are_answered_so_often_and_no_more(lab: Lab):
    came = lab.ask(lambda: datagrams(7, 40000, 5000, 0.0001))
    assert 1400 < came < 2100  # a thousand at once, and as many a second
    assert lab.tally.counts["datagrams not answered: too many"] == 5000 - came
    assert lab.tally.counts["echo datagrams"] == 5000


def test_an_answer_is_no_longer_than_the_question(lab: Lab):
    def program():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            lengths = []
            for size in (0, 1, 10, 1000):
                asking.sendto(bytes(size), ("server", 19))
                lengths.append(len(asking.recv(2000)))
            return lengths

    assert lab.ask(program) == [1, 1, 10, 74]


def test_no_more_connections_than_there_is_room_for(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "MOST_CONNECTIONS", 3)

    def program():
        first = [socket.create_connection(("server", 7)) for _ in range(3)]
        with socket.create_connection(("server", 7)) as refused:
            assert refused.recv(1) == b""
        with socket.create_connection(("server", 9)) as another:  # which has room of its own
            another.sendall(b"hello")
        first.pop().close()
        time.sleep(1)
        with socket.create_connection(("server", 7)) as connection:
            connection.sendall(b"hello")
            answer = connection.recv(10)
        for each in first:
            each.close()
        return answer

    assert lab.ask(program) == b"hello"
    assert lab.tally.counts["connections refused: too many"] == 1


def http(lab: Lab, request: bytes) -> bytes:
    def program() -> bytes:
        with socket.create_connection(("server", 80)) as connection:
            connection.sendall(request)
            return read_all(connection)

    answer: bytes = lab.ask(program)
    return answer


def test_a_page(lab: Lab):
    answer = http(lab, b"GET /?x=1 HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 12\r\n")
    assert b"default-src 'none'" in head
    assert body == b"<p>hello</p>"


def test_a_connection_serves_more_than_one_request(lab: Lab):
    answer = http(lab, b"GET / HTTP/1.1\r\n\r\n" * 2 + b"HEAD /data.json HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert answer.count(b"<p>hello</p>") == 2
    assert answer.count(b"200 OK") == 3
    assert answer.endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\nConnection: close\r\n\r\n", b"404 Not Found"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405 Method Not Allowed"),
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"\r\n\r\n", b"400 Bad Request"),
        (b"GET  / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\xff\xfe / SSH-2.0\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
    ],
)
def test_odd_requests_are_answered_and_the_connection_closed(lab: Lab, request_: bytes, status: bytes):
    answer = http(lab, request_)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert answer.count(b"HTTP/1.1") == 1


def test_who_does_not_ask_is_sent_away(lab: Lab):
    def program():
        begin = time.monotonic()
        with socket.create_connection(("server", 80)) as connection:
            connection.sendall(b"GET / HTT")
            read_all(connection)
        return time.monotonic() - begin

    assert 60 <= lab.ask(program) < 61
