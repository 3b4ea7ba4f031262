"""A file server with epoll and a pool of threads, over an unreliable network:

    python examples/file_server.py

One thread accepts connections and watches them with epoll. A request is a line: `METHOD NAME`. A thread of the pool
answers it and closes the connection, in one of three ways that copy the file less often than read and send:

- `sendfile`: the kernel moves the file's pages into the socket (sendfile(2));
- `mmap`: the file is memory, and what is sent is a piece of it;
- `writev`: a head and the body go out with one call (writev(2)), from where they lie.

Nothing of `serve` and `fetch` knows of netglass: give `serve` a real folder and a free port, and it serves.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from netglass import Network, run, spawn


def send_with_sendfile(connection: socket.socket, path: Path) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        connection.sendall(b"%d\n" % size)
        sent = 0
        while sent < size:
            sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)


def send_with_mmap(connection: socket.socket, path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        connection.sendall(b"%d\n" % len(memory))
        connection.sendall(memory)


def send_with_writev(connection: socket.socket, path: Path) -> None:
    body = path.read_bytes()
    parts = [memoryview(b"%d\n" % len(body)), memoryview(body)]
    while parts:
        sent = os.writev(connection.fileno(), parts)
        while parts and sent >= len(parts[0]):
            sent -= len(parts.pop(0))
        if sent:
            parts[0] = parts[0][sent:]


METHODS = {"sendfile": send_with_sendfile, "mmap": send_with_mmap, "writev": send_with_writev}


def answer(connection: socket.socket, folder: Path) -> None:
    """One connection, in a thread of the pool. Its line has begun to arrive."""
    with connection, connection.makefile("r") as lines:
        method, name = lines.readline().split()
        METHODS[method](connection, folder / name)


def serve(folder: Path, port: int = 7000, threads: int = 4) -> None:
    waiting: dict[int, socket.socket] = {}
    with (
        socket.create_server(("", port)) as listener,
        select.epoll() as events,
        ThreadPoolExecutor(threads) as pool,
    ):
        listener.setblocking(False)
        events.register(listener, select.EPOLLIN)
        while True:
            for number, _ in events.poll():
                if number == listener.fileno():
                    connection, _ = listener.accept()
                    connection.setblocking(True)
                    waiting[connection.fileno()] = connection
                    events.register(connection, select.EPOLLIN | select.EPOLLONESHOT)
                else:
                    events.unregister(number)  # the thread has it from here on
                    pool.submit(answer, waiting.pop(number), folder)


def fetch(method: str, name: str, port: int = 7000) -> bytes:
    with socket.create_connection(("server", port)) as connection, connection.makefile("rb") as file:
        connection.sendall(f"{method} {name}\n".encode())
        return file.read(int(file.readline()))


def fetch_all() -> list[tuple[str, int, float]]:
    """(method, bytes, seconds) of each way."""
    found = []
    for method in METHODS:
        began = time.monotonic()
        size = len(fetch(method, "big"))
        found.append((method, size, time.monotonic() - began))
    return found


def main() -> list[tuple[str, int, float]]:
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", rate="100 Mbit/s", loss="1%")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "big").write_bytes(bytes(range(256)) * 4000)
        spawn(server, serve, Path(folder), daemon=True)
        return run(client, fetch_all)


if __name__ == "__main__":
    for method, size, seconds in main():
        print(f"{method:8} {size:,} bytes in {seconds:.3f} s")
