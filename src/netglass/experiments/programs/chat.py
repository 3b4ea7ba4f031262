"""A chat: one thread, one select or poll, any number of people. Whatever somebody says goes to all others."""

from __future__ import annotations

import select
import socket
import struct
import time

Heard = list[tuple[float, str]]
"""(seconds, line)"""


def serve_with_select(port: int = 6667) -> None:
    with socket.create_server(("", port)) as listener:
        people: list[socket.socket] = []
        while True:
            readable, _, _ = select.select([listener, *people], [], [])
            for sock in readable:
                if sock is listener:
                    people.append(listener.accept()[0])
                elif said := hear(sock):
                    tell(said, [other for other in people if other is not sock])
                else:
                    people.remove(sock)
                    sock.close()


def serve_with_poll(port: int = 6667) -> None:
    with socket.create_server(("", port)) as listener:
        people: dict[int, socket.socket] = {}
        watched = select.poll()
        watched.register(listener, select.POLLIN)
        while True:
            for number, _ in watched.poll():
                if number == listener.fileno():
                    sock, _ = listener.accept()
                    people[sock.fileno()] = sock
                    watched.register(sock, select.POLLIN)
                elif said := hear(people[number]):
                    tell(said, [other for other in people.values() if other.fileno() != number])
                else:
                    watched.unregister(number)
                    people.pop(number).close()


def hear(sock: socket.socket) -> bytes:
    """What somebody says; b"" when they have gone, in whatever way."""
    try:
        return sock.recv(4096)
    except OSError:
        return b""


def tell(said: bytes, people: list[socket.socket]) -> None:
    for sock in people:
        sock.sendall(said)


def talk(
    name: str,
    lines: list[tuple[float, str]],
    until: float,
    rude: bool = False,
    server: str = "server",
    port: int = 6667,
) -> Heard:
    """Says each line at its time, listens meanwhile: all that was heard. Who is rude leaves with a RST."""
    heard: Heard = []
    rest = list(lines)
    began = time.monotonic()
    with socket.create_connection((server, port)) as sock:
        while (now := time.monotonic() - began) < until:
            while rest and rest[0][0] <= now:
                sock.sendall(f"{name}: {rest.pop(0)[1]}\n".encode())
            wait = min(rest[0][0] if rest else until, until) - now
            if select.select([sock], [], [], wait)[0]:
                data = sock.recv(4096)
                if not data:
                    break
                heard += [(round(time.monotonic() - began, 3), line) for line in data.decode().splitlines()]
        if rude:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return heard
