"""The same errand by each kind of I/O: ask several servers at once, and take their answers as they come.

Each function takes connected sockets by name, and returns (name, answer, time) in the order in which it had them.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

Sockets = dict[str, socket.socket]
Answers = list[tuple[str, bytes, float]]

TICK: Final = 0.02
"""Seconds between two looks of who does not block: what else it has to do, a picture of a game, takes so long."""


def blocking(sockets: Sockets) -> Answers:
    """One after the other. Each recv() sleeps until there is something."""
    return [(name, sock.recv(100), time.monotonic()) for name, sock in sockets.items()]


def blocking_in_threads(sockets: Sockets) -> Answers:
    """A thread for each: so do many wait at once, each in its own recv()."""
    found: Answers = []

    def take(name: str, sock: socket.socket) -> None:
        found.append((name, sock.recv(100), time.monotonic()))

    threads = [threading.Thread(target=take, args=item, name=f"for {item[0]}") for item in sockets.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def non_blocking(sockets: Sockets) -> Answers:
    """O_NONBLOCK: recv() says EAGAIN instead of sleeping, and one asks again."""
    for sock in sockets.values():
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        sock.setblocking(False)  # Python keeps a note of its own
    found: Answers = []
    waiting = dict(sockets)
    while waiting:
        for name, sock in list(waiting.items()):
            try:
                found.append((name, sock.recv(100), time.monotonic()))
                del waiting[name]
            except BlockingIOError:
                pass
        if waiting:
            time.sleep(TICK)
    return found


def multiplexed(sockets: Sockets) -> Answers:
    """select() sleeps for all of them, and says whose recv() will not."""
    found: Answers = []
    names = {sock: name for name, sock in sockets.items()}
    while names:
        for sock in select.select(list(names), [], [])[0]:
            found.append((names.pop(sock), sock.recv(100), time.monotonic()))
    return found


def with_asyncio(sockets: Sockets) -> Answers:
    """Coroutines wait, the thread sleeps in the event loop's epoll alone."""
    found: Answers = []

    async def take(name: str, sock: socket.socket) -> None:
        sock.setblocking(False)
        found.append((name, await asyncio.get_running_loop().sock_recv(sock, 100), time.monotonic()))

    async def take_all() -> None:
        await asyncio.gather(*[take(name, sock) for name, sock in sockets.items()])

    asyncio.run(take_all())
    return found


KINDS: Final[dict[str, Callable[[Sockets], Answers]]] = {
    "blocking": blocking,
    "threads": blocking_in_threads,
    "non-blocking": non_blocking,
    "multiplexed": multiplexed,
    "asyncio": with_asyncio,
}


def ask(kind: str, servers: list[str], port: int = 80) -> list[tuple[str, float]]:
    """(server, seconds from the question to the answer), in the order of the answers."""
    sockets = {name: socket.create_connection((name, port)) for name in servers}
    began = time.monotonic()
    for sock in sockets.values():
        sock.sendall(b"well?")
    answers = KINDS[kind](sockets)
    for sock in sockets.values():
        sock.close()
    return [(name, heard - began) for name, _, heard in answers]


def answer(think: float, port: int = 80) -> None:
    """A server that thinks for so many seconds before it answers."""
    with socket.create_server(("", port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                time.sleep(think)
                connection.sendall(b"yes")
