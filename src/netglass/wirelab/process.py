"""A process of the machine on a host of the lab."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from netglass.errors import MisuseError
from netglass.wirelab import names

SIGNALLED: Final = 128
"""What a shell adds to the number of the signal that ended a process."""

SOCKET_TABLES: Final = (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"))
"""(file below /proc/PID/net, state of a socket that waits for peers): LISTEN, and CLOSE of those not connected."""


class Process:
    """One that was started by `WireLab.start`. `status` is None until the lab has seen it end, then as a shell would
    have it; `popen` has the pipes, if there are any."""

    __slots__ = ("end", "host", "popen", "status", "words")

    def __init__(self, host: str, words: Sequence[str], popen: subprocess.Popen[bytes]) -> None:
        self.host: str = host
        self.words: Sequence[str] = words
        self.popen: subprocess.Popen[bytes] = popen
        self.status: int | None = None
        self.end: int = os.pidfd_open(popen.pid)  # becomes readable when the process ends

    def __repr__(self) -> str:
        return f"<process {self.popen.pid} on {self.host}: {self.title}>"

    @property
    def title(self) -> str:
        return shlex.join(self.words)

    def reap(self) -> None:
        """It has ended, or is about to."""
        if self.status is None:
            code = self.popen.wait()
            self.status = SIGNALLED - code if code < 0 else code
            os.close(self.end)

    def close(self) -> None:
        """Closes the pipes to it."""
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()


def launch(
    host: str, words: Sequence[str], directory: Path, hosts: Path, stdin: int | None, output: int | None
) -> tuple[Process, str]:
    """Called in the host's namespace. Also what keeps the process from seeing the names of the lab's hosts, or ""."""
    if not words:
        raise MisuseError(f"host {host}: an empty command line")
    complaint = names.put_on(hosts)
    try:
        errors = None if output is None else subprocess.STDOUT
        popen = subprocess.Popen(list(words), cwd=directory, stdin=stdin, stdout=output, stderr=errors)
    except FileNotFoundError:
        raise MisuseError(f"host {host}: there is no program {words[0]!r}") from None
    except OSError as error:
        raise MisuseError(f"host {host}: {words[0]!r} cannot be started: {error.strerror}") from None
    return Process(host, words, popen), complaint


def waiting_sockets(pid: int) -> int:
    """How many sockets in the namespace of this process wait for peers."""
    found = 0
    for table, state in SOCKET_TABLES:
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        found += sum([line.split()[3] == state for line in lines])
    return found
