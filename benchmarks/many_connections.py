"""How many connections at once, and what does each cost?

    unshare -Urn python benchmarks/many_connections.py [--count 10000] [--python PYTHON]

In a network namespace that it makes itself: a server on a TUN device, and processes of the kernel's that open `--count`
connections to one of its ports from many source addresses and keep them all. Then a byte is echoed on each. It says
the server's memory for each connection (RSS, with its socket and its waker; the kernel's own end is not in it), how
fast they were opened, and how fast the bytes came back. `--python` names the interpreter for the server: one with the
compiled package. The last line is one JSON object.

Each client process opens as many as its limit of descriptors (`ulimit -Hn`) allows, and there are as many processes as
that takes; the server needs none of the kernel's descriptors for its connections.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final

from netglass.link.machine import Changes, Namespace, configure

SERVER: Final = "10.83.0.2"
KERNEL: Final = "10.83.0.1"
PORT: Final = 7003
PER_SOURCE: Final = 20_000
"""Connections from one address: fewer than it has ports."""
SPARE: Final = 50  # descriptors of a client that are no connections
QUEUE: Final = 10_000


def be_client(source: str, count: int) -> None:
    """Opens them, says so; at the next line of standard input echoes a byte on each."""
    begin = time.monotonic()
    streams = []
    for _ in range(count):
        stream = socket.socket()
        stream.settimeout(60)
        stream.bind((source, 0))
        stream.connect((SERVER, PORT))
        streams.append(stream)
    print(json.dumps(time.monotonic() - begin), flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    for number, stream in enumerate(streams):
        stream.sendall(bytes([number & 0xFF]))
    echoed = [stream.recv(2) == bytes([number & 0xFF]) for number, stream in enumerate(streams)]
    print(json.dumps([sum(echoed), time.monotonic() - begin]), flush=True)
    sys.stdin.readline()


def shares(count: int, descriptors: int) -> list[tuple[str, int]]:
    """(source address, connections) of each client process."""
    most = min(PER_SOURCE, descriptors - SPARE)
    found: list[tuple[str, int]] = []
    while count > 0:
        found.append((f"10.83.1.{len(found) + 1}", min(most, count)))
        count -= most
    return found


def rss(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()


def prepare(sources: list[str]) -> None:
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("1024 65535")
    configure("ng0", f"{KERNEL}/24")
    configure("lo", [f"{each}/32" for each in sources])
    Changes().queue("ng0", QUEUE)


def measure(count: int, python: str) -> dict[str, object]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = shares(count, hard)
    processes: list[subprocess.Popen[str]] = []

    def start(python: str, *words: str, errors: int | None = None) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = inside.call(subprocess.Popen, [python, *words], stdin=pipe, stdout=pipe, stderr=errors, text=True)
        processes.append(process)
        return process

    with Namespace() as inside:
        try:
            script = str(Path(__file__).with_name("wire_server.py"))
            server = start(python, script, "ng0", f"{SERVER}/24", errors=subprocess.PIPE)
            build = line(server.stderr).split()[0]
            inside.call(prepare, [source for source, _ in parts])
            before = rss(server.pid)
            begin = time.monotonic()
            clients = [start(sys.executable, __file__, "--client", source, str(share)) for source, share in parts]
            for client in clients:
                line(client.stdout)
            opened = time.monotonic() - begin
            idle = rss(server.pid)
            begin = time.monotonic()
            echoed = [json.loads(said(client)) for client in clients]
            exchanged = time.monotonic() - begin
            return {
                "build": build,
                "connections": count,
                "echoed": sum(each for each, _ in echoed),
                "bytes_a_connection": round((idle - before) / count),
                "bytes_a_connection_after_echo": round((rss(server.pid) - before) / count),
                "opened_per_s": round(count / opened),
                "echoed_per_s": round(count / exchanged),
            }
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    found = stream.readline()
    assert found, "a process ended"
    return found


def said(client: subprocess.Popen[str]) -> str:
    assert client.stdin is not None
    client.stdin.write("\n")
    client.stdin.flush()
    return line(client.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        be_client(options.client[0], int(options.client[1]))
        return
    found = measure(options.count, options.python)
    for name, value in found.items():
        print(f"{name:>30}  {value}")
    print(json.dumps(found))
    sys.exit(found["echoed"] != options.count)


if __name__ == "__main__":
    main()
