"""MLD to and from ICMPv6 messages: version 1 (RFC 2710) and 2 (RFC 3810).

Malformed messages raise `WireError`: "mld-length", "mld-type".
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.times import MILLISECOND, SECOND
from netglass.wire.icmp import IcmpMessage
from netglass.wire.membership import Message, OldReport, Query, Record, Report, float_code, float_value

ALL_NODES: Final = b"\xff\x02" + bytes(13) + b"\x01"  # ff02::1: general queries
ALL_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x02"  # ff02::2: version 1's done
MLD_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x16"  # ff02::16: reports of version 2

QUERY: Final = 130
REPORT_1: Final = 131
DONE: Final = 132
REPORT_2: Final = 143
MLD_TYPES: Final = frozenset({QUERY, REPORT_1, DONE, REPORT_2})

_query_tail: Final = struct.Struct("!BBH")
_record_head: Final = struct.Struct("!BBH16s")


def encode_mld(message: Message) -> IcmpMessage:
    """MisuseError for what MLD cannot say, such as an address of IPv4."""
    if isinstance(message, Report):
        records = b"".join([_encode_record(record) for record in message.records])
        return IcmpMessage(6, REPORT_2, 0, len(message.records), records)
    if len(message.group) != 16:
        raise MisuseError(f"MLD tells of IPv6 groups, of 16 bytes; this address has {len(message.group)}")
    if isinstance(message, OldReport):
        return IcmpMessage(6, DONE if message.leaving else REPORT_1, 0, 0, message.group)
    milliseconds = message.max_response // MILLISECOND
    if message.level < 3:
        return IcmpMessage(6, QUERY, 0, min(milliseconds, 0xFFFF) << 16, message.group)
    flags = (8 if message.suppress else 0) | (message.robustness if message.robustness <= 7 else 0)
    tail = _query_tail.pack(flags, float_code(message.interval // SECOND, 8), len(message.sources))
    payload = message.group + tail + b"".join(message.sources)
    return IcmpMessage(6, QUERY, 0, float_code(milliseconds, 16) << 16, payload)


def _encode_record(record: Record) -> bytes:
    if len(record.group) != 16:
        raise MisuseError(f"MLD tells of IPv6 groups, of 16 bytes; this address has {len(record.group)}")
    return _record_head.pack(record.kind, 0, len(record.sources), record.group) + b"".join(record.sources)


def decode_mld(message: IcmpMessage) -> Message:
    """What the ICMPv6 message, of one of MLD_TYPES, says."""
    data = message.payload
    kind = message.type
    if kind == REPORT_2:
        return Report(_decode_records(data, message.rest & 0xFFFF))
    if kind not in MLD_TYPES:
        raise WireError("mld-type")
    if len(data) < 16:
        raise WireError("mld-length")
    group = bytes(data[:16])
    if kind != QUERY:
        return OldReport(2, group, kind == DONE)
    code = message.rest >> 16
    if len(data) == 16:
        return Query(2, group, code * MILLISECOND)
    if len(data) < 20:
        raise WireError("mld-length")
    flags, interval, count = _query_tail.unpack_from(data, 16)
    if len(data) < 20 + 16 * count:
        raise WireError("mld-length")
    sources = tuple([bytes(data[at : at + 16]) for at in range(20, 20 + 16 * count, 16)])
    most = float_value(code, 16) * MILLISECOND
    return Query(3, group, most, sources, flags & 8 != 0, flags & 7, float_value(interval, 8) * SECOND)


def _decode_records(data: bytes, count: int) -> tuple[Record, ...]:
    records: list[Record] = []
    at = 0
    for _ in range(count):
        if at + 20 > len(data):
            raise WireError("mld-length")
        kind, auxiliary, sources, group = _record_head.unpack_from(data, at)
        at += 20
        end = at + 16 * sources
        after = end + 4 * auxiliary
        if after > len(data):
            raise WireError("mld-length")
        records.append(Record(kind, group, tuple([bytes(data[i : i + 16]) for i in range(at, end, 16)])))
        at = after
    return tuple(records)
