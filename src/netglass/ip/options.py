"""What stands between the fixed header and the payload, looked at: IPv4's options (RFC 791 §3.1), IPv6's extension
headers and the options in them (RFC 8200 §4).

Nobody may send us the long way: source routes are refused, as Linux refuses them unless told otherwise, and so is
IPv6's Routing header (RFC 5095). What we do: check the form, record our address where it is asked for, and answer
about options that must be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netglass.times import MILLISECOND
from netglass.wire.extension import DESTINATION_OPTIONS, HOP_BY_HOP, ROUTING, headers
from netglass.wire.ip import IpPacket
from netglass.wire.packet import IPV4_HEADER, IPV6_HEADER

# IPv4's options (IANA "IP Option Numbers").
_END_4: Final = 0
_NOP_4: Final = 1
RECORD_ROUTE: Final = 7
TIMESTAMP: Final = 68
_LEAST: Final = {RECORD_ROUTE: 3, TIMESTAMP: 4}  # bytes, if not 2
_SOURCE_ROUTES: Final = (131, 137)  # loose, strict

# IPv6's.
_PAD1: Final = 0
_ROUTER_ALERT: Final = 5
_LONGEST_PADDING: Final = 7  # Linux: more of it only hides something
_MOST_OPTIONS: Final = 8  # Linux net.ipv6.max_hbh_opts_number, max_dst_opts_number
_NEXT_HEADER: Final = 6  # where the fixed header has it

# What the sender is told.
NOTHING: Final = 0
WRONG_FIELD: Final = 1  # a field is wrong: parameter problem, code 0
UNKNOWN_HEADER: Final = 2  # code 1
UNKNOWN: Final = 3  # code 2, if the packet was for us alone
UNKNOWN_TO_MANY: Final = 4  # code 2, in any case


class Fault:
    """Why a packet cannot be taken: the counter's name, what the sender is told, and which byte of the packet it is."""

    __slots__ = ("answer", "pointer", "reason")

    def __init__(self, reason: str, answer: int = NOTHING, pointer: int = 0) -> None:
        self.reason: str = reason
        self.answer: int = answer
        self.pointer: int = pointer


def fault_of(packet: IpPacket, on_the_way: bool) -> Fault | None:
    """What is wrong with the options of `packet`; `on_the_way` looks only at what routers look at."""
    if len(packet.source) == 4:
        return _fault_4(packet.options)
    return _fault_6(packet.options, on_the_way)


# -- IPv4


def is_malformed(options: bytes) -> bool:
    """True for IPv4 options that nobody may send. A source route is well formed."""
    fault = _fault_4(options)
    return fault is not None and fault.reason == "ip-option-malformed"


def _fault_4(options: bytes) -> Fault | None:
    at = 0
    while at < len(options) and options[at] != _END_4:
        kind = options[at]
        if kind == _NOP_4:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < _LEAST.get(kind, 2) or at + size > len(options):
            return Fault("ip-option-malformed", WRONG_FIELD, IPV4_HEADER + at)
        if kind in _SOURCE_ROUTES:
            return Fault("ip-source-route")
        # The pointer counts from 1 and lies behind what tells it.
        if kind == RECORD_ROUTE and options[at + 2] < 4:
            return Fault("ip-option-malformed", WRONG_FIELD, IPV4_HEADER + at + 2)
        if kind == TIMESTAMP and options[at + 2] < 5:
            return Fault("ip-option-malformed", WRONG_FIELD, IPV4_HEADER + at + 2)
        at += size
    return None


def _options_4(options: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, offset, size) of each option but padding; the form has been checked."""
    at = 0
    while at < len(options) and options[at] != _END_4:
        if options[at] == _NOP_4:
            at += 1
            continue
        size = options[at + 1]
        yield options[at], at, size
        at += size


def recorded(options: bytes, address: bytes, now: int, leaving: bool = False) -> bytes:
    """IPv4's options after we have written ourselves into those that ask for it. Who finds no room for a timestamp
    counts that, but (Linux) not in a packet of its own, which is `leaving`."""
    out = bytearray(options)
    for kind, at, size in _options_4(options):
        if kind == RECORD_ROUTE:
            _write(out, at, size, address)
        elif kind == TIMESTAMP:
            _stamp(out, at, size, address, now, leaving)
    return bytes(out)


def _stamp(out: bytearray, at: int, size: int, address: bytes, now: int, leaving: bool) -> None:
    # RFC 791: not the time of day, as the high bit says.
    time = (now // MILLISECOND % 86_400_000 | 1 << 31).to_bytes(4, "big")
    flag = out[at + 3] & 15
    if flag > 1:  # addresses that the sender chose: ours is not among them
        return
    written = _write(out, at, size, time if flag == 0 else address + time)
    if not written and not leaving and out[at + 3] < 0xF0:
        out[at + 3] += 0x10  # one more that found no room


def _write(out: bytearray, at: int, size: int, entry: bytes) -> bool:
    place = out[at + 2] - 1
    if place + len(entry) > size:
        return False
    out[at + place : at + place + len(entry)] = entry
    out[at + 2] += len(entry)
    return True


def echoed(options: bytes, packet: IpPacket) -> bytes:
    """The options of the answer to `packet` (RFC 1122 §3.2.2.6): what was recorded goes back with it. Linux writes
    itself in twice, when it receives and when it answers; so do we."""
    if len(packet.source) != 4 or not options:
        return b""
    kept = b"".join(
        [options[at : at + size] for kind, at, size in _options_4(options) if kind in (RECORD_ROUTE, TIMESTAMP)]
    )
    return kept + bytes(-len(kept) % 4)


# -- IPv6


def _fault_6(options: bytes, on_the_way: bool) -> Fault | None:
    said_at = _NEXT_HEADER  # the byte that tells the type of this header
    for kind, at, size in headers(options):
        if kind == HOP_BY_HOP and at:  # RFC 8200 §4.1: only as the first
            return Fault("ip-extension-order", UNKNOWN_HEADER, said_at)
        if kind == HOP_BY_HOP or (kind == DESTINATION_OPTIONS and not on_the_way):
            fault = _fault_in(options[at : at + size], IPV6_HEADER + at)
            if fault is not None:
                return fault
        if kind == ROUTING and options[at + 3] and not on_the_way:  # RFC 5095: no stations
            return Fault("ip-routing-header", WRONG_FIELD, IPV6_HEADER + at + 2)
        said_at = IPV6_HEADER + at
    return None


def _fault_in(header: bytes, start: int) -> Fault | None:
    """Looks at the options in one header that begins at byte `start` of the packet."""
    at = 2
    count = 0
    while at < len(header):
        kind = header[at]
        if kind == _PAD1:
            at += 1
            continue
        size = 2 + header[at + 1] if at + 1 < len(header) else 0
        if size < 2 or at + size > len(header):
            return Fault("ip-option-malformed")
        if kind == 1:
            if size > _LONGEST_PADDING or any(header[at + 2 : at + size]):
                return Fault("ip-option-padding")
        else:
            count += 1
            if count > _MOST_OPTIONS:
                return Fault("ip-option-too-many")
            if kind != _ROUTER_ALERT or header[0] != HOP_BY_HOP:
                fault = _unknown(kind, start + at)
                if fault is not None:
                    return fault
        at += size
    return None


def _unknown(kind: int, pointer: int) -> Fault | None:
    """The upper two bits of an option's type say what to do by whom it is not known (RFC 8200 §4.2)."""
    action = kind >> 6
    if action == 0:
        return None
    if action == 1:
        return Fault("ip-option-unknown")
    return Fault("ip-option-unknown", UNKNOWN_TO_MANY if action == 2 else UNKNOWN, pointer)


def last_type_field(options: bytes) -> int:
    """Which byte of an IPv6 packet tells the protocol behind its chain."""
    field = _NEXT_HEADER
    for _, at, _ in headers(options):
        field = IPV6_HEADER + at
    return field
