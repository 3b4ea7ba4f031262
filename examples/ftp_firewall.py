"""FTP, active and passive, through a firewall that lets nobody connect to the client:

    pip install pyftpdlib
    python examples/ftp_firewall.py

FTP uses a second connection for the data. Passive: the client opens it, as it opened the first. Active: the client
says where it listens, and the server opens it, towards the client; a firewall that drops such SYNs makes the transfer
hang until the server gives up. pyftpdlib serves, Python's ftplib fetches; neither knows of the lab.
"""

from __future__ import annotations

import ftplib
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from netglass import Network, faults, match, run, spawn
from netglass.trace import Ladder, Recorder


def serve(folder: str) -> None:
    logging.getLogger("pyftpdlib").handlers = [logging.NullHandler()]  # it would print what it does
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(folder)
    handler: Any = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    FTPServer(("0.0.0.0", 21), handler, ioloop=IOLoop()).serve_forever(handle_exit=False)


def fetch(passive: bool) -> tuple[str, float]:
    """What comes of it, and the seconds."""
    got: list[bytes] = []
    with ftplib.FTP("server", timeout=120) as client:
        client.login()
        client.set_pasv(passive)
        began = time.monotonic()
        try:
            client.retrbinary("RETR file", got.append)
        except (ftplib.Error, OSError) as error:
            return f"{type(error).__name__}: {error}", time.monotonic() - began
        return f"{sum(map(len, got))} bytes", time.monotonic() - began


def across_a_firewall(passive: bool) -> tuple[str, float, Recorder]:
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", faults=[faults.drop(match.syn.to("client"), times=match.ALL)])
    recorder = Recorder()
    net.observe(recorder)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(bytes(50_000))
        spawn(server, serve, folder, daemon=True)
        outcome, seconds = run(client, fetch, passive)
    return outcome, seconds, recorder


if __name__ == "__main__":
    for passive in (True, False):
        outcome, seconds, recorder = across_a_firewall(passive)
        print(f"{'passive' if passive else 'active'}: {outcome} after {seconds:.2f} s")
    print(Ladder.of(recorder, last=30).text())
