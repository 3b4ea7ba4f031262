"""What does a connection cost that says nothing? Memory of one end, and CPU time of an hour.

    python benchmarks/idle.py [N]

N (10,000) connections between two hosts, established, no keep-alive, no application: what the protocol core holds,
without sockets. `tracemalloc` counts every byte that Python allocates, of both ends, and half of it is one end's; RSS
is what the operating system says, measured before tracemalloc begins. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Final

from netglass import HOUR, HostConfig, Network
from netglass.build import compiled
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.wire.address import parse

PER_PORT: Final = 20_000
"""Connections to one port of the server: fewer than there are ephemeral ports."""
BATCH: Final = 500
PAGE: Final = 4096


class Idle:
    """The two hosts, and what their applications hold."""

    def __init__(self) -> None:
        config = HostConfig()
        self.net = Network(seed=1)
        self.client = self.net.host("client", config=config).core
        self.server = self.net.host("server", config=config).core
        self.net.cable("client", "server", delay="1 ms")
        self.net.run()
        self.held: list[Connection] = []
        self.port = 1000

    def connect(self, count: int) -> None:
        """`count` connections more, all of them accepted."""
        address = parse(self.net.resolve("server")[0])
        for start in range(0, count, PER_PORT):
            listener = self.server.listen_tcp(b"", self.port, BATCH, TcpSettings(), self.net.now())
            assert isinstance(listener, Listener), listener
            self.port += 1
            end = min(count, start + PER_PORT)
            for first in range(start, end, BATCH):
                self.connect_batch(listener, address, min(BATCH, end - first))
            self.server.close_listener(listener, self.net.now())

    def connect_batch(self, listener: Listener, address: bytes, count: int) -> None:
        now = self.net.now()
        for _ in range(count):
            made = self.client.connect_tcp(b"", 0, address, listener.local_port, TcpSettings(), now)
            assert isinstance(made, Connection), made
            self.held.append(made)
        self.net.run()
        while (taken := listener.accept(self.net.now())) is not None:
            self.held.append(taken)


def resident() -> int:
    """Bytes of this process in memory; 0 where there is no /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * PAGE if statm.exists() else 0


def rss_of_one_end(count: int) -> int:
    gc.collect()
    before = resident()
    idle = Idle()
    idle.connect(count)
    gc.collect()
    return (resident() - before) // (2 * count)


def measure(count: int) -> dict[str, float]:
    """What tracemalloc counts, and an hour of silence."""
    tracemalloc.start()
    idle = Idle()
    idle.connect(10)  # what is made once is there
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    idle.connect(count)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    established = [entry for core in (idle.client, idle.server) for entry in core.sockets()]
    assert len(idle.held) == len(established) == 2 * (count + 10)
    assert all(entry.state == "ESTABLISHED" for entry in established)
    begin = time.process_time()
    idle.net.run(until=idle.net.now() + HOUR)
    cpu = time.process_time() - begin
    assert not idle.net.run_next(), "an idle connection has something to do"
    return {"bytes_per_connection": (after - before) // (2 * count), "cpu_s_per_hour": round(cpu, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("connections", type=int, nargs="?", default=10_000)
    parser.add_argument("--rss", action="store_true", help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    count = options.connections
    if options.rss:
        print(rss_of_one_end(count))
        return
    build = "compiled" if compiled() else "pure Python"
    print(f"netglass ({build}), Python {sys.version.split()[0]}")
    child = subprocess.run([sys.executable, __file__, str(count), "--rss"], capture_output=True, text=True, check=True)
    result = measure(count)
    rss = int(child.stdout)
    print(f"{'connections':>12} {'bytes each':>12} {'RSS each':>10} {'CPU s per virtual hour':>24}")
    print(f"{count:>12} {result['bytes_per_connection']:>12} {rss:>10} {result['cpu_s_per_hour']:>24}")
    print("bytes each: tracemalloc, one end of a connection; RSS each: the same from /proc, without tracemalloc")
    print(json.dumps({"benchmark": "idle", "build": build, "connections": count, **result, "rss_per_connection": rss}))


if __name__ == "__main__":
    main()
