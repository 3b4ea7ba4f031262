"""Nothing leaves the lab unseen: an audit hook refuses calls that would reach the real world."""

from __future__ import annotations

import sys
from typing import Any, Final

from netglass.programs import current
from netglass.programs.threads import Refused

_SOCKETS: Final = (
    "use the socket module inside the run; what was imported from _socket, or made before it, is the kernel's"
)
_PROCESSES: Final = (
    "it would run in real time and on the real network; use threads, or netglass.spawn for another program"
)

REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("socket.__new__", "socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"),
            *("socket.getaddrinfo", "socket.getnameinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
            "socket.sethostname",
        ),
        _SOCKETS,
    ),
    **dict.fromkeys(
        (
            *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system"),
            "pty.spawn",
        ),
        _PROCESSES,
    ),
    "signal.pthread_kill": "threads of a run are stopped by the run",
}
"""Audit events of Python -> what to do instead."""

_allowed: frozenset[str] = frozenset()
_installed = False


def put_up(allow: frozenset[str]) -> None:
    """From now on; audit hooks cannot be taken away, but this one does nothing outside a run."""
    global _allowed, _installed
    _allowed = allow
    if not _installed:
        _installed = True
        sys.addaudithook(_judge)


def _judge(event: str, args: tuple[Any, ...]) -> None:
    if event in REFUSED and event not in _allowed and current.kernel() is not None:
        raise Refused(
            f"{event}{_shown(args)} left the lab: {REFUSED[event]}. "
            f"run(..., allow=({event!r},)) lets it go, in real time"
        )


def _shown(args: tuple[Any, ...]) -> str:
    plain = [each for each in args if isinstance(each, (str, int, bytes, tuple, list))]
    text = ", ".join([repr(each) for each in plain])
    return f"({text if len(text) <= 100 else text[:97] + '...'})"
