"""TLS for blocking programs: `ssl.SSLSocket` as CPython wrote it, over our socket instead of the real one.

`SSLContext.wrap_socket` makes a `LabSSLSocket`: by its order of bases every method of SSLSocket finds our socket where
it expects the real one. Below, CPython asks for `_wrap_socket`, the one place where OpenSSL gets a real descriptor:
there it gets two memory buffers, and `TlsChannel` carries what is in them to and from the socket.

One record is taken off the socket at a time, as OpenSSL does without read-ahead: what is left stays in the socket, so
that select sees it, and that after unwrap() plain text follows.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from netglass.errnos import EAGAIN
from netglass.programs import transfer
from netglass.programs.descriptors import fail
from netglass.programs.socket import LabSocket

_HEADER: Final = 5  # of a TLS record: type, version, length (RFC 8446 §5.1)
_TEXT: Final = {"read": "The read operation timed out", "write": "The write operation timed out"}

real_wrap_socket: Final[Callable[..., Any]] = ssl.SSLContext._wrap_socket  # type: ignore[attr-defined]


class TlsChannel:
    """What SSLSocket calls `_sslobj`. Everything that needs no data from the wire is the C object's own."""

    def __init__(self, socket: LabSocket, inner: Any, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._socket: LabSocket = socket
        self._inner: Any = inner
        self._incoming: ssl.MemoryBIO = incoming
        self._outgoing: ssl.MemoryBIO = outgoing
        self._unsent: bytes = b""
        self._owed: int = 0  # what a write has taken and not told yet, because the socket was full
        self._header: bytes = b""
        self._missing: int = _HEADER  # of the header, or of the record
        self._in_header: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def session(self) -> Any:
        return self._inner.session

    @session.setter
    def session(self, session: Any) -> None:
        self._inner.session = session

    @property
    def context(self) -> Any:
        return self._inner.context

    @context.setter
    def context(self, context: Any) -> None:
        self._inner.context = context

    # -- the operations that may wait

    def do_handshake(self) -> None:
        self._work("handshake", self._inner.do_handshake)

    def read(self, *arguments: Any) -> Any:
        return self._work("read", self._inner.read, *arguments)

    def write(self, data: Any) -> int:
        """As SSL_write: when the socket does not take the record, the caller must come again with the same data."""
        limit = self._limit()
        self._flush("write", limit)
        if self._owed:
            taken, self._owed = self._owed, 0
            return taken
        taken = int(self._work("write", self._inner.write, data, flush=False))
        try:
            self._flush("write", limit)
        except ssl.SSLWantWriteError:
            self._owed = taken
            raise
        return taken

    def shutdown(self) -> LabSocket:
        self._work("read", self._inner.shutdown)
        return self._socket

    def verify_client_post_handshake(self) -> Any:
        return self._inner.verify_client_post_handshake()

    def _work(self, doing: str, call: Callable[..., Any], *arguments: Any, flush: bool = True) -> Any:
        limit = self._limit()
        while True:
            try:
                result = call(*arguments)
            except ssl.SSLWantReadError:
                self._flush(doing, limit)
                self._feed(doing, limit)
            except ssl.SSLError:
                self._say_goodbye()
                raise
            else:
                if flush:
                    self._flush(doing, limit)
                return result

    def _say_goodbye(self) -> None:
        """An alert, perhaps: the peer should hear why."""
        with suppress(OSError):
            self._flush("write", self._limit())

    # -- between the buffers and the socket

    def _limit(self) -> int:
        """Until when an operation may take, in ns; -1: no timeout; 0: it does not wait."""
        timeout = self._socket._lab_timeout
        return timeout if timeout <= 0 else self._socket._lab_run.now() + timeout

    def _left(self, doing: str, limit: int) -> int:
        if limit <= 0:
            return limit
        left = limit - self._socket._lab_run.now()
        if left <= 0:
            raise _too_late(doing)
        return left

    def _flush(self, doing: str, limit: int) -> None:
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        socket = self._socket
        while self._unsent:
            left = self._left(doing, limit)
            try:
                taken = transfer.send(
                    socket._lab_run,
                    socket._lab_description(),
                    socket.fileno(),
                    self._unsent,
                    None,
                    0,
                    left,
                )
            except TimeoutError:
                raise _too_late(doing) from None
            if taken == -EAGAIN:
                raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
            if taken < 0:
                fail(taken)
            self._unsent = self._unsent[taken:]

    def _feed(self, doing: str, limit: int) -> None:
        """The next piece of a record into OpenSSL's buffer, or the end."""
        socket = self._socket
        left = self._left(doing, limit)
        try:
            data = transfer.receive(
                socket._lab_run,
                socket._lab_description(),
                socket.fileno(),
                self._missing,
                0,
                left,
            )
        except TimeoutError:
            raise _too_late(doing) from None
        if data == -EAGAIN:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)")
        if isinstance(data, int):
            fail(data)
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._in_header:
            self._header += data
        if self._missing:
            return
        length = int.from_bytes(self._header[3:_HEADER], "big") if self._in_header else 0
        self._in_header = length == 0
        self._missing = length or _HEADER
        self._header = b""


def _too_late(doing: str) -> TimeoutError:
    return TimeoutError(_TEXT.get(doing, f"The {doing} operation timed out"))


class LabSSLSocket(ssl.SSLSocket, LabSocket):  # type: ignore[misc]
    """Our socket with TLS."""


LabSSLSocket.__module__ = "ssl"
LabSSLSocket.__name__ = LabSSLSocket.__qualname__ = "SSLSocket"


def wrap_socket(
    context: Any,
    sock: Any,
    server_side: bool,
    server_hostname: str | None = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    """SSLContext._wrap_socket."""
    if not isinstance(sock, LabSocket):
        return real_wrap_socket(context, sock, server_side, server_hostname, owner=owner, session=session)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = context._wrap_bio(incoming, outgoing, server_side, server_hostname, owner=owner, session=session)
    return TlsChannel(sock, inner, incoming, outgoing)
