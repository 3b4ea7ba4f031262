"""What happens when the ports are used up?"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.scene import RTT, Scene, error_name
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream, failure
from netglass.lab.process import Steps
from netglass.sockets.constants import AF_INET, SOCK_STREAM
from netglass.times import SECOND, human

FIRST_PORT = 50000


def serve(io: Io, port: int) -> Steps:
    listener = io.listen(port)
    while True:
        stream = yield from listener.accept()
        io.spawn(answer, stream)


def answer(io: Io, stream: Stream) -> Steps:
    # The client aborts what it opens only to try.
    with suppress(ConnectionResetError):
        yield from stream.receive_all()
    stream.close()


class Client:
    """Opens connections until there are no ports left, then tries what else might work. `tried`: (what, result)."""

    def __init__(self, ports: int) -> None:
        self.ports = ports
        self.tried: list[tuple[str, ...]] = []

    def program(self, io: Io) -> Steps:
        streams = []
        for _ in range(self.ports):
            stream = yield from io.connect("server", 80)
            streams.append(stream)
        yield from io.sleep("100 ms")
        yield from self.attempt(io, "one more connect()", 80)
        yield from self.attempt(io, "connect() to another port of the server", 81)
        self.bind_any(io)
        yield from io.sleep("100 ms")
        for stream in streams:
            stream.close()
        yield from io.sleep("500 ms")
        yield from self.attempt(io, "connect() after closing all: TIME-WAIT", 80)
        yield from io.sleep("2 s")
        io.machine.host.config.tcp.tw_reuse = True
        yield from self.attempt(io, "connect() with tcp_tw_reuse, 2 s later", 80)
        io.machine.host.config.tcp.tw_reuse = False
        yield from io.sleep("60 s")
        yield from self.attempt(io, "connect() after TIME-WAIT", 80)

    def attempt(self, io: Io, what: str, port: int) -> Steps:
        try:
            stream = yield from io.connect("server", port)
        except OSError as error:
            self.report(io, what, error_name(error))
            yield from io.sleep("100 ms")
            return
        self.report(io, what, "works")
        yield from io.sleep("100 ms")
        stream.abort()
        yield from io.sleep("100 ms")

    def bind_any(self, io: Io) -> None:
        """bind() to port 0: the kernel shall pick one."""
        sockets = io.machine.sockets
        fd = sockets.socket(AF_INET, SOCK_STREAM)
        result = sockets.bind(fd, ("0.0.0.0", 0), io.now())
        self.report(io, "bind() to port 0", error_name(failure(result, "bind")) if result < 0 else "works")
        sockets.close(fd, io.now())

    def report(self, io: Io, what: str, result: str) -> None:
        self.tried.append((what, result))
        io.note(f"{what.partition('()')[0].split()[-1]}(): {result}")


def run(rtt: str, ports: int) -> Outcome:
    config = HostConfig()
    config.port_range = (FIRST_PORT, FIRST_PORT + ports - 1)
    scene = Scene(rtt, client=config)
    scene.server.spawn(serve, 80)
    scene.server.spawn(serve, 81)
    client = Client(ports)
    program = scene.client.spawn(client.program)
    scene.net.run(until="80 s")
    assert program.done
    results = {each[0]: each[1] for each in client.tried}
    refused = [each for each in results.values() if each == "ECONNREFUSED"]
    default = HostConfig().port_range
    usual = default[1] - default[0] + 1
    hold = 2 * config.tcp.msl
    figures: dict[str, Any] = {
        "results": client.tried,
        "refused": len(refused),
        "default_ports": usual,
        "connections_a_second": usual * SECOND // hold,
    }
    one_more = results["one more connect()"]
    answer = (
        f"A connection is named by two addresses and two ports, and the client's port comes from ip_local_port_range: here {ports}. When each "
        f"is in use towards the same server and port, the next connect() fails with {one_more}, and bind() to port 0 with "
        f"{results['bind() to port 0']}: {len(refused)} times ECONNREFUSED, for the client's own kernel says no and no segment is sent. Another "
        f"server, or another port of it, is another name: {results['connect() to another port of the server']}.\n"
        f"Closing does not help for {human(hold)}, since TIME-WAIT holds the port: {results['connect() after closing all: TIME-WAIT']}. "
        f"With Linux's default of {usual:,} ports a client that closes first can open {figures['connections_a_second']} connections a second "
        f"to one server, and no more. Cures: keep connections open and use them again, let the server close first, tcp_tw_reuse (it needs "
        f"timestamps; here: {results['connect() with tcp_tw_reuse, 2 s later']})."
    )
    table = Table(("the client tries", "result"), client.tried)
    return Outcome(answer, figures, [Part("running out of ports", scene.trace, end="800 ms")], table)


EXPERIMENT = Experiment(
    "out-of-ports",
    "closing",
    "What happens when a client runs out of ports?",
    run,
    (
        RTT,
        Parameter("ports", 2, "how many ports the client has", 1, 200),
    ),
)
