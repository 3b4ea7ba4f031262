"""Drain, then read the deadline: nothing happens before it, a call too many does nothing, and it moves on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netglass import HOUR, MILLISECOND, NEVER, HostConfig, Network, forge
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.tcp.config import TcpSettings
from netglass.tcp.state import State
from netglass.wire.tcp import ACK
from tests.properties.hostile import CASES, Case, Hostile, drawn
from tests.properties.strict import Strict
from tests.tcp.dialogue import EVERY_STATE, Tcp, established


@settings(max_examples=30)
@given(CASES)
def test_any_case(case: Case):
    hostile = Hostile(case)
    Strict(hostile.net).run()
    hostile.check()


def test_every_state_is_held_to_its_deadline():
    kinds: set[str] = set()
    checks = 0
    for seed in range(60):
        hostile = Hostile(drawn(seed))
        strict = Strict(hostile.net)
        strict.run()
        hostile.check()
        kinds |= strict.kinds
        checks += strict.checks
    # The closed are forgotten at once, and SYN-RECEIVED is a listener's but for a simultaneous open (below).
    assert {str(state.value) for state in State} - kinds <= {"CLOSED", "SYN-RECEIVED"}
    assert checks > 30_000


def test_simultaneous_open():
    net = Network()
    net.host("one")
    net.host("other")
    net.cable("one", "other", delay="10 ms")

    def call(io: Io, whom: str, own: int, port: int) -> Steps:
        stream = yield from io.connect(whom, port, source_port=own)
        yield from stream.send(b"hello")
        stream.close()

    net.hosts[0].spawn(call, "other", 1000, 2000)
    net.hosts[1].spawn(call, "one", 2000, 1000)
    strict = Strict(net)
    # Each reads nothing and is reset for it; what counts here is how they got so far.
    strict.run()
    assert "SYN-RECEIVED" in strict.kinds
    assert net.hosts[0].netstat() == net.hosts[1].netstat() == []


@pytest.mark.parametrize("cookies", [0, 1, 2])
def test_a_listener_under_a_flood_of_syns(cookies: int):
    config = HostConfig()
    config.tcp.syncookies = cookies
    net = Network(seed=cookies)
    attacker, server = net.host("attacker"), net.host("server", config=config)
    net.cable(attacker, server, delay="1 ms", loss="10%")
    server.core.add_route(bytes(4), 0, server.core.interfaces["eth0"])

    def serve(io: Io) -> Steps:
        listener = io.listen(80, backlog=16)
        yield from io.sleep("5 min")
        listener.close()

    def flood(io: Io) -> Steps:
        yield from io.sleep("1 ms")
        for number in range(400):
            io.inject(forge(f"198.51.100.{number % 250}", 1000 + number, server.address, 80, seq=number * 7919))
            yield from io.sleep(number % 5 * MILLISECOND)

    server.spawn(serve)
    attacker.spawn(flood)
    strict = Strict(net)
    strict.run()
    assert strict.kinds == {"LISTEN"}
    assert strict.checks > 800
    assert server.netstat() == []
    assert net.now() < HOUR


def silence(tcp: Tcp) -> list[int]:
    """When the timers of `tcp` fire while its peer says nothing more."""
    fired: list[int] = []
    tcp.drain()
    while (due := tcp.connection.deadline) < NEVER:
        assert due >= tcp.now
        # One nanosecond earlier there is nothing to do.
        tcp.sent.clear()
        tcp.connection.handle_timeout(due - 1)
        tcp.expect_nothing()
        assert tcp.connection.deadline == due
        tcp.now = due
        tcp.connection.handle_timeout(due)
        tcp.drain()
        assert tcp.connection.deadline > due, f"the deadline stays at {due} in {tcp.state}"
        fired.append(due)
        assert len(fired) < 100, f"{tcp.state} never falls silent"
    return fired


@pytest.mark.parametrize("state", EVERY_STATE)
def test_a_connection_with_a_silent_peer_ends_or_rests(state: str):
    tcp = EVERY_STATE[state]()
    fired = silence(tcp)
    if state in ("ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-2"):
        # Nothing to say, no keep-alive, the application still there: no timer at all.
        assert fired == []
        assert str(tcp.state.value) == state
    else:
        assert fired
        assert tcp.state is State.CLOSED


def test_data_that_nobody_acknowledges():
    tcp = established()
    tcp.send(b"x" * 5000)
    assert 10 < len(silence(tcp)) < 20
    assert tcp.state is State.CLOSED


def test_a_window_that_stays_closed():
    tcp = established()
    tcp.inject(ACK, seq=5000, ack=1000, window=0)
    tcp.send(b"x" * 5000)
    assert 10 < len(silence(tcp)) < 20
    assert tcp.state is State.CLOSED


def test_keep_alive_without_an_answer():
    settings = TcpSettings()
    settings.keepalive = True
    tcp = established(settings=settings)
    # The two hours, nine probes, the end.
    assert len(silence(tcp)) in (10, 11)
    assert tcp.state is State.CLOSED
