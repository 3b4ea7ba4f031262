"""A lab in which much happens, drawn from a seed: what a capture of it holds must not depend on the build."""

from __future__ import annotations

import io as files
from typing import Final

from netglass import Network, faults, match
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.rng import Rng
from netglass.trace.pcapng import write_pcapng
from netglass.trace.recorder import Recorder

CONTROLS: Final = ("reno", "cubic")


def serve(io: Io) -> Steps:
    listener = io.listen(80, backlog=8)
    while True:
        io.spawn(answer, (yield from listener.accept()))


def answer(io: Io, stream: Stream) -> Steps:
    """Back comes three times what was sent, in pieces, then a FIN."""
    try:
        request = yield from stream.receive_all(timeout="5 min")
        for _ in range(3):
            yield from stream.send(request, timeout="5 min")
        stream.close()
    except OSError as error:
        io.note(str(error))


def ask(io: Io, size: int, port: int) -> Steps:
    try:
        stream = yield from io.connect("server", port, timeout="3 min")
        yield from stream.send((bytes(range(251)) * (size // 251 + 1))[:size], timeout="5 min")
        stream.shutdown()
        back = yield from stream.receive_all(timeout="5 min")
        io.note(f"{len(back)} bytes")
        stream.close()
    except OSError as error:
        io.note(str(error))


def abandon(io: Io) -> Steps:
    """Leaves with a RST in the middle."""
    try:
        stream = yield from io.connect("server", 80, timeout="3 min")
        yield from stream.send(b"x" * 50_000, timeout="5 min")
        yield from io.sleep("30 ms")
        stream.abort()
    except OSError as error:
        io.note(str(error))


def resolve(io: Io) -> Steps:
    """UDP; the last datagram goes to a port where nobody listens."""
    socket = io.udp()
    for size in (20, 600, 1300):
        yield from socket.send_to(bytes(size), "server", 53)
        yield from io.sleep("10 ms")
    yield from socket.send_to(b"nobody", "server", 54)


def collect(io: Io) -> Steps:
    socket = io.udp(53)
    while True:
        data, _ = yield from socket.receive_from()
        io.note(f"datagram of {len(data)}")


def network(seed: int) -> Network:
    """Two clients, a router, a server; the cables lose, repeat, corrupt and reorder as the seed says."""
    rng = Rng(seed)
    config = HostConfig()
    config.tcp.congestion_control = CONTROLS[rng.below(len(CONTROLS))]
    net = Network(seed, serialise=seed % 2 == 1)
    near, far = net.host("near", config=config), net.host("far")
    net.router("router")
    server = net.host("server", config=config)
    net.cable("near", "router", delay="1 ms", rate="100 Mbit/s", queue=20)
    net.cable("far", "router", delay=f"{20 + rng.below(80)} ms", rate="20 Mbit/s", jitter="3 ms", reorder=True)
    net.cable(
        "router",
        "server",
        delay="5 ms",
        rate="50 Mbit/s",
        mtu=1400,
        loss=f"{rng.below(4)}%",
        faults=[
            faults.drop(match.third_ack),
            faults.duplication("2%"),
            faults.corruption("1%"),
            faults.reorder("2%", by="8 ms"),
            faults.blackhole("1 s", "1.4 s"),
        ],
    )
    server.spawn(serve)
    server.spawn(collect)
    near.spawn(resolve)
    near.spawn(abandon)
    for host in (near, far):
        host.spawn(ask, 200_000 + rng.below(100_000), 80)
        host.spawn(ask, 1 + rng.below(3000), 80)
        host.spawn(ask, 10, 81)
    return net


def capture(seed: int) -> bytes:
    """The pcapng of the whole network with this seed."""
    net = network(seed)
    recorder = Recorder()
    net.observe(recorder)
    net.run(until="10 min")
    out = files.BytesIO()
    write_pcapng(recorder, out, "all")
    return out.getvalue()
