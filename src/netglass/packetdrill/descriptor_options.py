"""Settings of a descriptor: fcntl, ioctl, getsockopt, setsockopt."""

from __future__ import annotations

from netglass.packetdrill.call_values import bracketed, option_value, show_option
from netglass.packetdrill.process import CallGroup, Table
from netglass.packetdrill.script import SystemCall, Text, Wildcard
from netglass.packetdrill.symbols import number
from netglass.sockets.constants import FIONBIO


class DescriptorOptions(CallGroup):
    """Calls that set and ask."""

    def table(self) -> Table:
        return {
            "fcntl": self._fcntl,
            "ioctl": self._ioctl,
            "setsockopt": self._setsockopt,
            "getsockopt": self._getsockopt,
        }

    def _fcntl(self, call: SystemCall) -> None:
        fd, command, *value = self._process.arguments(call, 2, 3)
        descriptor, _ = self._process.file(fd)
        self._process.check(call, self._sockets.fcntl(descriptor, number(command), number(value[0]) if value else 0))

    def _ioctl(self, call: SystemCall) -> None:
        fd, request, *value = self._process.arguments(call, 2, 3)
        descriptor, _ = self._process.file(fd)
        asked = number(request)
        given = bracketed(value[0]) if value else 0
        result = self._sockets.ioctl(descriptor, asked, given)
        self._process.check(call, min(result, 0))
        if value and asked != FIONBIO and result >= 0 and result != given:
            self._process.differ(call, "the value", f"[{given}]", f"[{result}]")

    def _setsockopt(self, call: SystemCall) -> None:
        fd, level, option, value, size = self._process.arguments(call, 5)
        descriptor, _ = self._process.file(fd)
        packed = option_value(value, number(size))
        result = self._sockets.setsockopt(descriptor, number(level), number(option), packed, self._bench.now)
        self._process.check(call, result)

    def _getsockopt(self, call: SystemCall) -> None:
        fd, level, option, value, size_value = self._process.arguments(call, 5)
        descriptor, _ = self._process.file(fd)
        size = bracketed(size_value)
        answer = self._sockets.getsockopt(descriptor, number(level), number(option), self._bench.now, size)
        self._process.check(call, answer if isinstance(answer, int) else 0)
        if isinstance(answer, int):
            return
        if len(answer) != size:
            self._process.differ(call, "the length", f"[{size}]", f"[{len(answer)}]")
        if isinstance(value, Wildcard):
            return
        if isinstance(value, Text):
            if answer != value.data:
                self._process.differ(call, "the value", repr(value.data), repr(answer))
        elif answer != option_value(value, size):
            wanted = show_option(option_value(value, size))
            self._process.differ(call, "the value", wanted, show_option(answer))
