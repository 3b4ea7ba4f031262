"""Socket addresses as Python programs pass them: checked as CPython does, names resolved."""

from __future__ import annotations

import socket
from typing import Any

from netglass.programs.names import resolve, text_of
from netglass.sockets.address import Address

_FAMILIES = {int(socket.AF_INET): "AF_INET", int(socket.AF_INET6): "AF_INET6"}


def parse_address(family: int, address: Any, caller: str) -> Address:
    """The address with a numeric host. TypeError, OverflowError, gaierror as CPython raises them."""
    name = _FAMILIES.get(family)
    if name is None:
        raise OSError(f"{caller}(): bad family")
    if not isinstance(address, tuple):
        raise TypeError(f"{caller}(): {name} address must be tuple, not {type(address).__name__}")
    if family == socket.AF_INET and len(address) != 2:
        raise TypeError("AF_INET address must be a pair (host, port)")
    if not 2 <= len(address) <= 4:
        raise TypeError("AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])")
    port = address[1]
    if not hasattr(port, "__index__"):
        raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
    host = _host(family, text_of(address[0]))
    if not 0 <= port <= 65535:
        raise OverflowError(f"{caller}(): port must be 0-65535.")
    if family == socket.AF_INET:
        return host, int(port)
    flow, scope = (*address[2:], 0, 0)[:2]
    if not 0 <= flow <= 0xFFFFF:
        raise OverflowError(f"{caller}(): flowinfo must be 0-1048575.")
    return host, int(port), flow, scope


def _host(family: int, host: str) -> str:
    if not host or (host == "<broadcast>" and family == socket.AF_INET):
        return host
    return resolve(host, family)
