"""Bugs that testers know from production and could not reproduce: unmodified clients, the network broken at one exact
place, the same seconds in every run. Libraries that are not installed are skipped: `pip install 'netglass[compat]'`.

No test takes a fixture: `benchmarks/famous_bugs.py` calls and times them as they are.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from netglass import Deadlock, HostConfig, Network, faults, match, run, spawn

MILLISECONDS = 1000


def two(server_config=None, **cable):
    """A network, a client and a server, 10 ms of round trip between them."""
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server", config=server_config)
    net.cable(client, server, delay="5 ms", **cable)
    return net, client, server


def timed(call, *errors):
    """(seconds that the call took, its result or the name of the error)."""
    began = time.monotonic()
    try:
        result = call()
    except errors as error:
        result = type(error).__name__
    return round(time.monotonic() - began, 3), result


# -- a server that falls silent


ANSWERS = {b"PING": b"+PONG\r\n", b"SET": b"+OK\r\n", b"GET": b"$1\r\n1\r\n", b"CLIENT": b"+OK\r\n"}


def redis_server():
    """Speaks what these tests need of the protocol, and answers BLPOP never."""

    def serve(connection):
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                words = [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
                connection.sendall(ANSWERS.get(words[0].upper(), b""))

    with socket.create_server(("", 6379)) as listener:
        while True:
            Thread(target=serve, args=listener.accept()[:1], daemon=True).start()


def patience(command, **options):
    """How long `command(client)` takes, and how it ends, when the server has vanished behind an idle connection."""
    redis = pytest.importorskip("redis")
    retry = pytest.importorskip("redis.retry").Retry(pytest.importorskip("redis.backoff").NoBackoff(), 0)
    net, near, far = two()

    def ask():
        client = redis.Redis("server", protocol=2, retry=retry, **{"socket_timeout": None, **options})
        client.set("key", "1")
        time.sleep(1)
        net.partition(near, far)
        return timed(lambda: command(client), redis.RedisError)

    spawn(far, redis_server, daemon=True)
    return run(near, ask)


PROBES = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


def test_a_request_to_a_silent_server_takes_a_quarter_of_an_hour():
    """Without a timeout of its own a client waits for TCP to give up: 15 retransmissions (net.ipv4.tcp_retries2)."""
    seconds, end = patience(lambda client: client.get("key"))
    assert end == "TimeoutError"
    # An RTO of 210 ms doubles to 120 s, and stays there: 0.21 * (2**10 - 1) + 6 * 120.
    assert seconds == pytest.approx(934.83)


def test_keep_alive_does_not_help_while_a_request_is_under_way():
    """Probes are for idle connections: what has not been acknowledged is retransmitted for its 15 minutes."""
    assert patience(lambda client: client.get("key"), socket_keepalive=True, socket_keepalive_options=PROBES) == (
        pytest.approx(934.83),
        "TimeoutError",
    )


def test_tcp_user_timeout_ends_a_request_to_a_silent_server():
    options = {socket.TCP_USER_TIMEOUT: 20 * MILLISECONDS}
    seconds, end = patience(lambda client: client.get("key"), socket_keepalive=True, socket_keepalive_options=options)
    assert end == "TimeoutError"
    assert seconds == pytest.approx(20.21)


def test_a_timeout_of_the_client_ends_a_request_to_a_silent_server():
    assert patience(lambda client: client.get("key"), socket_timeout=5) == (5.0, "TimeoutError")


def test_who_only_waits_for_a_silent_server_waits_for_ever():
    """BLPOP has been sent and acknowledged: nothing is left to retransmit, nothing tells that the server is gone."""
    with pytest.raises(Deadlock, match=r"main on client waits for recv.* 10\.0\.0\.2:6379"):
        waits_for_ever()


def blocked_when_it_vanishes(**options):
    """BLPOP reaches the server; then the server vanishes."""
    redis = pytest.importorskip("redis")
    retry = pytest.importorskip("redis.retry").Retry(pytest.importorskip("redis.backoff").NoBackoff(), 0)
    net, near, far = two()

    def ask():
        client = redis.Redis("server", protocol=2, retry=retry, socket_timeout=None, **options)
        client.set("key", "1")
        net.after("1 s", lambda: net.partition(near, far))
        return timed(lambda: client.blpop("jobs"), redis.RedisError)

    spawn(far, redis_server, daemon=True)
    return run(near, ask)


def waits_for_ever():
    blocked_when_it_vanishes(socket_keepalive=False)


def test_keep_alive_finds_out_that_the_server_is_gone():
    seconds, end = blocked_when_it_vanishes(socket_keepalive=True, socket_keepalive_options=PROBES)
    assert end == "TimeoutError"
    # 10 s after the last acknowledgement, which came 10 to 50 ms after the request; three probes, 5 s apart.
    assert 25 < seconds < 25.1


def test_a_health_check_replaces_a_connection_that_a_firewall_has_forgotten():
    """A firewall forgets an idle connection and drops what belongs to it. The PING before the next command finds that
    out, after the client's timeout, and the command goes over a new connection."""
    redis = pytest.importorskip("redis")
    retry = pytest.importorskip("redis.retry").Retry(pytest.importorskip("redis.backoff").NoBackoff(), 1)

    def after_a_pause(**options):
        first: list[int] = []  # the client's port in the first connection

        def forgotten(packet):
            ports = {packet.payload.source_port, packet.payload.destination_port} - {6379}
            first.extend(ports if not first else ())
            return first[0] in ports

        _, near, far = two(faults=[faults.blackhole("60 s", only=match.where(forgotten, "the first connection"))])

        def ask():
            client = redis.Redis("server", protocol=2, socket_timeout=2, socket_keepalive=False, **options)
            client.get("key")
            time.sleep(120)
            return timed(lambda: client.get("key"), redis.RedisError)

        spawn(far, redis_server, daemon=True)
        return run(near, ask)

    never = pytest.importorskip("redis.retry").Retry(pytest.importorskip("redis.backoff").NoBackoff(), 0)
    assert after_a_pause(retry=never) == (2.0, "TimeoutError")
    # Two seconds until the PING is given up; then connect, two greetings at once, PING, GET.
    seconds, answer = after_a_pause(retry=retry, health_check_interval=30)
    assert answer == b"1"
    assert 2.02 <= seconds <= 2.1


# -- the keep-alive race


def second_request(method, idle):
    """The same request twice over one aiohttp session, `idle` ms apart; the server keeps connections for 3 s. How the
    second ends, and how many requests the server saw."""
    aiohttp = pytest.importorskip("aiohttp")
    web = pytest.importorskip("aiohttp.web")
    _, near, far = two()
    seen = []

    def serve():
        async def page(request):
            seen.append(request.method)
            return web.Response(text="hello")

        application = web.Application()
        application.router.add_route("*", "/", page)
        web.run_app(application, port=80, print=None, handle_signals=False, keepalive_timeout=3)

    async def fetch(session):
        async with session.request(method, "http://server/") as answer:
            return await answer.text()

    async def ask():
        await asyncio.sleep(0.1)
        async with aiohttp.ClientSession() as session:
            await fetch(session)
            await asyncio.sleep(idle / 1000)
            try:
                return await fetch(session)
            except aiohttp.ClientError as error:
                return type(error).__name__

    spawn(far, serve, daemon=True)
    return run(near, lambda: asyncio.run(ask())), len(seen)


def test_the_keep_alive_race_is_one_round_trip_wide():
    """The server closes an idle connection just when the client uses it again. A GET is repeated behind the user's
    back; a POST must not be, and fails, once in many days. Here: swept, with the round trip of 10 ms as the window."""
    sweep = (2980, 2988, 2991, 2995, 2999, 3001, 3010)
    found = {idle: (second_request("POST", idle), second_request("GET", idle)) for idle in sweep}
    for idle, (post, read) in found.items():
        print(f"second request after {idle} ms: POST {post[0]:24} GET {read[0]}")
    assert [idle for idle in sweep if found[idle][0] == ("ServerDisconnectedError", 1)] == [2991, 2995, 2999]
    assert all(found[idle][0] == ("hello", 2) for idle in (2980, 2988, 3001, 3010))
    assert all(read == ("hello", 2) for _, read in found.values())


# -- RST instead of FIN


def read_head(connection):
    """What comes before the body; most of the body lies unread in the socket then."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    time.sleep(0.1)  # it finds out who asks


def hang_up(connection):
    read_head(connection)
    connection.sendall(TOO_LARGE)


def half_close(connection):
    read_head(connection)
    connection.sendall(TOO_LARGE)
    connection.shutdown(socket.SHUT_WR)


def linger(connection):
    half_close(connection)
    while connection.recv(65536):
        pass


BODY = 6_000_000  # more than a send buffer takes
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def with_urllib():
    try:
        with urllib.request.urlopen("http://server/", data=bytes(BODY)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        return type(error.reason).__name__


def with_requests():
    requests = pytest.importorskip("requests")
    try:
        return requests.post("http://server/", data=bytes(BODY)).status_code
    except requests.ConnectionError as error:
        return type(error).__name__


def refused(refuse, post):
    """What the client tells of a POST of 6 MB to a server that refuses it in this way, and closes."""
    _, near, far = two()

    def serve():
        with socket.create_server(("", 80)) as listener:
            connection, _ = listener.accept()
            with connection:
                refuse(connection)

    spawn(far, serve)
    return run(near, post)


def test_a_server_that_answers_before_it_has_read_resets_its_answer_away():
    """Closing a socket with unread data in it sends RST, not FIN (RFC 2525 2.17): the client, still sending, is told
    of the reset, and not of the answer that came before. With a FIN before the reset it is told EPIPE."""
    assert refused(hang_up, with_urllib) == "ConnectionResetError"
    assert refused(half_close, with_urllib) == "BrokenPipeError"
    assert refused(linger, with_urllib) == 413


def test_requests_looks_for_an_answer_after_a_reset():
    """The answer lies in the client's buffer, RST or not: urllib3 takes the error of sending for a hint to read it."""
    assert [refused(refuse, with_requests) for refuse in (hang_up, half_close, linger)] == [413, 413, 413]


# -- a third ACK that is lost


def greeted(cookies, timeout):
    """smtplib connects to aiosmtpd, and the third ACK is lost: (seconds, how it ends)."""
    smtp = pytest.importorskip("aiosmtpd.smtp")
    sink = pytest.importorskip("aiosmtpd.handlers").Sink
    config = HostConfig()
    config.set("net.ipv4.tcp_syncookies", 2 if cookies else 0)
    _, near, far = two(config, faults=[faults.drop(match.third_ack)])

    async def listen():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: smtp.SMTP(sink(), hostname="server", loop=loop), "", 25)
        async with server:
            await server.serve_forever()

    def ask():
        def greet():
            with smtplib.SMTP("server", 25, **({} if timeout is None else {"timeout": timeout})) as client:
                return client.noop()[0]

        return timed(greet, OSError)

    spawn(far, lambda: asyncio.run(listen()), daemon=True)
    return run(near, ask)


def test_smtp_survives_a_lost_third_ack():
    """The server has not seen the third ACK: a second later it repeats its SYN-ACK."""
    seconds, code = greeted(cookies=False, timeout=60)
    assert code == 250
    assert 1 < seconds < 1.1


def test_smtp_hangs_on_a_lost_third_ack_under_syn_cookies():
    """A server with SYN cookies has forgotten the SYN. The client is ESTABLISHED and waits for a greeting; the server
    knows of no connection; nobody will ever send anything."""
    assert greeted(cookies=True, timeout=60) == (60.01, "SMTPServerDisconnected")
    with pytest.raises(Deadlock, match=r"main on client waits for recv.* 10\.0\.0\.2:25"):
        greeted(cookies=True, timeout=None)


# -- a pool that stays stuck


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def pool_after_a_partition(read_timeout):
    """A urllib3 pool of two connections, both with a request under way when the network is parted, for a minute.
    When the two requests ended, what a third one got from the pool two seconds after the healing, and what it got
    without the pool."""
    urllib3 = pytest.importorskip("urllib3")
    net, near, far = two()
    ends = []

    def serve():
        with ThreadingHTTPServer(("", 80), Page) as server:
            server.serve_forever()

    def ask():
        pool = urllib3.HTTPConnectionPool("server", maxsize=2, block=True, retries=False)

        def fetch(**options):
            return pool.request("GET", "/", **options).status

        def work():
            fetch()
            time.sleep(1 - time.monotonic() % 1)  # both together, when the network has just been parted
            ends.append(timed(lambda: fetch(timeout=read_timeout), urllib3.exceptions.HTTPError))

        start = time.monotonic()
        net.after("900 ms", lambda: net.partition(near, far))
        net.after("60900 ms", net.heal)
        workers = [Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        time.sleep(start + 62.9 - time.monotonic())
        third = timed(lambda: fetch(pool_timeout=1), urllib3.exceptions.HTTPError)
        fresh = timed(lambda: urllib3.request("GET", "http://server/").status)
        for worker in workers:
            worker.join()
        return ends, third, fresh

    spawn(far, serve, daemon=True)
    return run(near, ask)


def test_a_pool_stays_stuck_after_the_partition_has_healed():
    """The network is well again after 60 s. The pool is not: its connections wait for their next retransmission, the
    ninth, 107.31 s after the request. Who asks the pool meanwhile is refused; who connects anew is served at once."""
    ends, third, fresh = pool_after_a_partition(read_timeout=None)
    # RTO 210 ms, doubled eight times: 0.21 * (2**9 - 1), and the round trip.
    assert ends == [(pytest.approx(107.32), 200)] * 2
    assert third == (1.0, "EmptyPoolError")
    assert fresh == (pytest.approx(0.02), 200)


def test_a_pool_with_timeouts_recovers_with_the_network():
    ends, third, _ = pool_after_a_partition(read_timeout=5)
    assert ends == [(5.0, "ReadTimeoutError")] * 2
    assert third == (pytest.approx(0.02), 200)
