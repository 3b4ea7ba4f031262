"""Programs of the lab: what each call does, what it raises, and what is told about those that wait."""

from __future__ import annotations

import errno

import pytest

from netglass import MILLISECOND, SECOND, HostConfig, MisuseError, Network, Probe, faults, forge, match
from netglass.sockets.constants import IPPROTO_TCP, SO_RCVBUF, SOL_SOCKET, TCP_NODELAY


@pytest.fixture
def net():
    made = Network()
    made.host("client")
    made.host("server")
    made.cable("client", "server", delay="10 ms")
    return made


@pytest.fixture
def client(net):
    return net.hosts[0]


@pytest.fixture
def server(net):
    return net.hosts[1]


def serve(io, answer=b"hello", port=80):
    listener = io.listen(port)
    stream = yield from listener.accept()
    request = yield from stream.receive()
    yield from stream.send(answer)
    stream.close()
    return request


def silent(io, port=80):
    """Accepts, and says nothing."""
    listener = io.listen(port)
    streams = []
    while True:
        streams.append((yield from listener.accept()))


def test_a_request_and_its_answer(net, client, server):
    def ask(io):
        stream = yield from io.connect("server", 80)
        sent = yield from stream.send(b"who are you?")
        answer = yield from stream.receive_all()
        stream.close()
        return sent, answer, io.now()

    served, asked = server.spawn(serve), client.spawn(ask)
    assert (served.done, served.waiting()) == (False, "ready")
    net.run()
    assert served.result == b"who are you?"
    # A round trip to connect, and one for the request; the FIN comes with the answer.
    assert asked.result == (12, b"hello", 40 * MILLISECOND)
    assert (served.error, asked.waiting()) == (None, "done")


def test_version_6(net, client, server):
    def ask(io):
        stream = yield from io.connect(server.address6, 80)
        yield from stream.send(b"?")
        return (yield from stream.receive(3))

    server.spawn(serve)
    asked = client.spawn(ask)
    net.run()
    assert asked.result == b"hel"


def test_to_itself(net, client):
    def ask(io):
        stream = yield from io.connect("127.0.0.1", 80)
        yield from stream.send(b"me")
        return (yield from stream.receive_all()), io.now()

    client.spawn(serve)
    asked = client.spawn(ask)
    net.run()
    assert asked.result == (b"hello", 0)


def test_large_data_waits_for_the_buffer(net, client, server):
    data = bytes(range(256)) * 40_000  # ten times the send buffer

    def ask(io):
        stream = yield from io.connect("server", 80)
        sent = yield from stream.send(data)
        stream.shutdown()
        return sent, io.now()

    def count(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        return (yield from stream.receive_all())

    counted, asked = server.spawn(count), client.spawn(ask)
    net.run()
    assert counted.result == data
    assert asked.result[0] == len(data)
    assert asked.result[1] > 50 * MILLISECOND


def test_exactly_so_many_bytes(net, client, server):
    def trickle(io):
        stream = yield from io.connect("server", 80)
        for _ in range(5):
            yield from stream.send(b"ab")
            yield from io.sleep("100 ms")
        stream.close()

    def collect(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        first = yield from stream.receive_exactly(7)
        when = io.now()
        rest = yield from stream.receive_exactly(7)
        return first, when, rest

    collected = server.spawn(collect)
    client.spawn(trickle)
    net.run()
    first, when, rest = collected.result
    assert (first, rest) == (b"abababa", b"bab")
    assert 300 * MILLISECOND < when < 400 * MILLISECOND


def test_half_close(net, client, server):
    def ask(io):
        stream = yield from io.connect("server", 80)
        yield from stream.send(b"all I have")
        stream.shutdown("write")
        return (yield from stream.receive_all())

    def answer_at_the_end(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        everything = yield from stream.receive_all()
        yield from stream.send(everything.upper())
        stream.close()

    server.spawn(answer_at_the_end)
    asked = client.spawn(ask)
    net.run()
    assert asked.result == b"ALL I HAVE"


def test_sleep_and_notes(net, client):
    class Notes(Probe):
        def __init__(self):
            self.lines = []

        def note(self, host, subject, text, now):
            self.lines.append((host, subject, text, now))

    def sleeper(io):
        yield from io.sleep("1.5 s")
        io.note("awake")
        yield from io.sleep(0)
        io.note("still awake")

    notes = Notes()
    net.observe(notes)
    client.spawn(sleeper, name="dreamer")
    net.run()
    when = 3 * SECOND // 2
    assert notes.lines == [("client", "dreamer", "awake", when), ("client", "dreamer", "still awake", when)]


def test_datagrams(net, client, server):
    def answer(io):
        socket = io.udp(53)
        question, (address, port) = (yield from socket.receive_from())[:2]
        yield from socket.send_to(question[::-1], address, port)

    def ask(io):
        socket = io.udp()
        yield from socket.send_to(b"abc", "server", 53)
        answer, sender = yield from socket.receive_from()
        socket.close()
        return answer, sender[:2], io.now()

    server.spawn(answer)
    asked = client.spawn(ask)
    net.run()
    assert asked.result == (b"cba", ("10.0.0.2", 53), 20 * MILLISECOND)


def test_options_come_before_the_handshake(net, client, server):
    def ask(io):
        stream = yield from io.connect(
            "server", 80, options=((IPPROTO_TCP, TCP_NODELAY, 1), (SOL_SOCKET, SO_RCVBUF, 4000)), source_port=5555
        )
        return client.sockets.getsockopt(stream.fd, IPPROTO_TCP, TCP_NODELAY, io.now())

    server.spawn(silent)
    asked = client.spawn(ask)
    net.run()
    assert int.from_bytes(asked.result, "little") == 1
    assert [(entry.local_port, entry.state) for entry in client.netstat()] == [(5555, "ESTABLISHED")]


# Errors -------------------------------------------------------------------------------------------------------------


def connect(io, host="server", port=80, timeout=None):
    stream = yield from io.connect(host, port, timeout)
    return (yield from stream.receive())


def test_refused(net, client):
    process = client.spawn(connect)
    with pytest.raises(ConnectionRefusedError, match="ECONNREFUSED: connect to server port 80"):
        net.run()
    assert process.done
    assert isinstance(process.error, ConnectionRefusedError)
    assert process.error.errno == errno.ECONNREFUSED
    assert net.now() == 20 * MILLISECOND


def test_an_expected_error_does_not_stop_the_network(net, client):
    process = client.spawn(connect)
    net.run(until="1 s", expect_errors=True)
    assert isinstance(process.error, ConnectionRefusedError)
    assert net.now() == SECOND


def test_a_connect_gives_up_after_its_timeout(net, client):
    net.cables[0].add_fault(faults.blackhole())
    process = client.spawn(connect, "server", 80, "5 s")
    with pytest.raises(TimeoutError, match="connect to server port 80"):
        net.run(until="1 min")
    assert net.now() == 5 * SECOND
    assert process.error.errno == errno.ETIMEDOUT


def test_a_connect_gives_up_after_its_retries(net, client):
    net.cables[0].add_fault(faults.blackhole())
    process = client.spawn(connect)
    net.run(expect_errors=True)
    assert isinstance(process.error, TimeoutError)
    # Six retries, doubled each time: 1 + 2 + 4 + ... + 64 s.
    assert net.now() == 127 * SECOND


def test_a_connect_that_failed_leaves_nothing_behind(net, client):
    def try_twice(io):
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                yield from io.connect("server", 80, source_port=5555)
        return "refused twice"

    process = client.spawn(try_twice)
    net.run()
    assert process.result == "refused twice"
    assert client.netstat() == []


def test_receive_and_accept_with_a_timeout(net, client, server):
    def wait_in_vain(io):
        stream = yield from io.connect("server", 80)
        with pytest.raises(TimeoutError, match="receive from server port 80"):
            yield from stream.receive(timeout="2 s")
        first = io.now()
        listener = io.listen(81)
        with pytest.raises(TimeoutError, match="accept on port 81"):
            yield from listener.accept(timeout="3 s")
        return first, io.now()

    server.spawn(silent)
    process = client.spawn(wait_in_vain)
    net.run()
    assert process.result == (2 * SECOND + 20 * MILLISECOND, 5 * SECOND + 20 * MILLISECOND)


def test_an_answer_in_time_leaves_no_alarm_behind(net, client, server):
    def ask(io):
        stream = yield from io.connect("server", 80, timeout="1 s")
        yield from stream.send(b"?")
        first = yield from stream.receive(2, timeout="1 s")
        second = yield from stream.receive(3, timeout="1 s")
        yield from io.sleep("5 s")
        return first + second, io.now()

    server.spawn(serve)
    process = client.spawn(ask)
    net.run()
    assert process.result == (b"hello", 5 * SECOND + 40 * MILLISECOND)


def test_an_abort_is_a_reset_to_the_other(net, client, server):
    def abort(io):
        stream = yield from io.connect("server", 80)
        yield from io.sleep("1 s")
        stream.abort()

    def suffer(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        with pytest.raises(ConnectionResetError):
            yield from stream.receive()
        with pytest.raises(BrokenPipeError):
            yield from stream.send(b"?")
        return io.now()

    process = server.spawn(suffer)
    client.spawn(abort)
    net.run()
    assert process.result == SECOND + 30 * MILLISECOND


def test_a_middlebox_resets_both(net, client, server):
    net.cables[0].add_fault(faults.reset(after_bytes=0))
    server.spawn(serve)
    asked = client.spawn(exchange)
    with pytest.raises(ConnectionResetError):
        net.run()
    net.run(expect_errors=True)
    assert isinstance(asked.error, ConnectionResetError)
    assert net.hosts[0].netstat() == []
    assert [entry.state for entry in server.netstat()] == ["LISTEN"]


def exchange(io):
    stream = yield from io.connect("server", 80)
    yield from stream.send(b"?")
    return (yield from stream.receive_all())


def test_a_port_in_use(net, server):
    def twice(io):
        io.listen(80)
        with pytest.raises(OSError, match="EADDRINUSE") as caught:
            io.listen(80)
        return caught.value.errno
        yield

    process = server.spawn(twice)
    net.run()
    assert process.result == errno.EADDRINUSE


def test_a_privileged_port(net):
    config = HostConfig()
    config.unprivileged_port_start = 1024
    host = net.host("careful", config=config)

    def program(io):
        with pytest.raises(PermissionError):
            io.listen(80)
        return True
        yield

    process = host.spawn(program)
    net.run()
    assert process.result


def test_a_name_that_nobody_has(net, client):
    client.spawn(connect, "nobody")
    with pytest.raises(MisuseError, match="'nobody'"):
        net.run()


def test_a_program_must_be_a_generator(client):
    with pytest.raises(MisuseError, match="yield from"):
        client.spawn(lambda io: 5)


def test_shutdown_in_a_wrong_way(net, client, server):
    def program(io):
        stream = yield from io.connect("server", 80)
        stream.shutdown("sideways")

    server.spawn(silent)
    client.spawn(program)
    with pytest.raises(MisuseError, match="sideways"):
        net.run()


# Processes ----------------------------------------------------------------------------------------------------------


def test_a_process_waits_for_another(net, client):
    def child(io, number):
        yield from io.sleep(f"{number} s")
        return number * number

    def parent(io):
        children = [io.spawn(child, number, name=f"child {number}") for number in (3, 1, 2)]
        results = {}
        for process in children:
            results[process.name] = yield from io.wait(process)
        return results, io.now()

    process = client.spawn(parent)
    net.run()
    assert process.result == ({"child 3": 9, "child 1": 1, "child 2": 4}, 3 * SECOND)


def test_whoever_waits_gets_the_error(net, client):
    def child(io):
        yield from io.sleep("1 s")
        raise ValueError("no luck")

    def parent(io):
        process = io.spawn(child)
        try:
            yield from process.wait()
        except ValueError as error:
            return str(error)

    process = client.spawn(parent)
    net.run()
    assert process.result == "no luck"


def test_an_error_that_nobody_waits_for_stops_the_run_at_once(net, client):
    def child(io):
        yield from io.sleep("1 s")
        raise ValueError("no luck")

    client.spawn(child)
    other = client.spawn(lambda io: io.sleep("5 s"), name="other")
    with pytest.raises(ValueError, match="no luck"):
        net.run()
    assert net.now() == SECOND
    net.run()
    assert other.done


def test_a_flood_of_forged_syns(net, client, server):
    def flood(io):
        for number in range(30):
            io.inject(forge(f"192.0.2.{number}", 1000 + number, server.address, 80, "S"))
            yield from io.sleep("10 ms")

    def listen(io):
        listener = io.listen(80, backlog=8)
        yield from listener.accept()

    server.config.tcp.syncookies = 0
    server.spawn(listen)
    client.spawn(flood)
    net.run(until="500 ms")
    half_open = [entry for entry in server.netstat() if entry.state == "SYN-RECEIVED"]
    assert 0 < len(half_open) <= 9
    assert [entry.remote_port for entry in half_open] == [1000 + number for number in range(len(half_open))]
    assert server.core.received == 30


def test_who_waits_for_what(net, client, server):
    net.cables[0].add_fault(faults.drop(match.data, times=match.ALL))
    server.spawn(serve, name="web")
    asked = client.spawn(exchange)
    client.spawn(lambda io: io.wait(asked), name="boss")
    client.spawn(lambda io: io.sleep("1 h"), name="lazy")
    net.run(until="10 s")
    lines = net.waiting()
    assert lines[0].startswith("web on host server: receive from")
    assert lines[1:] == [
        "exchange on host client: receive from server port 80",
        "boss on host client: wait for exchange",
        "lazy on host client: sleep 1 h",
    ]


def test_a_deadlock_ends_the_run(net, client, server):
    def polite(io, other, port):
        listener = io.listen(port)
        stream = yield from io.connect(other, 82 - port)
        yield from listener.accept()
        yield from stream.receive()

    server.spawn(polite, "client", 40, name="one")
    client.spawn(polite, "server", 42, name="two")
    net.run()
    assert len(net.waiting()) == 2
    assert all("receive from" in line for line in net.waiting())


def test_many_connections_at_once(net, client, server):
    def echo(io):
        listener = io.listen(7, backlog=200)
        while True:
            stream = yield from listener.accept()
            io.spawn(back, stream)

    def back(io, stream):
        yield from stream.send((yield from stream.receive()))
        stream.close()

    def ask(io, number):
        stream = yield from io.connect("server", 7)
        yield from stream.send(b"%d" % number)
        answer = yield from stream.receive_all()
        stream.close()
        return int(answer)

    server.spawn(echo)
    asked = [client.spawn(ask, number) for number in range(150)]
    net.run()
    assert [process.result for process in asked] == list(range(150))
    assert [entry.state for entry in server.netstat()] == ["LISTEN"]
    assert client.netstat() == []


# What a beginner does wrong ------------------------------------------------------------------------------------------

WRONG = (MisuseError, TypeError)
"""TypeError: when compiled, some calls refuse the type of an argument before the code can."""


def forget_at_the_end(io):
    stream = yield from io.connect("server", 80)
    stream.send(b"hello")


def forget_before_a_wait(io):
    stream = yield from io.connect("server", 80)
    stream.send(b"hello")
    yield from stream.receive()


def forget_before_another_call(io):
    stream = yield from io.connect("server", 80)
    stream.send(b"hello")
    stream.send(b"hello")


def forget_before_a_new_program(io):
    stream = yield from io.connect("server", 80)
    stream.send(b"hello")
    io.spawn(connect)


@pytest.mark.parametrize(
    "program", [forget_at_the_end, forget_before_a_wait, forget_before_another_call, forget_before_a_new_program]
)
def test_a_call_without_yield_from_is_told(net, client, server, program):
    server.spawn(silent)
    client.spawn(program)
    with pytest.raises(MisuseError, match=r'stream\.send\(\.\.\.\) without "yield from" does nothing'):
        net.run()
    net.run()  # and the others go on


def test_a_call_may_be_made_before_it_is_waited_for(net, client, server):
    def ask(io):
        stream = yield from io.connect("server", 80)
        call = stream.send(b"who?")
        yield from call
        return (yield from stream.receive())

    server.spawn(serve)
    asked = client.spawn(ask)
    net.run()
    assert asked.result == b"hello"


@pytest.mark.parametrize("thing", [5, None, b"hello"])
def test_a_program_that_yields_something_else_is_told(net, client, thing):
    def program(io):
        yield thing

    client.spawn(program)
    with pytest.raises(MisuseError, match=r"program on host client yielded .*; a program waits with"):
        net.run()


def test_text_is_not_sent(net, client, server):
    def ask(io, text):
        stream = yield from io.connect("server", 80)
        yield from stream.send(text)

    server.spawn(silent)
    client.spawn(ask, "hello")
    with pytest.raises(WRONG, match="bytes"):
        net.run()


def test_a_host_without_a_cable_is_no_unknown_host():
    net = Network()
    a, _ = net.host("a"), net.host("b")
    a.spawn(connect, "b")
    with pytest.raises(MisuseError, match="'b' has no address yet: no cable leads to it"):
        net.run()
    a.spawn(connect, "c")
    with pytest.raises(MisuseError, match="no host is called 'c'; there are a, b"):
        net.run()


def test_a_listener_for_both_versions_names_its_peer_plainly(net, client, server):
    def wait_for_ever(io):
        stream = yield from io.listen(80, address="::").accept()
        yield from stream.receive()

    server.spawn(wait_for_ever)
    client.spawn(connect)
    net.run()
    assert net.waiting()[0].startswith("wait_for_ever on host server: receive from 10.0.0.1 port ")
