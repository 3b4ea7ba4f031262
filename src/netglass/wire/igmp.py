"""IGMP to and from bytes: version 1 (RFC 1112), 2 (RFC 2236) and 3 (RFC 3376).

Malformed bytes raise `WireError`: "igmp-short", "igmp-checksum", "igmp-length", "igmp-type".
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.times import MILLISECOND, SECOND
from netglass.wire.checksum import Buffer, checksum, intact, ones_sum
from netglass.wire.membership import (
    Message,
    OldReport,
    Query,
    Report,
    decode_records,
    decode_rest,
    encode_record,
    encode_rest,
    float_code,
    float_value,
)

ALL_HOSTS: Final = b"\xe0\x00\x00\x01"  # 224.0.0.1: general queries
ALL_ROUTERS: Final = b"\xe0\x00\x00\x02"  # 224.0.0.2: leaves of version 2
IGMP_ROUTERS: Final = b"\xe0\x00\x00\x16"  # 224.0.0.22: reports of version 3
ROUTER_ALERT: Final = b"\x94\x04\x00\x00"  # RFC 2113: routers look at it though it is not for them

_QUERY: Final = 0x11
_REPORT_1: Final = 0x12
_REPORT_2: Final = 0x16
_LEAVE: Final = 0x17
_REPORT_3: Final = 0x22
_TENTH: Final = 100 * MILLISECOND

_head: Final = struct.Struct("!BBH4s")


def encode_igmp(message: Message) -> bytes:
    """MisuseError for what IGMP cannot say, such as an address of IPv6."""
    if isinstance(message, Query):
        kind, code, group, tail = _QUERY, _response_code(message), message.group, encode_rest(message)
    elif isinstance(message, OldReport):
        kind = _LEAVE if message.leaving else (_REPORT_1 if message.level == 1 else _REPORT_2)
        code, group, tail = 0, message.group, b""
    else:
        kind, code, tail = _REPORT_3, 0, b"".join([encode_record(record) for record in message.records])
        group = len(message.records).to_bytes(4, "big")
    if len(group) != 4:
        raise MisuseError(f"IGMP tells of IPv4 groups, of 4 bytes; this address has {len(group)}")
    head = _head.pack(kind, code, 0, group)
    return _head.pack(kind, code, checksum(ones_sum(head) + ones_sum(tail)), group) + tail


def _response_code(query: Query) -> int:
    if query.level == 1:
        return 0
    # A code of 0 would be version 1's.
    tenths = max(1, query.max_response // _TENTH)
    return float_code(tenths, 8) if query.level == 3 else min(tenths, 255)


def decode_igmp(data: Buffer, verify: bool = True) -> Message:
    """The message in `data`."""
    if len(data) < 8:
        raise WireError("igmp-short")
    if verify and not intact(data, 0):
        raise WireError("igmp-checksum")
    kind, code, _, group = _head.unpack_from(data)
    if kind == _QUERY:
        return _decode_query(data, code, group)
    if kind == _REPORT_1:
        return OldReport(1, group)
    if kind == _REPORT_2:
        return OldReport(2, group)
    if kind == _LEAVE:
        return OldReport(2, group, leaving=True)
    if kind == _REPORT_3:
        records = decode_records(data, 8, int.from_bytes(group[2:], "big"), 4)
        if records is None:
            raise WireError("igmp-length")
        return Report(records)
    raise WireError("igmp-type")


def _decode_query(data: Buffer, code: int, group: bytes) -> Query:
    # RFC 3376 §7.1: the version is told by the length and the code.
    if len(data) == 8:
        if code == 0:
            return Query(1, group, 10 * SECOND)
        return Query(2, group, code * _TENTH)
    query = Query(3, group, float_value(code, 8) * _TENTH)
    if not decode_rest(query, data, 8):
        raise WireError("igmp-length")
    return query
