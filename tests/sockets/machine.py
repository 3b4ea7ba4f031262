"""The socket calls of one machine that talks to itself over its loopback, each written down with what it answered.

`NetglassMachine` is ours, `LinuxMachine` the kernel under the tests; scenarios run on either and give the same text.
"""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable

from netglass import errnos
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.rng import Rng
from netglass.sockets import Address, Sockets
from netglass.sockets.constants import SOCK_NONBLOCK
from netglass.times import MILLISECOND
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDHUP

BITS = {
    "IN": POLLIN,
    "PRI": POLLPRI,
    "OUT": POLLOUT,
    "ERR": POLLERR,
    "HUP": POLLHUP,
    "NVAL": POLLNVAL,
    "RDHUP": POLLRDHUP,
}


class Machine(ABC):
    """Every call is one line of `lines`. Ephemeral ports are called P1, P2 ... in the order in which they are seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._ports: dict[int, str] = {}

    @abstractmethod
    def answer(self, call: str, *arguments: object) -> object:
        """A value, or a negative errno."""

    @abstractmethod
    def settle(self) -> None:
        """Until all that was sent has arrived and been answered."""

    def say(self, text: str) -> None:
        self.lines.append(f"# {text}")

    def port(self, address: object) -> int:
        assert isinstance(address, tuple)
        return int(address[1])

    def call(self, name: str, *arguments: object) -> object:
        result = self.answer(name, *arguments)
        shown = ", ".join(self._shown(each) for each in arguments)
        if name == "poll":
            assert isinstance(result, int)
            text = "|".join(bit for bit, value in BITS.items() if result & value) or "0"
        else:
            text = self.shown(result)
        self.lines.append(f"{name}({shown}) = {text}")
        return result

    def fd(self, name: str, *arguments: object) -> int:
        result = self.call(name, *arguments)
        assert isinstance(result, int)
        return result

    def shown(self, result: object) -> str:
        """A result as text: the name of an errno, an int out of four bytes."""
        if isinstance(result, int) and result < 0:
            return "-" + errnos.name(result)
        if isinstance(result, bytes) and len(result) == 4 and not result.isalnum():
            return f"<{int.from_bytes(result, 'little', signed=True)}>"
        return self._shown(result)

    def _shown(self, value: object) -> str:
        if isinstance(value, tuple) and len(value) in (2, 4) and isinstance(value[0], str):
            return f"{value[0]}:{self._named(value[1])}"
        if isinstance(value, tuple):
            return "(" + ", ".join(self._shown(each) for each in value) + ")"
        if isinstance(value, bytes) and len(value) > 40:
            return f"<{len(value)} bytes>"
        return repr(value)

    def _named(self, port: int) -> str:
        if port < 32768:
            return str(port)
        return self._ports.setdefault(port, f"P{len(self._ports) + 1}")


class NetglassMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.host = Host("machine", HostConfig(), Rng(7))
        self.sockets = Sockets(self.host)

    def answer(self, call: str, *arguments: object) -> object:
        calls = self.sockets
        answers: dict[str, Callable[..., object]] = {
            "dup": calls.dup,
            "poll": calls.ready,
            "fcntl": calls.fcntl,
            "ioctl": calls.ioctl,
            "getsockname": calls.getsockname,
            "getpeername": calls.getpeername,
        }
        if call in answers:
            return answers[call](*arguments)
        return getattr(self, "_" + call)(*arguments)

    def settle(self) -> None:
        until = self.now + 30 * MILLISECOND
        while True:
            assert self.host.poll_packet(self.now) is None
            if self.host.deadline > until:
                self.now = until
                return
            self.now = max(self.now, self.host.deadline)
            self.host.handle_timeout(self.now)

    def _socket(self, family: int, kind: int, protocol: int = 0) -> int:
        return self.sockets.socket(family, kind | SOCK_NONBLOCK, protocol)

    def _bind(self, fd: int, address: Address) -> int:
        return self.sockets.bind(fd, address, self.now)

    def _listen(self, fd: int, backlog: int) -> int:
        return self.sockets.listen(fd, backlog, self.now)

    def _connect(self, fd: int, address: Address | None) -> int:
        return self.sockets.connect(fd, address, self.now)

    def _accept(self, fd: int) -> int:
        result = self.sockets.accept(fd, self.now)
        return result if isinstance(result, int) else result[0]

    def _send(self, fd: int, data: bytes, flags: int = 0) -> int:
        return self.sockets.send(fd, data, self.now, flags)

    def _sendto(self, fd: int, data: bytes, address: Address) -> int:
        return self.sockets.sendto(fd, data, address, self.now)

    def _recv(self, fd: int, size: int, flags: int = 0) -> bytes | int:
        return self.sockets.recv(fd, size, self.now, flags)

    def _recvfrom(self, fd: int, size: int, flags: int = 0) -> object:
        return self.sockets.recvfrom(fd, size, self.now, flags)

    def _recvmsg(self, fd: int, size: int, flags: int = 0) -> object:
        message = self.sockets.recvmsg(fd, size, self.now, flags)
        return message if isinstance(message, int) else (message.data, message.flags, *message.control)

    def _shutdown(self, fd: int, how: int) -> int:
        return self.sockets.shutdown(fd, how, self.now)

    def _close(self, fd: int) -> int:
        return self.sockets.close(fd, self.now)

    def _setsockopt(self, fd: int, level: int, option: int, value: int | bytes) -> int:
        return self.sockets.setsockopt(fd, level, option, value, self.now)

    def _getsockopt(self, fd: int, level: int, option: int, size: int = 4) -> bytes | int:
        return self.sockets.getsockopt(fd, level, option, self.now, size)


class LinuxMachine(Machine):
    """The kernel's loopback, with non-blocking sockets. `settle` waits in real time: to record, never in a test."""

    def __init__(self) -> None:
        super().__init__()
        self._sockets: dict[int, socket.socket] = {}

    def answer(self, call: str, *arguments: object) -> object:
        try:
            return getattr(self, "_" + call)(*arguments)
        except OSError as error:
            return -(error.errno or 0)

    def settle(self) -> None:
        time.sleep(0.03)

    def _new(self, made: socket.socket) -> int:
        made.setblocking(False)
        fd = next(number for number in range(3, 1000) if number not in self._sockets)
        self._sockets[fd] = made
        return fd

    def _socket(self, family: int, kind: int, protocol: int = 0) -> int:
        return self._new(socket.socket(family, kind, protocol))

    def _dup(self, fd: int) -> int:
        return self._new(self._sockets[fd].dup())

    def _poll(self, fd: int) -> int:
        import select

        poller = select.poll()
        poller.register(self._sockets[fd], sum(BITS.values()))
        found = poller.poll(0)
        return found[0][1] if found else 0

    def _ioctl(self, fd: int, request: int) -> int:
        import fcntl

        number = array("i", [0])
        fcntl.ioctl(self._sockets[fd], request, number)
        return number[0]

    def _fcntl(self, fd: int, command: int, value: int = 0) -> int:
        import fcntl

        return fcntl.fcntl(self._sockets[fd], command, value)

    def _bind(self, fd: int, address: Address) -> int:
        self._sockets[fd].bind(address)
        return 0

    def _listen(self, fd: int, backlog: int) -> int:
        self._sockets[fd].listen(backlog)
        return 0

    def _connect(self, fd: int, address: Address | None) -> int:
        if address is None:
            return self._dissolve(fd)
        return -self._sockets[fd].connect_ex(address)

    def _dissolve(self, fd: int) -> int:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.connect(self._sockets[fd].fileno(), bytes(16), 16)
        return -ctypes.get_errno() if failed else 0

    def _accept(self, fd: int) -> int:
        return self._new(self._sockets[fd].accept()[0])

    def _send(self, fd: int, data: bytes, flags: int = 0) -> int:
        return self._sockets[fd].send(data, flags)

    def _sendto(self, fd: int, data: bytes, address: Address) -> int:
        return self._sockets[fd].sendto(data, address)

    def _recv(self, fd: int, size: int, flags: int = 0) -> bytes:
        return self._sockets[fd].recv(size, flags)

    def _recvfrom(self, fd: int, size: int, flags: int = 0) -> object:
        return self._sockets[fd].recvfrom(size, flags)

    def _recvmsg(self, fd: int, size: int, flags: int = 0) -> object:
        data, control, told, _ = self._sockets[fd].recvmsg(size, 200, flags)
        return (data, told, *control)

    def _shutdown(self, fd: int, how: int) -> int:
        self._sockets[fd].shutdown(how)
        return 0

    def _close(self, fd: int) -> int:
        self._sockets.pop(fd).close()
        return 0

    def _getsockname(self, fd: int) -> object:
        return self._sockets[fd].getsockname()

    def _getpeername(self, fd: int) -> object:
        return self._sockets[fd].getpeername()

    def _setsockopt(self, fd: int, level: int, option: int, value: int | bytes) -> int:
        self._sockets[fd].setsockopt(level, option, value)
        return 0

    def _getsockopt(self, fd: int, level: int, option: int, size: int = 4) -> bytes:
        return self._sockets[fd].getsockopt(level, option, size)

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()
