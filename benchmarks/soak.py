"""Does anything stay behind? Short connections one after another in one lab, ended in every way there is, and what is
left after them: objects, memory, sockets, events, timers, descriptors, ports.

    python benchmarks/soak.py [--connections 100000]

The last line is one JSON object; exits with 1 if something grew.
"""

# ruff: noqa: SLF001 -- it looks inside: that is what it is for

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from dataclasses import dataclass
from typing import Final

from netglass import HostConfig, Network
from netglass.build import compiled
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps

ENDINGS: Final = ("client closes", "server closes", "both close", "client resets", "server resets", "refused")
PORTS: Final = 100
"""Ephemeral ports of the client: few, so that one that is not given back is missed soon."""


@dataclass(frozen=True)
class Left:
    """What there is between two connections, with TIME-WAIT over."""

    objects: int  # that the garbage collector knows
    blocks: int  # of memory
    sockets: int
    agenda: int  # events in the lab's heap
    timers: int  # entries in the hosts' heaps
    descriptors: int
    ports: int  # held

    def grown(self, before: Left) -> dict[str, int]:
        now, then = vars(self), vars(before)
        return {name: now[name] - then[name] for name in now if now[name] != then[name]}


class Soak:
    """A client, a server, a cable of 1 ms; TIME-WAIT of 20 ms, so that its ports come back."""

    def __init__(self, seed: int = 1) -> None:
        config = HostConfig()
        config.tcp.msl = 10_000_000
        config.port_range = (50_000, 50_000 + PORTS - 1)
        self.net = Network(seed=seed)
        self.client = self.net.host("client", config=config)
        self.server = self.net.host("server", config=config)
        self.net.cable("client", "server", delay="1 ms", rate="1 Gbit/s")
        self.ended: dict[str, int] = dict.fromkeys(ENDINGS, 0)
        self.connections = 0
        self.server.spawn(self.serve)

    # -- the programs

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80, backlog=4)
        while True:
            stream = yield from listener.accept()
            io.spawn(self.answer, stream)

    def answer(self, io: Io, stream: Stream) -> Steps:
        ending = (yield from stream.receive(100)).decode()
        try:
            if ending == "server resets":
                stream.abort()
                return
            yield from stream.send(b"answer")
            if ending == "both close":
                # The answer is read 1 ms from now, and then the client closes.
                yield from io.sleep("1 ms")
            elif ending.startswith("client"):
                yield from stream.receive(100)
            stream.close()
        except ConnectionResetError:
            self.ended[ending] += 1
            stream.close()

    def ask(self, io: Io, count: int) -> Steps:
        for number in range(count):
            yield from self.one(io, ENDINGS[number % len(ENDINGS)])
            self.connections += 1

    def one(self, io: Io, ending: str) -> Steps:
        if ending == "refused":
            try:
                yield from io.connect("server", 81)
            except ConnectionRefusedError:
                self.ended[ending] += 1
            return
        stream = yield from io.connect("server", 80)
        yield from stream.send(ending.encode())
        try:
            yield from stream.receive_exactly(6)
            if ending == "client resets":
                stream.abort()
                return
            if ending == "server closes":
                yield from stream.receive(1)
            self.ended[ending] += 1
        except ConnectionResetError:
            self.ended[ending] += 1
        stream.close()

    # -- running

    def run(self, count: int) -> None:
        """`count` connections more, and then TIME-WAIT to its end."""
        self.client.spawn(self.ask, count)
        self.net.run()

    def left(self) -> Left:
        gc.collect()
        cores = (self.client.core, self.server.core)
        return Left(
            objects=len(gc.get_objects()),
            blocks=sys.getallocatedblocks(),
            sockets=sum(len(core.sockets()) for core in cores),
            agenda=len(self.net._scene.agenda.heap),
            timers=sum(len(core._schedule._heap) for core in cores),
            descriptors=sum(len(host.sockets._descriptions) for host in (self.client, self.server)),
            ports=sum(len(core._tcp.ports._holders) for core in cores),
        )


def leak(grown: dict[str, int], connections: int) -> dict[str, int]:
    """What grew by more than a cache of the interpreter may hold: a leak is one for each connection, or more."""
    spared = {"objects": connections // 50, "blocks": connections // 20}
    return {name: change for name, change in grown.items() if abs(change) > spared.get(name, 0)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=100_000)
    options = parser.parse_args()
    build = "compiled" if compiled() else "pure Python"
    print(f"netglass ({build}), Python {sys.version.split()[0]}")
    soak = Soak()
    soak.run(600)
    first = soak.left()
    names = list(vars(first))
    print(f"{'connections':>12} {'CPU s':>8} " + " ".join(f"{name:>12}" for name in names))
    begin = time.process_time()
    left = first
    for part in range(11):
        if part:
            soak.run(options.connections // 10)
            left = soak.left()
        row = " ".join(f"{vars(left)[name]:>12}" for name in names)
        print(f"{soak.connections:>12} {time.process_time() - begin:>8.1f} {row}", flush=True)
    cpu = time.process_time() - begin
    grown = left.grown(first)
    leaks = leak(grown, options.connections)
    print(f"grown: {grown or 'nothing'}; leaks: {leaks or 'none'}")
    result = {
        "benchmark": "soak",
        "build": build,
        "connections": options.connections,
        "cpu_s": round(cpu, 1),
        "connections_per_cpu_s": round(options.connections / cpu),
        "grown": grown,
        "leaks": leaks,
    }
    print(json.dumps(result))
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
