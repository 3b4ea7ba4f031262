"""Who may share a port, and what happens when there are none left."""

from __future__ import annotations

from itertools import pairwise

import pytest

from netglass.errnos import EACCES, EADDRINUSE, EADDRNOTAVAIL
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.host.ports import overlap
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.wire.address import parse
from tests.host.bench import ANY, HOST, HOST6, PEER, Bench, pair

ANY4 = bytes(4)
ANY6 = bytes(16)


def small_range(first: int = 40000, last: int = 40003) -> HostConfig:
    config = HostConfig()
    config.port_range = (first, last)
    return config


def reusing() -> TcpSettings:
    settings = TcpSettings()
    settings.reuse_address = True
    return settings


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (ANY, ANY, True),
        (ANY, HOST, True),
        (ANY4, HOST, True),
        (ANY4, ANY6, False),  # IPV6_V6ONLY
        (ANY, ANY6, True),  # a dual-stack socket
        (ANY6, HOST, False),
        (ANY6, HOST6, True),
        (HOST, PEER, False),
        (HOST, HOST, True),
    ],
)
def test_which_local_addresses_overlap(one: bytes, other: bytes, shared: bool):
    assert overlap(one, other) is shared
    assert overlap(other, one) is shared


# SO_REUSEADDR lets two bind to one port as long as neither listens; SO_REUSEPORT needs both to have it.
@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ((False, False), (False, False), -EADDRINUSE),
        ((True, False), (False, False), -EADDRINUSE),
        ((False, False), (True, False), -EADDRINUSE),
        ((True, False), (True, False), 80),
        ((False, True), (False, True), 80),
        ((False, True), (False, False), -EADDRINUSE),
        ((True, False), (False, True), -EADDRINUSE),
    ],
)
def test_two_sockets_bind_to_one_port(first: tuple[bool, bool], second: tuple[bool, bool], result: int):
    host = Bench().host
    assert host.bind_tcp(ANY, 80, first[0], 0, reuse_port=first[1]) == 80
    assert host.bind_tcp(ANY, 80, second[0], 0, reuse_port=second[1]) == result


def test_two_sockets_on_different_addresses_do_not_meet():
    host = Bench().host
    assert host.bind_tcp(HOST, 80, False, 0) == 80
    assert host.bind_tcp(parse("127.0.0.1"), 80, False, 0) == 80
    assert host.bind_tcp(ANY, 80, False, 0) == -EADDRINUSE


def test_of_two_bound_with_so_reuseaddr_only_one_listens():
    host = Bench().host
    assert host.bind_tcp(ANY, 80, True, 0) == 80
    assert host.bind_tcp(ANY, 80, True, 0) == 80
    assert isinstance(host.listen_tcp(ANY, 80, 5, reusing(), 0, bound=True), Listener)
    assert host.listen_tcp(ANY, 80, 5, reusing(), 0, bound=True) == -EADDRINUSE
    assert host.bind_tcp(ANY, 80, True, 0) == -EADDRINUSE


def test_with_so_reuseport_several_listen_and_one_peer_always_meets_the_same():
    bench = Bench()
    listeners = [bench.host.listen_tcp(ANY, 80, 64, TcpSettings(), 0, reuse_port=True) for _ in range(4)]
    for port in range(4000, 4064):
        bench.inject_tcp(0x02, seq=1, source_port=port)
    shares = [len(each.half_open) for each in listeners if isinstance(each, Listener)]
    assert sum(shares) == 64
    assert min(shares) > 4
    for port in range(4000, 4064):
        bench.inject_tcp(0x02, seq=1, source_port=port)
    assert [len(each.half_open) for each in listeners if isinstance(each, Listener)] == shares


def test_a_port_is_free_again_after_release_close_and_only_then():
    bench = Bench()
    host = bench.host
    assert host.bind_tcp(ANY, 80, False, 0) == 80
    host.release_tcp(ANY, 80)
    listener = bench.listen(80)
    assert host.bind_tcp(ANY, 80, False, 0) == -EADDRINUSE
    host.close_listener(listener, 0)
    assert host.bind_tcp(ANY, 80, False, 0) == 80


def test_mistakes_are_told():
    bench = Bench()
    listener = bench.listen(80)
    bench.host.close_listener(listener, 0)
    with pytest.raises(MisuseError, match="closed already"):
        bench.host.close_listener(listener, 0)
    with pytest.raises(MisuseError, match="not reserved"):
        bench.host.release_tcp(ANY, 80)
    with pytest.raises(MisuseError, match="call bind_tcp"):
        bench.host.listen_tcp(ANY, 80, 5, TcpSettings(), 0, bound=True)
    with pytest.raises(MisuseError, match="between 0 and 65535"):
        bench.host.bind_tcp(ANY, 65536, False, 0)
    with pytest.raises(MisuseError, match="4 or 16"):
        bench.host.bind_tcp(b"abc", 80, False, 0)


def test_bind_refuses_an_address_of_somebody_else_and_a_port_of_the_privileged():
    config = HostConfig()
    config.unprivileged_port_start = 1024
    bench = Bench(config)
    assert bench.host.bind_tcp(PEER, 8080, False, 0) == -EADDRNOTAVAIL
    assert bench.host.listen_tcp(PEER, 8080, 5, TcpSettings(), 0) == -EADDRNOTAVAIL
    assert bench.host.listen_tcp(ANY, 1023, 5, TcpSettings(), 0) == -EACCES
    assert bench.host.bind_udp(ANY, 53, False, 0) == -EACCES
    assert bench.host.bind_tcp(ANY, 1024, False, 0) == 1024


def test_connect_runs_out_of_ports_for_one_remote_end_only():
    bench = Bench(small_range())
    ports = [bench.connect().tcb.local_port for _ in range(4)]
    assert sorted(ports) == [40000, 40001, 40002, 40003]
    assert bench.host.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), 0) == -EADDRNOTAVAIL
    assert bench.connect(remote_port=81).tcb.local_port in ports


def test_bind_to_any_port_runs_out_with_another_error():
    bench = Bench(small_range())
    ports = [bench.host.bind_tcp(ANY, 0, False, 0) for _ in range(4)]
    assert sorted(ports) == [40000, 40001, 40002, 40003]
    assert bench.host.bind_tcp(ANY, 0, False, 0) == -EADDRINUSE
    assert bench.host.bind_udp(ANY, 40000, False, 0) != -EADDRINUSE  # UDP's ports are others


def test_connect_leaves_alone_what_somebody_has_bound():
    bench = Bench(small_range())
    for port in (40000, 40001, 40002):
        assert bench.host.bind_tcp(ANY, port, True, 0) == port
    assert bench.connect().tcb.local_port == 40003
    assert bench.host.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), 0) == -EADDRNOTAVAIL


def test_connect_from_a_port_that_is_bound_already():
    bench = Bench()
    assert bench.host.bind_tcp(ANY, 5000, False, 0) == 5000
    connection = bench.host.connect_tcp(ANY, 5000, PEER, 80, TcpSettings(), 0, bound=True)
    assert isinstance(connection, Connection)
    assert (connection.tcb.local, connection.tcb.local_port) == (HOST, 5000)
    assert bench.host.bind_tcp(ANY, 5000, False, 0) == -EADDRINUSE
    connection.abort(0)
    bench.host.touch(connection, 0)
    assert bench.host.bind_tcp(ANY, 5000, False, 0) == 5000


def test_the_same_four_tuple_twice_is_refused():
    bench = Bench()
    settings = reusing()
    bench.connect(port=5000, settings=settings)
    assert bench.host.connect_tcp(ANY, 5000, PEER, 80, settings, 0) == -EADDRNOTAVAIL
    assert isinstance(bench.host.connect_tcp(ANY, 5000, PEER, 81, settings, 0), Connection)


def test_ephemeral_ports_come_from_the_seed_and_are_hard_to_guess():
    one = [Bench().connect(remote_port=port).tcb.local_port for port in range(1, 200)]
    assert one == [Bench().connect(remote_port=port).tcb.local_port for port in range(1, 200)]
    # RFC 6056: each remote end begins somewhere else.
    assert len(set(one)) > 190
    steps = {(after - before) % 28232 for before, after in pairwise(one)}
    assert len(steps) > 190


def test_a_listener_binds_over_time_wait_only_with_so_reuseaddr_on_both():
    for reuse, result in ((True, 80), (False, -EADDRINUSE)):
        scene, client, server = pair()
        settings = reusing() if reuse else TcpSettings()
        listener = server.listen_tcp(ANY, 80, 5, settings, 0)
        assert isinstance(listener, Listener)
        connection = client.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), 0)
        assert isinstance(connection, Connection)
        scene.settle()
        accepted = listener.accept(0)
        assert accepted is not None
        accepted.close(0)  # the server closes first and waits 2 MSL
        server.touch(accepted, 0)
        scene.settle()
        connection.close(0)
        client.touch(connection, 0)
        scene.settle()
        server.close_listener(listener, 0)
        assert [entry.state for entry in server.sockets()] == ["TIME-WAIT"]
        assert server.bind_tcp(ANY, 80, True, 0) == result
        if reuse:
            assert isinstance(server.listen_tcp(ANY, 80, 5, settings, 0, bound=True), Listener)
