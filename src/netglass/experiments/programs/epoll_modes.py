"""How epoll tells: level, edge, one-shot, exclusive.

`read_slowly` takes what comes in small bites; `crowd` has several threads wait for the same listener.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Final

BITE: Final = 2
IDLE: Final = 1.0
"""Seconds without news after which nobody waits any longer."""

MODES: Final[dict[str, int]] = {
    "level": select.EPOLLIN,
    "edge": select.EPOLLIN | select.EPOLLET,
    "edge, until EAGAIN": select.EPOLLIN | select.EPOLLET,
    "one-shot": select.EPOLLIN | select.EPOLLONESHOT,
    "one-shot, armed again": select.EPOLLIN | select.EPOLLONESHOT,
}


def read_slowly(mode: str, port: int = 80) -> int:
    """Reads a bite whenever epoll says so. Bytes that it got."""
    with socket.create_server(("", port)) as listener, select.epoll() as events:
        connection, _ = listener.accept()
        with connection:
            connection.setblocking(False)
            events.register(connection, MODES[mode])
            taken = 0
            while events.poll(IDLE):
                taken += len(connection.recv(BITE))
                if mode == "edge, until EAGAIN":
                    taken += drain(connection)
                if mode == "one-shot, armed again":
                    events.modify(connection, MODES[mode])
            return taken


def drain(connection: socket.socket) -> int:
    taken = 0
    try:
        while bite := connection.recv(BITE):
            taken += len(bite)
    except BlockingIOError:
        pass
    return taken


def send_in_pieces(pieces: list[bytes], pause: float, port: int = 80) -> None:
    with socket.create_connection(("server", port)) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        time.sleep(IDLE + pause)


def crowd(threads: int, flags: int, port: int = 80) -> int:
    """Threads that wait for the same listener, each with an epoll of its own. Connections that they got."""
    taken: list[socket.socket] = []

    def wait() -> None:
        with select.epoll() as events:
            events.register(listener, select.EPOLLIN | flags)
            while events.poll(IDLE):
                with suppress(BlockingIOError):  # another was faster
                    taken.append(listener.accept()[0])

    with socket.create_server(("", port)) as listener:
        listener.setblocking(False)
        waiting = [threading.Thread(target=wait, name=f"thread {number}") for number in range(threads)]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
    for connection in taken:
        connection.close()
    return len(taken)


def call_often(times: int, pause: float, port: int = 80) -> None:
    for _ in range(times):
        with socket.create_connection(("server", port)):
            time.sleep(pause)
