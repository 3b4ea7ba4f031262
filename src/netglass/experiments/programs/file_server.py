"""A file server with epoll and a pool of threads.

One thread accepts connections and watches them with epoll. A request is a line: `METHOD NAME`. A thread of the pool
answers it and closes the connection, in one of these ways:

- `read`: piece by piece into the program's memory, and from there into the socket;
- `sendfile`: the kernel moves the file's pages into the socket, and the program never sees them (sendfile(2));
- `mmap`: the file is memory, and what is sent is a piece of it (mmap(2));
- `writev`: a head and the body go out with one call, from where they lie (writev(2)).
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

PIECE: Final = 1 << 16


def send_with_read(connection: socket.socket, path: Path) -> None:
    with path.open("rb") as file:
        connection.sendall(b"%d\n" % os.fstat(file.fileno()).st_size)
        while piece := os.read(file.fileno(), PIECE):
            connection.sendall(piece)


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
    with path.open("rb") as file:
        body = os.read(file.fileno(), os.fstat(file.fileno()).st_size)
    parts = [memoryview(b"%d\n" % len(body)), memoryview(body)]
    while parts:
        sent = os.writev(connection.fileno(), parts)
        while parts and sent >= len(parts[0]):
            sent -= len(parts.pop(0))
        if sent:
            parts[0] = parts[0][sent:]


METHODS: Final[dict[str, Callable[[socket.socket, Path], None]]] = {
    "read": send_with_read,
    "sendfile": send_with_sendfile,
    "mmap": send_with_mmap,
    "writev": send_with_writev,
}


def answer(connection: socket.socket, folder: Path) -> None:
    """One connection, in a thread of the pool. Its line has begun to arrive."""
    with connection, connection.makefile("r") as lines:
        method, name = lines.readline().split()
        METHODS[method](connection, folder / name)


def serve(folder: Path, port: int = 7000, threads: int = 4, buffer: int = 1 << 16) -> None:
    """`buffer`: bytes that the kernel takes for one client, so that a slow one cannot take all its memory."""
    waiting: dict[int, socket.socket] = {}
    with (
        socket.create_server(("", port)) as listener,
        select.epoll() as events,
        ThreadPoolExecutor(threads, "worker") as pool,
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)  # each connection has it from the listener
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


def fetch(method: str, name: str, server: str = "server", port: int = 7000) -> bytes:
    with socket.create_connection((server, port)) as connection, connection.makefile("rb") as file:
        connection.sendall(f"{method} {name}\n".encode())
        return file.read(int(file.readline()))


def timed_fetch(method: str, name: str, server: str = "server", port: int = 7000) -> tuple[int, float]:
    """(bytes, seconds)"""
    began = time.monotonic()
    size = len(fetch(method, name, server, port))
    return size, time.monotonic() - began
