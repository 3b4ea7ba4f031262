"""A program is as a process: what it drops is closed at once, and what it holds when it ends, too."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

import netglass
from netglass import Network
from netglass.lab.host import LabHost

KEPT: list[Any] = []


def drop() -> None:
    with socket.create_server(("", 80)) as server:
        connection = server.accept()[0]
        del connection
        time.sleep(50)


def keep() -> None:
    server = socket.create_server(("", 80))
    KEPT.extend([server, server.accept()])


def crash() -> None:
    keep()
    raise KeyError("oops")


def listen() -> socket.socket:
    return socket.create_server(("", 80))


def ask() -> tuple[bytes, float]:
    with socket.create_connection(("server", 80), timeout=3) as asking:
        begin = time.monotonic()
        return asking.recv(10), round(time.monotonic() - begin, 3)


def network() -> tuple[LabHost, LabHost]:
    net = Network()
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    return client, server


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("serve", [drop, keep, crash])
def test_the_client_hears_of_it_at_once(serve: Callable[[], None]):
    client, server = network()
    heard = []
    netglass.spawn(server, serve, daemon=True)
    with pytest.raises(KeyError, match="oops") if serve is crash else nullcontext():
        netglass.run(client, lambda: heard.append(ask()))
    assert heard == [(b"", 0.02)]  # there and back: the FIN left when the third ACK came
    KEPT.clear()


def test_what_a_part_of_a_program_opens_stays_open():
    client, server = network()

    def main() -> tuple[bytes, float]:
        listener = netglass.run(server, listen)
        netglass.spawn(server, lambda: listener.accept()[0].close(), daemon=True)
        answer = ask()
        listener.close()
        return answer

    assert netglass.run(client, main) == (b"", 0.02)
