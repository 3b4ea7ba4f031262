"""What hosts and routers tell each other about multicast groups, for IPv4 (IGMP) and IPv6 (MLD) alike: the two are one
protocol in two wire formats (`wire.igmp`, `wire.mld`).

`level` is IGMP's version, 1 to 3; MLDv1 is level 2 and MLDv2 is level 3, because that is what they are.
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.times import SECOND
from netglass.wire.checksum import Buffer

_rest: Final = struct.Struct("!BBH")
_record: Final = struct.Struct("!BBH")

# Types of group records (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
IS_INCLUDE: Final = 1
IS_EXCLUDE: Final = 2
TO_INCLUDE: Final = 3
TO_EXCLUDE: Final = 4
ALLOW_NEW: Final = 5
BLOCK_OLD: Final = 6

RECORD_NAMES: Final = {
    IS_INCLUDE: "IS_IN",
    IS_EXCLUDE: "IS_EX",
    TO_INCLUDE: "TO_IN",
    TO_EXCLUDE: "TO_EX",
    ALLOW_NEW: "ALLOW",
    BLOCK_OLD: "BLOCK",
}
"""As the RFCs abbreviate them."""


class Query:
    """A router asks who listens: to anything (`group` all zero bytes), to a group, or to sources in a group."""

    __slots__ = ("group", "interval", "level", "max_response", "robustness", "sources", "suppress")

    def __init__(
        self,
        level: int,
        group: bytes,
        max_response: int,
        sources: tuple[bytes, ...] = (),
        suppress: bool = False,
        robustness: int = 0,
        interval: int = 0,
    ) -> None:
        self.level: int = level
        self.group: bytes = group
        self.max_response: int = max_response  # ns; answers come within it
        self.sources: tuple[bytes, ...] = sources
        self.suppress: bool = suppress  # S flag: other routers leave their timers as they are
        self.robustness: int = robustness  # QRV; 0: not told
        self.interval: int = interval  # QQI, ns; 0: not told

    @property
    def general(self) -> bool:
        return not any(self.group)


class Record:
    """One group's part of a report of level 3."""

    __slots__ = ("group", "kind", "sources")

    def __init__(self, kind: int, group: bytes, sources: tuple[bytes, ...] = ()) -> None:
        self.kind: int = kind  # IS_INCLUDE ... BLOCK_OLD, or a number that nobody knows yet
        self.group: bytes = group
        self.sources: tuple[bytes, ...] = sources


class Report:
    """A host tells what it listens to, level 3."""

    __slots__ = ("records",)

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.records: tuple[Record, ...] = records


class OldReport:
    """A host listens to `group`, or (`leaving`) perhaps nobody does any more: levels 1 and 2."""

    __slots__ = ("group", "leaving", "level")

    def __init__(self, level: int, group: bytes, leaving: bool = False) -> None:
        self.level: int = level
        self.group: bytes = group
        self.leaving: bool = leaving  # level 2 only


Message = Query | Report | OldReport


def float_code(value: int, bits: int) -> int:
    """`value` as a code of `bits` bits (8 in IGMP, 16 in MLD's response code), rounded down to what the code can say:
    as it is below the upper half, else a mantissa and an exponent (RFC 3376 §4.1.1, RFC 3810 §5.1.3)."""
    half = 1 << bits - 1
    if value < half:
        return max(value, 0)
    mantissa_bits = bits - 4
    exponent = 0
    while value >> exponent + 3 >= 2 << mantissa_bits and exponent < 7:
        exponent += 1
    mantissa = min(value >> exponent + 3, (2 << mantissa_bits) - 1) & (1 << mantissa_bits) - 1
    return half | exponent << mantissa_bits | mantissa


def float_value(code: int, bits: int) -> int:
    """What `float_code` says."""
    half = 1 << bits - 1
    if code < half:
        return code
    mantissa_bits = bits - 4
    mantissa = code & (1 << mantissa_bits) - 1 | 1 << mantissa_bits
    return mantissa << (code >> mantissa_bits & 7) + 3


# -- what both wire formats share: all that stands behind the group's address of a query, and the records of a report


def encode_rest(query: Query) -> bytes:
    """S, QRV, QQIC and the sources of a query of level 3; nothing of an older one."""
    if query.level < 3:
        return b""
    flags = (8 if query.suppress else 0) | (query.robustness if query.robustness <= 7 else 0)
    return _rest.pack(flags, float_code(query.interval // SECOND, 8), len(query.sources)) + b"".join(query.sources)


def decode_rest(query: Query, data: Buffer, at: int) -> bool:
    """Fills in what `encode_rest` wrote at `at`; False if `data` ends too soon."""
    if at + 4 > len(data):
        return False
    flags, interval, count = _rest.unpack_from(data, at)
    size = len(query.group)
    start, end = at + 4, at + 4 + size * count
    if end > len(data):
        return False
    query.suppress = flags & 8 != 0
    query.robustness = flags & 7
    query.interval = float_value(interval, 8) * SECOND
    query.sources = tuple([bytes(data[i : i + size]) for i in range(start, end, size)])
    return True


def encode_record(record: Record) -> bytes:
    return _record.pack(record.kind, 0, len(record.sources)) + record.group + b"".join(record.sources)


def decode_records(data: Buffer, at: int, count: int, size: int) -> tuple[Record, ...] | None:
    """`count` records from `at` on, of addresses of `size` bytes; None if `data` ends too soon. Auxiliary data is
    passed over (RFC 3376 §4.2.11)."""
    records: list[Record] = []
    for _ in range(count):
        first = at + 4 + size
        if first > len(data):
            return None
        kind, auxiliary, sources = _record.unpack_from(data, at)
        end = first + size * sources
        after = end + 4 * auxiliary
        if after > len(data):
            return None
        listed = tuple([bytes(data[i : i + size]) for i in range(first, end, size)])
        records.append(Record(kind, bytes(data[at + 4 : first]), listed))
        at = after
    return tuple(records)
