"""A file server with epoll and a pool of threads, over an unreliable network:

    python examples/file_server.py --loss 5%

The server sends the file in four ways, three of which copy it less often than read and send: sendfile, mmap, writev.
Server and client are ordinary programs (netglass/experiments/programs/file_server.py) that know nothing of the lab.
`netglass show epoll-thread-pool` counts what each way costs, and draws who sleeps when.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from netglass import Network, run, spawn
from netglass.experiments.programs.file_server import METHODS, serve, timed_fetch


def fetch_all() -> list[tuple[str, int, float]]:
    """(method, bytes, seconds) of each way."""
    return [(method, *timed_fetch(method, "big")) for method in METHODS]


def serve_and_fetch(kilobytes: int, delay: str, rate: str, loss: str, seed: int) -> list[tuple[str, int, float]]:
    net = Network(seed=seed)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay=delay, rate=rate, loss=loss)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "big").write_bytes(bytes(1000) * kilobytes)
        spawn(server, serve, Path(folder), daemon=True)
        found: list[tuple[str, int, float]] = run(client, fetch_all)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kilobytes", type=int, default=1000, metavar="N", help="size of the file (1000)")
    parser.add_argument("--delay", default="10 ms", help="of the cable, one way (10 ms)")
    parser.add_argument("--rate", default="100 Mbit/s", help="of the cable (100 Mbit/s)")
    parser.add_argument("--loss", default="1%", help="share of packets that are lost (1%%)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="decides which (1)")
    options = parser.parse_args()
    for method, size, seconds in serve_and_fetch(**vars(options)):
        print(f"{method:8} {size:,} bytes in {seconds:.3f} s")


if __name__ == "__main__":
    main()
