"""Sockets come and go: socket, bind, listen, accept, connect, shutdown, close, and their addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netglass.errnos import EALREADY, EINPROGRESS
from netglass.packetdrill.call_values import given_address, is_unspecified_address
from netglass.packetdrill.epoll import EpollSet
from netglass.packetdrill.flow import Flow, Phase
from netglass.packetdrill.process import NO_DESCRIPTOR, CallGroup, Table, Waiting
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Struct, SystemCall, Wildcard
from netglass.packetdrill.settings import IPV4
from netglass.packetdrill.symbols import number
from netglass.sockets.address import Address
from netglass.sockets.constants import AF_INET, AF_INET6, IPPROTO_ICMP, IPPROTO_ICMPV6, SOCK_DGRAM, SOCK_STREAM
from netglass.sockets.sockets import TO_ACCEPT, TO_CONNECT
from netglass.wire.ip import TCP, UDP

_KIND_MASK: Final = 0xF  # SOCK_NONBLOCK and SOCK_CLOEXEC are above


class Opening(CallGroup):
    """Calls that make and end sockets."""

    def table(self) -> Table:
        return {
            "socket": self._socket,
            "bind": self._bind,
            "listen": self._listen,
            "accept": self._accept,
            "accept4": self._accept,
            "connect": self._connect,
            "close": self._close,
            "shutdown": self._shutdown,
            "getsockname": self._getsockname,
            "getpeername": self._getpeername,
        }

    def _socket(self, call: SystemCall) -> None:
        domain, kind_value, protocol_value = self._process.arguments(call, 3)
        default = AF_INET if self._settings.ip_version == IPV4 else AF_INET6
        family = default if isinstance(domain, Wildcard) else number(domain)
        kind, protocol = number(kind_value), number(protocol_value)
        result = self._sockets.socket(family, kind, protocol)
        self._process.check(call, result, opens=True)
        if result < 0:
            return
        flow = Flow(protocol, self._settings)
        if kind & _KIND_MASK == SOCK_STREAM:
            flow.protocol = TCP
        elif kind & _KIND_MASK == SOCK_DGRAM and protocol not in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            flow.protocol = UDP
        self._process.open(call, result, flow)
        self._process.flows.insert(0, flow)
        self._process.under_test = flow

    def _bind(self, call: SystemCall) -> None:
        fd, where, _ = self._process.arguments(call, 3)
        descriptor, flow = self._process.file(fd)
        local = self._process.address(where, self._settings.local, self._settings.bind_port)
        result = self._sockets.bind(descriptor, local, self._bench.now)
        if result >= 0 and flow is not None:
            flow.local_port = local[1]
        self._process.check(call, result)

    def _listen(self, call: SystemCall) -> None:
        fd, backlog = self._process.arguments(call, 2)
        descriptor, flow = self._process.file(fd)
        result = self._sockets.listen(descriptor, number(backlog), self._bench.now)
        if result >= 0 and flow is not None:
            flow.phase = Phase.LISTENING
        self._process.check(call, result)

    def _accept(self, call: SystemCall) -> Waiting:
        fd, _, _, *flags = self._process.arguments(call, 3, 4)
        descriptor, _ = self._process.file(fd)
        bits = number(flags[0]) if flags else 0
        deadline = self._process.deadline(descriptor, TO_ACCEPT)
        accepted = self._sockets.accept(descriptor, self._bench.now, bits)
        while self._sockets.must_wait(descriptor, accepted) and self._bench.now < deadline:
            yield deadline
            accepted = self._sockets.accept(descriptor, self._bench.now, bits)
        if isinstance(accepted, int):
            self._process.check(call, accepted, opens=True)
            return
        self._process.check(call, accepted[0], opens=True)
        self._process.open(call, accepted[0], self._accepted_flow(accepted[1][1]))

    def _accepted_flow(self, remote_port: int) -> Flow:
        for flow in self._process.flows:
            if flow.descriptor == NO_DESCRIPTOR and flow.remote_port == remote_port:
                return flow
        raise Mismatch(f"accept returned a connection from port {remote_port}, which the script did not begin")

    def _connect(self, call: SystemCall) -> Waiting:
        fd, where, _ = self._process.arguments(call, 3)
        descriptor, flow = self._process.file(fd)
        if is_unspecified_address(where):
            if flow is not None:
                flow.phase = Phase.NEW
                flow.written = flow.read = 0
            self._process.check(call, self._sockets.connect(descriptor, None, self._bench.now))
            return
        remote = self._process.address(where, self._settings.remote, self._settings.connect_port)
        self._process.begin_connecting(flow, remote)
        deadline = self._process.deadline(descriptor, TO_CONNECT)
        result = self._sockets.connect(descriptor, remote, self._bench.now)
        while self._sockets.must_wait(descriptor, result) and self._bench.now < deadline:
            yield deadline
            result = self._sockets.connect(descriptor, remote, self._bench.now)
            if result == -EALREADY:  # to the program it is one call: SO_SNDTIMEO ends it with EINPROGRESS (socket(7))
                result = -EINPROGRESS
        self._process.check(call, result)

    def _close(self, call: SystemCall) -> Waiting:
        (fd,) = self._process.arguments(call, 1)
        script = number(fd)
        descriptor, _ = self._process.files.pop(script, (NO_DESCRIPTOR, None))
        if self._process.others.pop(script, None) is not None:
            self._process.check(call, 0)
            return
        for other in self._process.others.values():
            if isinstance(other, EpollSet):
                other.forget(descriptor)
        description = self._sockets.description(descriptor)
        linger = self._sockets.lingering(descriptor) if description is not None and description.blocking else 0
        deadline = self._bench.now + linger
        result = self._sockets.close(descriptor, self._bench.now)
        self._bench.settle()
        while linger and description is not None and description.draining() and self._bench.now < deadline:
            yield deadline
        self._process.check(call, result)

    def _shutdown(self, call: SystemCall) -> None:
        fd, how = self._process.arguments(call, 2)
        descriptor, _ = self._process.file(fd)
        self._process.check(call, self._sockets.shutdown(descriptor, number(how), self._bench.now))

    def _getsockname(self, call: SystemCall) -> None:
        self._tell_address(call, self._sockets.getsockname)

    def _getpeername(self, call: SystemCall) -> None:
        self._tell_address(call, self._sockets.getpeername)

    def _tell_address(self, call: SystemCall, ask: Callable[[int], Address | int]) -> None:
        fd, where, _ = self._process.arguments(call, 3)
        descriptor, _ = self._process.file(fd)
        answer = ask(descriptor)
        self._process.check(call, answer if isinstance(answer, int) else 0)
        if isinstance(where, Struct) and not isinstance(answer, int):
            wanted = given_address(where)
            if wanted != answer[:2]:
                self._process.differ(
                    call, "the address", f"{wanted[0]} port {wanted[1]}", f"{answer[0]} port {answer[1]}"
                )
