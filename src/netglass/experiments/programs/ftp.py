"""FTP: pyftpdlib serves a folder, ftplib of the standard library fetches a file."""

from __future__ import annotations

import ftplib
import logging
import time
from typing import Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

DATA_PORT = 20


class Active(FTPHandler.active_dtp):
    """Connects from port 20, as RFC 959 has it; as it comes, pyftpdlib takes any port, for which it needs no rights."""

    def connect_af_unspecified(self, address: tuple[str, int], source: tuple[str, int]) -> Any:
        return super().connect_af_unspecified(address, (source[0], DATA_PORT))


class Handler(FTPHandler):
    active_dtp = Active
    banner = "ready"


def serve(folder: str) -> None:
    logging.getLogger("pyftpdlib").handlers = [logging.NullHandler()]  # it would print what it does
    Handler.authorizer = DummyAuthorizer()
    Handler.authorizer.add_anonymous(folder)
    # A loop of its own: else it takes that of the process, which would be that of the last server.
    FTPServer(("0.0.0.0", 21), Handler, ioloop=IOLoop()).serve_forever(handle_exit=False)


def fetch(name: str, passive: bool, patience: float = 60) -> tuple[str, float]:
    """What comes of it, in words, and the seconds that the transfer took."""
    got: list[bytes] = []
    client = ftplib.FTP("server", timeout=patience)
    client.login()
    client.set_pasv(passive)
    began = time.monotonic()
    try:
        client.retrbinary(f"RETR {name}", got.append)
    except (ftplib.Error, OSError) as error:
        client.close()
        return f"{type(error).__name__}: {error}", time.monotonic() - began
    took = time.monotonic() - began
    client.quit()
    size = sum(map(len, got))
    return f"{size} byte{'s' * (size != 1)}", took
