"""The secrets of TLS connections, for captures: Wireshark decrypts with them what programs said.

OpenSSL writes them to a file if it is told to (`SSLContext.keylog_filename`). Every context of a run is told, as soon
as it makes a connection: a file in memory, unless the program has named one of its own. What these files have got
during the run is handed to the trace when it ends. Nothing is kept if nobody observes the network.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from netglass.programs import current, tls_random
from netglass.programs.kernel import Kernel
from netglass.sockets.place import Place

_real_wrap_bio: Final[Callable[..., Any]] = ssl.SSLContext._wrap_bio  # type: ignore[attr-defined]


class KeyLog:
    """One run's."""

    def __init__(self) -> None:
        self._memory: int = os.memfd_create("netglass TLS secrets")
        self._ours: str = f"/proc/{os.getpid()}/fd/{self._memory}"
        self._contexts: WeakSet[ssl.SSLContext] = WeakSet()  # that write to ours
        self._sizes: dict[str, int] = {}  # each file's, before this run

    def watch(self, context: ssl.SSLContext) -> None:
        named: str | None = context.keylog_filename
        name = named or self._ours
        if named is None:
            context.keylog_filename = name
            self._contexts.add(context)
        if name not in self._sizes:
            self._sizes[name] = _size(name)

    def end(self) -> list[str]:
        """Everything that was written during the run, each line once: both ends of a connection know the same."""
        for context in self._contexts:
            context.keylog_filename = None  # type: ignore[assignment]
        lines: dict[str, None] = {}
        for name, size in self._sizes.items():
            with suppress(OSError), open(name, encoding="ascii", errors="replace") as file:
                file.seek(size)
                lines.update(dict.fromkeys([line for line in file.read().splitlines() if line[:1] not in "#"]))
        os.close(self._memory)
        return list(lines)


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return 0


_log: KeyLog | None = None
"""Of the run that goes on, once it has made a TLS connection."""


def wrap_bio(context: Any, incoming: Any, outgoing: Any, server_side: bool, *rest: Any, **more: Any) -> Any:
    """SSLContext._wrap_bio, where every TLS connection of a run begins."""
    kernel = current.kernel()
    if kernel is not None:
        prepare(kernel, context, server_side)
    return _real_wrap_bio(context, incoming, outgoing, server_side, *rest, **more)


def prepare(kernel: Kernel, context: Any, server_side: bool) -> None:
    global _log
    if kernel.deterministic_tls and server_side:
        tls_random.issue_no_tickets(context)
    if kernel.host().core.probe is None or not hasattr(os, "memfd_create"):
        return
    if _log is None:
        _log = KeyLog()
    _log.watch(context)


def end(host: Place) -> None:
    """The run is over: its secrets go to the trace, told by `host`."""
    global _log
    if _log is None:
        return
    lines, _log = _log.end(), None
    host.tell_tls_secrets("".join([f"{line}\n" for line in lines]))
