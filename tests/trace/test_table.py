"""Sockets as netstat and ss list them."""

from __future__ import annotations

from netglass import Network, faults, match
from netglass.host.table import SocketEntry
from netglass.times import NEVER, SECOND
from netglass.trace import counters, netstat, ss


def half_open():
    net = Network()
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", faults=[faults.drop(match.third_ack)])

    def serve(io):
        io.listen(80, backlog=5)
        io.udp(53)
        yield from io.sleep("10 s")

    def ask(io):
        yield from io.connect("server", 80, source_port=40000)
        yield from io.sleep("10 s")

    server.spawn(serve)
    client.spawn(ask)
    net.run(until="110 ms")
    return net, client, server


def test_netstat_shows_a_half_open_connection():
    _, client, server = half_open()
    assert (
        netstat(server.netstat())
        == """\
Proto  Recv-Q  Send-Q  Local Address  Foreign Address  State
tcp         0       0  0.0.0.0:80     0.0.0.0:*        LISTEN
tcp         0       0  10.0.0.2:80    10.0.0.1:40000   SYN_RECV
udp         0       0  0.0.0.0:53     0.0.0.0:*
"""
    )
    assert netstat(client.netstat()).splitlines()[1].endswith("10.0.0.1:40000  10.0.0.2:80      ESTABLISHED")


def test_netstat_with_timers():
    net, _, server = half_open()
    listen, half, udp = netstat(server.netstat(), net.now()).splitlines()[1:]
    assert listen.endswith("LISTEN    off (0.00/0/0)")
    assert half.endswith("SYN_RECV  on (0.90/0/0)")
    assert udp.endswith("off (0.00/0/0)")


def test_ss_shows_the_backlog():
    _, client, server = half_open()
    assert (
        ss(server.netstat())
        == """\
Netid  State     Recv-Q  Send-Q  Local Address:Port  Peer Address:Port
tcp    LISTEN         0       5  0.0.0.0:80          0.0.0.0:*
tcp    SYN-RECV       0       0  10.0.0.2:80         10.0.0.1:40000
udp    UNCONN         0       0  0.0.0.0:53          0.0.0.0:*
"""
    )
    assert ss(client.netstat()).splitlines()[1].startswith("tcp    ESTAB ")


def test_version_6_and_times():
    entry = SocketEntry("tcp6", bytes(15) + b"\x01", 80, bytes(15) + b"\x01", 5000, "TIME-WAIT")
    entry.timer = "time-wait"
    entry.timer_due = 61 * SECOND
    line = netstat([entry], 1_236_000_000).splitlines()[1]
    assert line == "tcp6        0       0  [::1]:80       [::1]:5000       TIME_WAIT  timewait (59.76/0/0)"
    entry.timer_due = NEVER
    assert netstat([entry], 0).splitlines()[1].endswith("timewait (0.00/0/0)")
    assert ss([entry]).splitlines()[1].startswith("tcp    TIME-WAIT ")


def test_counters_begin_with_the_most_frequent():
    assert (
        counters({"a": 1, "tcp-checksum": 1200, "b": 1})
        == """\
Counter       Times
tcp-checksum  1,200
a                 1
b                 1
"""
    )


def test_a_host_tells_its_own_sockets_and_counters():
    net, client, server = half_open()
    assert netstat(server) == netstat(server.netstat())
    assert ss(client) == ss(client.netstat())
    net.run()
    assert counters(server) == counters(server.core.counters.counts)
