"""TLS with the same bytes in every run: OpenSSL draws from the run's seed, and servers issue no session tickets, which
would carry the real time. `run(..., deterministic_tls=True)`.

OpenSSL is asked through RAND_set_rand_method, in the library that Python's own `ssl` has loaded. Certificates should
have RSA or Ed25519 keys: the length of an ECDSA signature varies, though with the seed and not with the run.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from typing import Final

from netglass.programs.chance import urandom
from netglass.programs.patches import Patch

_FILL: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_STATUS: Final = ctypes.CFUNCTYPE(ctypes.c_int)


class _RandMethod(ctypes.Structure):
    """struct rand_meth_st (openssl/rand.h)."""

    _fields_ = (
        ("seed", ctypes.c_void_p),
        ("bytes", _FILL),
        ("cleanup", ctypes.c_void_p),
        ("add", ctypes.c_void_p),
        ("pseudorand", _FILL),
        ("status", _STATUS),
    )


def _fill(buffer: int, size: int) -> int:
    ctypes.memmove(buffer, urandom(size), size)
    return 1


_fill_callback: Final = _FILL(_fill)
_status_callback: Final = _STATUS(lambda: 1)
_METHOD: Final = _RandMethod(None, _fill_callback, None, None, _fill_callback, _status_callback)


class _Source:
    """`seeded = True` makes OpenSSL draw from the run's seed, `seeded = False` from where it did before."""

    seeded: bool

    def __init__(self) -> None:
        self.__dict__["seeded"] = False

    def __setattr__(self, name: str, value: bool) -> None:
        library = ctypes.CDLL(getattr(_ssl, "__file__", None))
        library.RAND_set_rand_method.argtypes = [ctypes.c_void_p]
        library.RAND_set_rand_method(ctypes.addressof(_METHOD) if value else None)
        self.__dict__[name] = value


SOURCE: Final = _Source()


def issue_no_tickets(context: ssl.SSLContext) -> None:
    """They would carry the real time."""
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET


def patches() -> list[Patch]:
    return [Patch(SOURCE, "seeded", True, aliases=False)]
