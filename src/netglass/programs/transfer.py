"""Calls that may wait: accept, connect, receiving and sending, as a blocking socket, one with a timeout, and one that
does not block do them.

A timeout is in nanoseconds; -1 is none: then the descriptor's own O_NONBLOCK decides, as with Python's sockets. Results
are values or negative errnos; only a timeout that runs out raises (TimeoutError). After "try again" there is no need
to ask for readiness: nobody else runs meanwhile, so what happens afterwards wakes us.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from netglass.errnos import EAGAIN, EALREADY, EINPROGRESS, EISCONN
from netglass.programs.descriptors import Descriptors
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    SO_RCVLOWAT,
    SOCK_STREAM,
    SOL_SOCKET,
)
from netglass.sockets.description import Description, Message
from netglass.sockets.options import key
from netglass.sockets.sockets import TO_CONNECT
from netglass.times import NEVER
from netglass.wire.checksum import Buffer
from netglass.world import POLLERR

Result = TypeVar("Result")

NO_TIMEOUT: Final = -1

_PENDING: Final = frozenset({-EAGAIN, -EINPROGRESS, -EALREADY})
_AT_ONCE: Final = MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE
_LOW_WATER: Final = key(SOL_SOCKET, SO_RCVLOWAT)


def insist(
    run: Descriptors,
    description: Description,
    number: int,
    verb: str,
    attempt: Callable[[], Result | int],
    timeout: int,
    flags: int = 0,
    receiving: bool = False,
) -> Result | int:
    """`attempt()` until it says something else than "try again", or for as long as this socket waits."""
    result = attempt()
    if not isinstance(result, int) or result not in _PENDING:
        return result
    return _persist(run, description, number, verb, attempt, result, timeout, flags, receiving)


def _persist(
    run: Descriptors,
    description: Description,
    number: int,
    verb: str,
    attempt: Callable[[], Result | int],
    pending: int,
    timeout: int,
    flags: int,
    receiving: bool,
) -> Result | int:
    """As `insist`, of an attempt that has said `pending` once."""
    limit = patience(run, description, timeout, flags, receiving)
    if limit < 0:
        run.kernel.spin()
        return pending
    while True:
        run.wait(description, verb, number, limit)
        result = attempt()
        if not isinstance(result, int) or result not in _PENDING:
            return result
        if run.now() >= limit:
            if timeout > 0:
                raise TimeoutError("timed out")
            return result


def patience(run: Descriptors, description: Description, timeout: int, flags: int, receiving: bool) -> int:
    """Until when the call may wait; -1: not at all."""
    if timeout > 0:
        return run.now() + timeout
    if not description.blocking or flags & _AT_ONCE:
        return -1
    own = description.receive_timeout if receiving else description.send_timeout
    return NEVER if own == NEVER else run.now() + own


def accept(run: Descriptors, description: Description, number: int, timeout: int) -> tuple[int, Address] | int:
    """The new connection's number, and the peer's address."""
    found = insist(run, description, number, "accept", lambda: description.accept(run.now()), timeout, receiving=True)
    if isinstance(found, int):
        return found
    return run.adopt_beside(number, found), found.remote_address()


def connect(run: Descriptors, description: Description, number: int, address: Address | None, timeout: int) -> int:
    if timeout <= 0:
        verb = f"connect to {_shown(address)}"
        result = insist(run, description, number, verb, lambda: description.connect(address, run.now()), timeout)
        run.flush(number)
        return result
    result = description.connect(address, run.now())
    run.flush(number)
    if result != -EINPROGRESS:
        return result
    limit = run.now() + timeout
    while not description.readiness() & TO_CONNECT:
        if run.now() >= limit:
            raise TimeoutError("timed out")
        run.wait(description, f"connect to {_shown(address)}", number, limit)
    error = description.take_error()
    return 0 if error == EISCONN else -error


def _shown(address: Address | None) -> str:
    return "nobody" if address is None else f"{address[0]} port {address[1]}"


def receive(
    run: Descriptors, description: Description, number: int, size: int, flags: int, timeout: int
) -> bytes | int:
    """recv(2)."""
    if flags & MSG_WAITALL or _LOW_WATER in description.values:
        message = receive_message(run, description, number, size, flags, timeout)
        return message if isinstance(message, int) else message.data
    data = description.receive(size, flags, run.now())
    if not isinstance(data, int) or data != -EAGAIN:
        return data
    return _receive_later(run, description, number, size, flags, timeout)


def _receive_later(
    run: Descriptors, description: Description, number: int, size: int, flags: int, timeout: int
) -> bytes | int:
    # A function of its own: what a lambda closes over is slower to reach, in all of the function around it.
    def attempt() -> bytes | int:
        return description.receive(size, flags, run.now())

    return _persist(run, description, number, "recv", attempt, -EAGAIN, timeout, flags, True)


def receive_message(
    run: Descriptors, description: Description, number: int, size: int, flags: int, timeout: int
) -> Message | int:
    """recvmsg(2); a blocking one goes on until it has what MSG_WAITALL and SO_RCVLOWAT ask for."""

    def attempt() -> Message | int:
        return description.receive_message(size, flags, run.now())

    message = insist(run, description, number, "recvmsg", attempt, timeout, flags, True)
    wanted = _wanted(description, size, flags)
    if isinstance(message, int) or wanted <= len(message.data) or not message.data or not description.blocking:
        return message
    message.data = _receive_rest(run, description, number, message.data, wanted, flags, timeout)
    return message


def _receive_rest(
    run: Descriptors, description: Description, number: int, data: bytes, wanted: int, flags: int, timeout: int
) -> bytes:
    while len(data) < wanted and not flags & MSG_PEEK:
        left = wanted - len(data)
        more = insist(
            run,
            description,
            number,
            "recvmsg",
            lambda left=left: description.receive(left, flags, run.now()),  # type: ignore[misc]
            timeout,
            flags,
            True,
        )
        if isinstance(more, int) or not more:
            break
        data += more
    return data


def _wanted(description: Description, size: int, flags: int) -> int:
    if description.kind != SOCK_STREAM:
        return 1
    return size if flags & MSG_WAITALL else min(size, description.values.get(_LOW_WATER, 1))


def send(
    run: Descriptors,
    description: Description,
    number: int,
    data: Buffer,
    address: Address | None,
    flags: int,
    timeout: int,
) -> int:
    """send(2), sendto(2): a blocking one ends when all has been taken. `data` must not change afterwards."""
    taken = description.send(data, address, flags, run.now())
    run.flush(number)
    if taken == len(data) or (taken < 0 and taken not in _PENDING):
        return taken
    if taken < 0:
        taken = _send_later(run, description, number, data, address, flags, timeout, taken)
        if taken < 0:
            return taken
        run.flush(number)
    if timeout > 0 or flags & _AT_ONCE or not description.blocking or description.kind != SOCK_STREAM:
        return taken
    return _send_rest(run, description, number, memoryview(data), taken, flags)


def _send_later(
    run: Descriptors,
    description: Description,
    number: int,
    data: Buffer,
    address: Address | None,
    flags: int,
    timeout: int,
    pending: int,
) -> int:
    def attempt() -> int:
        return description.send(data, address, flags, run.now())

    return _persist(run, description, number, "send", attempt, pending, timeout, flags, False)


def _send_rest(
    run: Descriptors, description: Description, number: int, view: memoryview, taken: int, flags: int
) -> int:
    while taken < len(view):
        rest = view[taken:]

        def attempt(rest: memoryview = rest) -> int:
            # What was taken is told first; the error stays for the next call.
            return 0 if description.readiness() & POLLERR else description.send(rest, None, flags, run.now())

        more = insist(run, description, number, "send", attempt, NO_TIMEOUT, flags)
        if more <= 0:
            return taken
        run.flush(number)
        taken += more
    return taken


def send_all(run: Descriptors, description: Description, number: int, data: bytes, flags: int, timeout: int) -> int:
    """socket.sendall: 0 or a negative errno; the timeout is for all of it."""
    limit = run.now() + timeout if timeout > 0 else NEVER
    taken = send(run, description, number, data, None, flags, timeout)
    if 0 <= taken < len(data):
        return _send_all_the_rest(run, description, number, memoryview(data)[taken:], flags, timeout, limit)
    return taken if taken < 0 else 0


def _send_all_the_rest(
    run: Descriptors, description: Description, number: int, view: memoryview, flags: int, timeout: int, limit: int
) -> int:
    while view:
        left = limit - run.now() if timeout > 0 else timeout
        if timeout > 0 and left <= 0:
            raise TimeoutError("timed out")
        taken = send(run, description, number, view, None, flags, left)
        if taken < 0:
            return taken
        view = view[taken:]
    return 0


def frozen(data: object) -> bytes:
    """What is sent stays in the send buffer: anything that might change is copied."""
    if type(data) is bytes:
        return data
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(data).__name__}'") from None
