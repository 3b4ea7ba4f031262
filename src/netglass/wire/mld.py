"""MLD to and from ICMPv6 messages: version 1 (RFC 2710) and 2 (RFC 3810).

Malformed messages raise `WireError`: "mld-length", "mld-type".
"""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.times import MILLISECOND
from netglass.wire.icmp import IcmpMessage
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

ALL_NODES: Final = b"\xff\x02" + bytes(13) + b"\x01"  # ff02::1: general queries
ALL_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x02"  # ff02::2: version 1's done
MLD_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x16"  # ff02::16: reports of version 2

QUERY: Final = 130
REPORT_1: Final = 131
DONE: Final = 132
REPORT_2: Final = 143
MLD_TYPES: Final = frozenset({QUERY, REPORT_1, DONE, REPORT_2})


def encode_mld(message: Message) -> IcmpMessage:
    """MisuseError for what MLD cannot say, such as an address of IPv4."""
    if isinstance(message, Report):
        for record in message.records:
            _check_group(record.group)
        records = b"".join([encode_record(record) for record in message.records])
        return IcmpMessage(6, REPORT_2, 0, len(message.records), records)
    _check_group(message.group)
    if isinstance(message, OldReport):
        return IcmpMessage(6, DONE if message.leaving else REPORT_1, 0, 0, message.group)
    milliseconds = message.max_response // MILLISECOND
    if message.level < 3:
        return IcmpMessage(6, QUERY, 0, min(milliseconds, 0xFFFF) << 16, message.group)
    payload = message.group + encode_rest(message)
    return IcmpMessage(6, QUERY, 0, float_code(milliseconds, 16) << 16, payload)


def _check_group(group: bytes) -> None:
    if len(group) != 16:
        raise MisuseError(f"MLD tells of IPv6 groups, of 16 bytes; this address has {len(group)}")


def decode_mld(message: IcmpMessage) -> Message:
    """What the ICMPv6 message, of one of MLD_TYPES, says."""
    data = message.payload
    kind = message.type
    if kind == REPORT_2:
        records = decode_records(data, 0, message.rest & 0xFFFF, 16)
        if records is None:
            raise WireError("mld-length")
        return Report(records)
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
    query = Query(3, group, float_value(code, 16) * MILLISECOND)
    if not decode_rest(query, data, 16):
        raise WireError("mld-length")
    return query
