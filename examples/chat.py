"""A chat: one thread, one select, any number of people. Ann's network is slow, Ben's breaks in the middle:

    python examples/chat.py

Whatever somebody says goes to all others. `serve` and `talk` are ordinary programs.
"""

from __future__ import annotations

import select
import socket
import time

from netglass import Network, run, spawn


def serve(port: int = 6667) -> None:
    with socket.create_server(("", port)) as listener:
        people: list[socket.socket] = []
        while True:
            readable, _, _ = select.select([listener, *people], [], [])
            for sock in readable:
                if sock is listener:
                    people.append(listener.accept()[0])
                elif said := hear(sock):
                    for other in people:
                        if other is not sock:
                            other.sendall(said)
                else:
                    people.remove(sock)
                    sock.close()


def hear(sock: socket.socket) -> bytes:
    """What somebody says; b"" when they have gone, in whatever way."""
    try:
        return sock.recv(4096)
    except OSError:
        return b""


def talk(name: str, lines: list[tuple[float, str]], until: float, port: int = 6667) -> list[tuple[float, str]]:
    """Says each line at its time, listens meanwhile: (time, line) of all that was heard."""
    heard = []
    began = time.monotonic()
    with socket.create_connection(("server", port)) as sock:
        while (now := time.monotonic() - began) < until:
            while lines and lines[0][0] <= now:
                sock.sendall(f"{name}: {lines.pop(0)[1]}\n".encode())
            wait = min(lines[0][0] if lines else until, until) - now
            if select.select([sock], [], [], wait)[0]:
                data = sock.recv(4096)
                if not data:
                    break
                heard += [(round(time.monotonic() - began, 3), line) for line in data.decode().splitlines()]
    return heard


def main() -> dict[str, list[tuple[float, str]]]:
    net = Network(seed=1)
    server = net.host("server")
    delays = {"ann": "200 ms", "ben": "5 ms", "eve": "5 ms"}
    hosts = {name: net.host(name) for name in delays}
    for name, delay in delays.items():
        net.cable(hosts[name], server, delay=delay)
    net.at("2 s", lambda: net.partition("ben", "server"))
    net.at("5 s", net.heal)
    spawn(server, serve, daemon=True)
    ann = spawn(hosts["ann"], talk, "ann", [(1.0, "hello"), (3.0, "is Ben there?")], 10.0)
    ben = spawn(hosts["ben"], talk, "ben", [(1.5, "hello Ann"), (2.5, "can you hear me?")], 10.0)
    eve = run(hosts["eve"], talk, "eve", [], 10.0)
    return {"ann": ann.result, "ben": ben.result, "eve": eve}


if __name__ == "__main__":
    for name, heard in main().items():
        print(f"{name} hears")
        for when, line in heard:
            print(f"  {when:6.3f} s  {line}")
