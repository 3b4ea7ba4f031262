"""Nothing leaves the lab unseen: an audit hook refuses calls that would reach the real world.

C code that opens sockets by itself raises no audit event. Libraries known to do that are refused by name: their import
in a run, and what they are entered by if they were imported before. Others cannot be seen.
"""

from __future__ import annotations

import _posixsubprocess
import sys
from functools import cache
from typing import Any, Final

from netglass.programs import current
from netglass.programs.patches import Patch
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

_LOOP: Final = "it waits for the real network by itself; asyncio's own loop works here"
_OWN_NETWORK: Final = "it opens real sockets in C; use a library of pure Python"

FOREIGN: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "uvloop": (_LOOP, ("Loop", "new_event_loop", "run")),
    "gevent": (_LOOP, ("spawn", "get_hub")),
    "pycares": ("it asks real name servers; leave aiodns out, and the lab's names are used", ("Channel",)),
    "pycurl": (_OWN_NETWORK, ("Curl", "CurlMulti")),
    "grpc": (_OWN_NETWORK, ("insecure_channel", "secure_channel", "server")),
    "zmq": (_OWN_NETWORK, ("Context", "Socket")),
    "psycopg2": (_OWN_NETWORK, ("connect",)),
    "MySQLdb": (_OWN_NETWORK, ("connect",)),
}
"""Modules -> what is the matter with them, and their names that are refused."""

NAMES: Final = REFUSED.keys() | FOREIGN.keys() | {"fork_exec"}
"""What `allow` may name."""

PASSABLE: Final = NAMES - {"os.fork", "os.forkpty", "signal.pthread_kill"}
"""What may leave in real time: the kernel's own sockets have their place beside ours."""

_allowed: frozenset[str] = frozenset()
_installed = False


def put_up(allow: frozenset[str]) -> None:
    """From now on; audit hooks cannot be taken away, but this one does nothing outside a run."""
    global _allowed, _installed
    _allowed = allow
    sys.meta_path.insert(0, _CUSTOMS)
    if not _installed:
        _installed = True
        sys.addaudithook(_judge)


def take_down() -> None:
    if _CUSTOMS in sys.meta_path:
        sys.meta_path.remove(_CUSTOMS)


class RefusedImport(Refused, ImportError):  # noqa: N818 - as Refused
    """Whoever can do without the library takes this for its absence."""


class Customs:
    """On sys.meta_path during a run: sees each import first."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in FOREIGN and name not in _allowed and current.kernel() is not None:
            raise RefusedImport(_told(f"import {name}", FOREIGN[name][0], name))


_CUSTOMS: Final[Any] = Customs()


def _judge(event: str, args: tuple[Any, ...], refused: dict[str, str] = REFUSED) -> None:
    # The hook outlives the names of this module, which the interpreter sets to None at its end.
    if event in refused and event not in _allowed and current.kernel() is not None:
        raise Refused(_told(f"{event}{_shown(args)}", refused[event], event))


def _told(call: str, advice: str, name: str) -> str:
    return (
        f"{call} was refused: {advice}. run(..., allow=({name!r},)), or `netglass run --allow {name}`, lets it go, in "
        "real time"
    )


def patches(allow: frozenset[str]) -> list[Patch]:
    """What was imported before the run."""
    found = [Patch(_posixsubprocess, "fork_exec", _fork_exec(_posixsubprocess.fork_exec))]
    for name in FOREIGN.keys() & sys.modules.keys() - allow:
        module, (advice, entrances) = sys.modules[name], FOREIGN[name]
        found.extend(
            [
                Patch(module, each, _closed(vars(module)[each], _told(f"{name}.{each}", advice, name)), aliases=False)
                for each in entrances
                if each in vars(module)
            ]
        )
    return found


def _closed(entrance: Any, why: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        if current.kernel() is None:
            return entrance(*args, **kwargs)
        raise Refused(why)

    return refuse


@cache
def _fork_exec(real: Any) -> Any:
    """_posixsubprocess.fork_exec, under subprocess and multiprocessing, has no audit event of its own. The same in all
    runs: for a new one all modules would be searched."""

    def fork_exec(*args: Any) -> Any:
        if current.kernel() is not None and not _allowed & {"subprocess.Popen", "fork_exec"}:
            raise Refused(_told(f"fork_exec{_shown(args[:1])}", _PROCESSES, "fork_exec"))
        return real(*args)

    return fork_exec


def _shown(args: tuple[Any, ...]) -> str:
    plain = [each for each in args if isinstance(each, (str, int, bytes, tuple, list))]
    text = ", ".join([repr(each) for each in plain])
    return f"({text if len(text) <= 100 else text[:97] + '...'})"
