"""Programs of the standard library, blocking and async, unmodified, between two hosts: with loss, and over TLS."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import io
import socket
import socketserver
import ssl
import threading
import time
import urllib.request
import xmlrpc.client
import xmlrpc.server
from pathlib import Path

import pytest

from netglass import Network
from netglass.programs.run import run, spawn
from netglass.trace import Recorder, write_pcapng

CERTIFICATE = Path(__file__).with_name("certificate.pem")
LOSSES = pytest.mark.parametrize("loss", [0, 0.05])


def two(loss=0):
    net = Network(seed=3)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", loss=loss)
    return client, server


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context():
    return ssl.create_default_context(cafile=CERTIFICATE)


@LOSSES
def test_threads_and_blocking_sockets(loss):
    def serve(listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection):
        with connection:
            while data := connection.recv(1000):
                connection.sendall(data.upper())

    def program():
        listener = socket.create_server(("", 7))
        serve(listener)

    def ask():
        with socket.create_connection(("server", 7), timeout=60) as connection:
            connection.sendall(b"hello" * 10_000)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as file:
                return file.read()

    client, server = two(loss)
    spawn(server, program, daemon=True)
    assert run(client, ask) == b"HELLO" * 10_000


@LOSSES
@pytest.mark.parametrize("tls", [False, True])
def test_asyncio_streams(loss, tls):
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def serve():
        server = await asyncio.start_server(answer, "", 80, ssl=server_context() if tls else None)
        for _ in range(100):
            await asyncio.sleep(1)
        server.close()
        await server.wait_closed()

    async def ask(number):
        reader, writer = await asyncio.open_connection("server", 80, ssl=client_context() if tls else None)
        writer.write(b"hello %d\n" % number)
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return data

    async def ask_all():
        return await asyncio.gather(*[ask(number) for number in range(5)])

    client, server = two(loss)
    spawn(server, lambda: asyncio.run(serve()))
    assert run(client, lambda: asyncio.run(ask_all())) == [b"HELLO %d\n" % number for number in range(5)]


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one write: else Nagle and a delayed ACK cost 60 ms

    def do_GET(self):
        body = b"page " + self.path.encode() + b"." * (20 if self.path == "/x" else 20_000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@LOSSES
@pytest.mark.parametrize("tls", [False, True])
def test_http_server_and_urllib(loss, tls):
    def serve():
        with http.server.ThreadingHTTPServer(("", 80), Pages) as server:
            if tls:
                server.socket = server_context().wrap_socket(server.socket, server_side=True)
            server.serve_forever()

    def ask():
        context = client_context() if tls else None
        with urllib.request.urlopen(f"http{'s' if tls else ''}://server:80/one", context=context) as answer:
            return answer.status, answer.read()

    client, server = two(loss)
    spawn(server, serve, daemon=True)
    assert run(client, ask) == (200, b"page /one" + b"." * 20_000)


def test_keep_alive_takes_one_round_trip_a_page():
    def serve():
        with http.server.ThreadingHTTPServer(("", 80), Pages) as server:
            server.serve_forever()

    def ask():
        connection = http.client.HTTPConnection("server")
        took = []
        for _ in range(3):
            began = time.monotonic()
            connection.request("GET", "/x")
            connection.getresponse().read()
            took.append(round(time.monotonic() - began, 3))
        connection.close()
        return took

    client, server = two()
    spawn(server, serve, daemon=True)
    assert run(client, ask)[1:] == [0.02, 0.02]


def test_xmlrpc():
    def serve():
        with xmlrpc.server.SimpleXMLRPCServer(("", 8000), logRequests=False) as server:
            server.register_function(lambda x, y: x**y, "pow")
            server.serve_forever()

    client, server = two(0.05)
    spawn(server, serve, daemon=True)
    assert run(client, lambda: xmlrpc.client.ServerProxy("http://server:8000").pow(2, 10)) == 1024


def test_datagrams_of_socketserver():
    class Upper(socketserver.BaseRequestHandler):
        def handle(self):
            data, sock = self.request
            sock.sendto(data.upper(), self.client_address)

    def serve():
        with socketserver.UDPServer(("", 5000), Upper) as server:
            server.serve_forever()

    def ask():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto(b"name", ("server", 5000))
            return sock.recvfrom(100)

    client, server = two()
    spawn(server, serve, daemon=True)
    assert run(client, ask) == (b"NAME", ("10.0.0.2", 5000))


# -- TLS, blocking


def tls_pair(loss, at_server, at_client):
    """Runs both ends over one TLS connection; what they return."""

    def serve():
        with server_context().wrap_socket(socket.create_server(("", 443)), server_side=True) as listener:
            connection, _ = listener.accept()
            with connection:
                return at_server(connection)

    def ask():
        raw = socket.create_connection(("server", 443))
        with client_context().wrap_socket(raw, server_hostname="server") as connection:
            return at_client(connection)

    client, server = two(loss)
    task = spawn(server, serve)
    return run(client, ask), task.result


@LOSSES
def test_blocking_tls_moves_data_both_ways(loss):
    def at_server(connection):
        got = b""
        while len(got) < 300_000:
            got += connection.recv(65536)
        connection.sendall(got[::-1])
        return connection.version(), len(got)

    def at_client(connection):
        connection.sendall(b"ab" * 150_000)
        with connection.makefile("rb") as file:
            answer = file.read(300_000)
        return answer == b"ba" * 150_000, dict(each[0] for each in connection.getpeercert()["subject"])

    answer, told = tls_pair(loss, at_server, at_client)
    assert answer == (True, {"commonName": "server"})
    assert told == ("TLSv1.3", 300_000)


def test_tls_timeouts_and_not_waiting():
    def at_server(connection):
        return connection.recv(10)

    def at_client(connection):
        assert isinstance(connection, ssl.SSLSocket)
        connection.settimeout(0.5)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="read operation timed out"):
            connection.recv(1)
        assert time.monotonic() - began == pytest.approx(0.5)
        connection.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            connection.recv(1)
        return connection.send(b"x")

    assert tls_pair(0, at_server, at_client) == (1, b"x")


def test_a_full_socket_makes_tls_want_to_write():
    def at_server(connection):
        time.sleep(10)
        size = 0
        while data := connection.recv(65536):
            size += len(data)
        return size

    def at_client(connection):
        connection.setblocking(False)
        sent = 0
        wanted = 0
        while sent < 10_000_000 and wanted < 20:
            try:
                sent += connection.send(bytes(16_000))
            except ssl.SSLWantWriteError:
                wanted += 1
                time.sleep(1)
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(True)
        while connection.recv(65536):  # session tickets: closing with them unread would reset
            pass
        return sent, wanted > 0

    (sent, wanted), received = tls_pair(0, at_server, at_client)
    assert wanted
    assert received == sent


def test_unwrap_leaves_the_plain_text():
    def at_server(connection):
        plain = connection.unwrap()
        plain.sendall(b"plain text")
        return plain.recv(5)

    def at_client(connection):
        plain = connection.unwrap()
        got = plain.recv(100)
        plain.sendall(b"thank")
        return got

    assert tls_pair(0, at_server, at_client) == (b"plain text", b"thank")


def test_select_sees_a_record_that_waits():
    import select

    def at_server(connection):
        connection.sendall(b"one")
        connection.sendall(b"two")
        return connection.recv(1)

    def at_client(connection):
        time.sleep(1)
        found = [connection.recv(100), len(select.select([connection], [], [], 0)[0]), connection.recv(100)]
        connection.sendall(b"x")
        return found

    assert tls_pair(0, at_server, at_client)[0] == [b"one", 1, b"two"]


def test_a_certificate_that_nobody_trusts():
    def serve():
        listener = server_context().wrap_socket(socket.create_server(("", 443)), server_side=True)
        with listener, pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
            listener.accept()

    def ask():
        connection = ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="server")
        with connection, pytest.raises(ssl.SSLCertVerificationError):
            connection.connect(("server", 443))

    client, server = two()
    spawn(server, serve)
    run(client, ask)


def recorded_tls(deterministic):
    """The bytes of all packets of a TLS conversation."""
    client, server = two(0.05)
    recorder = Recorder()
    client.world.observe(recorder)

    def serve():
        with server_context().wrap_socket(socket.create_server(("", 443)), server_side=True) as listener:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(100))

    def ask():
        raw = socket.create_connection(("server", 443))
        with client_context().wrap_socket(raw, server_hostname="server") as connection:
            connection.sendall(b"the same")
            return connection.recv(100)

    spawn(server, serve)
    assert run(client, ask, deterministic_tls=deterministic) == b"the same"
    file = io.BytesIO()
    write_pcapng(recorder, file, "all")
    return file.getvalue()


def test_tls_can_have_the_same_bytes_in_every_run():
    assert recorded_tls(True) == recorded_tls(True)
    assert recorded_tls(False) != recorded_tls(False)


# -- names


def test_names():
    def program():
        return {
            "own": socket.gethostname(),
            "full": socket.getfqdn("server"),
            "one": socket.gethostbyname("server"),
            "local": socket.gethostbyname("localhost"),
            "back": socket.gethostbyaddr("10.0.0.2")[0],
            "info": socket.getnameinfo(("10.0.0.2", 80), socket.NI_NUMERICSERV),
            "all": [each[4][0] for each in socket.getaddrinfo("server", 80, type=socket.SOCK_STREAM)],
            "six": socket.getaddrinfo("server", "80", socket.AF_INET6, socket.SOCK_DGRAM)[0][:3],
            "passive": socket.getaddrinfo(None, 80, socket.AF_INET, 1, flags=socket.AI_PASSIVE)[0][4],
        }

    client, server = two()
    found = run(client, program)
    assert found == {
        "own": "client",
        "full": "server",
        "one": server.address,
        "local": "127.0.0.1",
        "back": "server",
        "info": ("server", "80"),
        "all": [server.address, server.address6],
        "six": (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_UDP),
        "passive": ("0.0.0.0", 80),
    }


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: socket.gethostbyname("nobody"), socket.EAI_NONAME),
        (lambda: socket.create_connection(("nobody", 80)), socket.EAI_NONAME),
        (lambda: socket.getaddrinfo("10.0.0.1", 80, socket.AF_INET6), socket.EAI_ADDRFAMILY),
        (lambda: socket.getaddrinfo("server", 80, 77), socket.EAI_FAMILY),
        (lambda: socket.getaddrinfo("server", "nothing"), socket.EAI_SERVICE),
    ],
)
def test_names_that_nobody_has(call, code):
    def program():
        with pytest.raises(socket.gaierror) as caught:
            call()
        return caught.value.errno

    assert run(two()[0], program) == code


# -- what is left open


def test_objects_that_go_close_their_connection():
    def serve():
        listener = socket.create_server(("", 80))
        connection, _ = listener.accept()
        with listener, connection:
            return connection.recv(10)

    def ask():
        connection = socket.create_connection(("server", 80))
        with pytest.warns(ResourceWarning, match="unclosed"):
            del connection
        time.sleep(1)

    client, server = two()
    task = spawn(server, serve)
    run(client, ask)
    assert task.result == b""


def test_what_a_run_leaves_open_is_closed():
    client, server = two()
    kept: list[object] = []

    def serve():
        listener = socket.create_server(("", 80))
        kept.append((listener, listener.accept()))
        threading.Event().wait()

    def ask():
        kept.append(socket.create_connection(("server", 80)))

    for _ in range(2):  # the port is free again
        spawn(server, serve, daemon=True)
        run(client, ask)
    assert not [entry for entry in server.netstat() if entry.state in ("LISTEN", "ESTABLISHED")]


def test_a_socket_of_another_run_does_nothing():
    kept = []
    run(two()[0], lambda: kept.append(socket.socket()))
    with pytest.raises(RuntimeError, match="run"):
        kept[0].connect(("server", 80))
    host = two()[0]

    def program():
        with pytest.raises(OSError, match="Bad file"):
            kept[0].send(b"x")
        return True

    assert run(host, program) is True


def test_real_descriptors_are_refused():
    import os
    import select

    reader, writer = os.pipe()
    real = socket.socket()

    def program():
        for call in (
            lambda: select.select([reader], [], []),
            lambda: select.select([real], [], []),
            lambda: socket.socket(fileno=real.fileno()),
        ):
            with pytest.raises(OSError, match="real"):
                call()

    run(two()[0], program)
    os.close(reader)
    os.close(writer)
    real.close()


def test_who_waits_is_named_by_its_peer():
    from netglass import Deadlock

    def program():
        with socket.create_server(("", 80)), socket.create_connection(("client", 80)) as connection:
            connection.recv(1)

    host = two()[0]
    with pytest.raises(Deadlock, match=rf"recv {host.address}:80 on fd \d+"):
        run(host, program)
