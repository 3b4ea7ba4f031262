"""Arguments of system calls, from the script's notation to what the sockets take."""

from __future__ import annotations

import struct
from typing import Final

from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Array, Call, Struct, Text, Value, Wildcard
from netglass.packetdrill.symbols import UnknownName, number
from netglass.sockets.constants import AF_UNSPEC
from netglass.sockets.description import Message
from netglass.wire import address

_LINGER: Final = struct.Struct("<ii")
_TIMEVAL: Final = struct.Struct("<qq")


def bracketed(value: Value) -> int:
    """`[4]`."""
    if isinstance(value, Array) and len(value.items) == 1:
        return number(value.items[0])
    raise UnknownName("expected one number in brackets, such as [4]")


def vector_sizes(vector: Value, count: int = -1) -> list[int]:
    """The lengths in `[{..., 1000}, {..., 500}]`."""
    if not isinstance(vector, Array):
        raise UnknownName("expected [{..., 1000}, ...] as the vector")
    sizes = [number(entry.fields[-1].value) for entry in vector.items if isinstance(entry, Struct)]
    if len(sizes) != len(vector.items) or count not in (-1, len(sizes)):
        raise UnknownName(f"the vector has {len(sizes)} entries of the form {{..., 1000}}, not {count}")
    return sizes


def is_unspecified_address(value: Value) -> bool:
    if isinstance(value, Struct):
        family = value.find("sa_family")
        return family is not None and number(family) == AF_UNSPEC
    return not isinstance(value, Wildcard) and number(value) == AF_UNSPEC


def given_address(value: Struct) -> tuple[str, int]:
    """`{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}`."""
    port = value.find("sin_port") or value.find("sin6_port") or 0
    host = value.find("sin_addr") or value.find("sin6_addr")
    if isinstance(host, Call) and isinstance(host.argument, Text):
        return host.argument.data.decode("ascii", "replace"), number(port)
    raise UnknownName('expected sin_addr = inet_addr("192.0.2.1") in the address')


def _field(value: Value, wanted: str) -> int:
    found = value.find(wanted) if isinstance(value, Struct) else None
    if found is None:
        raise UnknownName(f"the structure has no {wanted}")
    return number(found)


def poll_entry(value: Value) -> tuple[int, int, int]:
    revents = _field(value, "revents") if isinstance(value, Struct) and value.find("revents") is not None else 0
    return _field(value, "fd"), _field(value, "events"), revents


def epoll_event(value: Value) -> tuple[int, int]:
    for name_of_data in ("fd", "ptr", "u32", "u64"):
        if isinstance(value, Struct) and value.find(name_of_data) is not None:
            return _field(value, "events"), _field(value, name_of_data)
    raise UnknownName("expected {events=EPOLLIN, fd=4}, or ptr, u32, u64 in place of fd")


def option_value(value: Value, size: int) -> bytes:
    """What setsockopt would pass, `size` bytes of it: `[1]`, a text, `{onoff=1, linger=5}`, `{tv_sec=1, tv_usec=0}`."""
    if isinstance(value, Text):
        return value.data[:size]
    if isinstance(value, Array):
        wide = max(size, 4)
        return (bracketed(value) & ((1 << 8 * wide) - 1)).to_bytes(wide, "little")[:size]
    if isinstance(value, Struct) and value.find("onoff") is not None:
        return _LINGER.pack(_field(value, "onoff"), _field(value, "linger"))[:size]
    if isinstance(value, Struct) and value.find("tv_sec") is not None:
        return _TIMEVAL.pack(_field(value, "tv_sec"), _field(value, "tv_usec"))[:size]
    if isinstance(value, Call) and value.function == "inet6_addr" and isinstance(value.argument, Text):
        return address.parse(value.argument.data.decode("ascii", "replace"))[:size]
    raise UnknownName("expected [1], a text, {onoff=1, linger=5} or {tv_sec=1, tv_usec=0} as the option's value")


def show_option(value: bytes) -> str:
    if len(value) <= 4:
        return f"[{int.from_bytes(value, 'little', signed=len(value) == 4)}]"
    return " ".join([str(each) for (each,) in struct.iter_unpack("<i", value)]) if len(value) % 4 == 0 else value.hex()


def check_message(header: Struct, message: Message) -> None:
    flags = header.find("msg_flags")
    if flags is not None and number(flags) != message.flags:
        wanted, got = f"msg_flags=0x{number(flags):x}", f"msg_flags=0x{message.flags:x}"
        raise Mismatch("the flags of the message differ", wanted, got)
    control = header.find("msg_control")
    if not isinstance(control, Array) or not control.items:
        return
    wanted_control = [_control(each) for each in control.items]
    if wanted_control != message.control:
        raise Mismatch("the ancillary data differ", str(wanted_control), str(message.control))


def _control(value: Value) -> tuple[int, int, bytes]:
    """`{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=1000}`."""
    data = _field(value, "cmsg_data") & 0xFFFFFFFF
    return _field(value, "cmsg_level"), _field(value, "cmsg_type"), data.to_bytes(4, "little")
