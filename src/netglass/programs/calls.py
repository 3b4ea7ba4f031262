"""What the sockets' half of `programs` replaces: one table."""

from __future__ import annotations

import builtins
import fcntl as standard_fcntl
import io
import os
import select as standard_select
import socket as standard_socket
import ssl
from typing import Any, Final

from netglass.programs import derived, descriptors, files, names, select, socket, tls, tls_random, tls_secrets
from netglass.programs.descriptors import Descriptors
from netglass.programs.kernel import Kernel
from netglass.programs.patches import Alias, Patch


def patches(kernel: Kernel) -> list[Patch]:
    """The first makes the run's descriptors the current ones: it must be there while any other is. Names of the same
    things elsewhere (`selectors`, `posix`) follow by themselves."""
    seeded = tls_random.patches() if kernel.deterministic_tls else []
    return [
        *seeded,
        Patch(descriptors, "current", Descriptors(kernel)),
        Patch(standard_socket, "socket", socket.LabSocket),
        *derived.patches(),
        *_all_of(standard_socket, socket, _FUNCTIONS),
        *_all_of(standard_socket, names, _NAMES),
        *_all_of(standard_select, select, ("select", "poll", "epoll")),
        *_all_of(os, files, tuple(files.REAL)),
        Patch(io, "open", files.open_file),
        Patch(builtins, "open", files.open_file),
        Patch(os, "pipe", files.make_pipe),
        Patch(os, "pipe2", files.make_pipe2),
        *_all_of(standard_fcntl, files, ("fcntl", "ioctl")),
        Patch(ssl.SSLContext, "sslsocket_class", tls.LabSSLSocket, aliases=False),
        Patch(ssl.SSLContext, "_wrap_socket", tls.wrap_socket, aliases=False),
        Patch(ssl.SSLContext, "_wrap_bio", tls_secrets.wrap_bio, aliases=False),
    ]


def methods() -> list[Alias]:
    """`socket.socket.recv` and its like, which some libraries take from the class when they are imported."""
    theirs, ours = vars(standard_socket.SocketType), vars(socket.LabSocket)
    return [Alias(theirs[name], ours[name]) for name in theirs.keys() & ours.keys() if not name.startswith("__")]


_FUNCTIONS: Final = ("socketpair", "dup", "close", "getdefaulttimeout", "setdefaulttimeout")
_NAMES: Final = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "gethostname",
    "sethostname",
    "getfqdn",
    "getnameinfo",
    "if_nameindex",
    "if_nametoindex",
    "if_indextoname",
)


def _all_of(owner: Any, module: Any, wanted: tuple[str, ...]) -> list[Patch]:
    return [Patch(owner, name, getattr(module, name)) for name in wanted]
