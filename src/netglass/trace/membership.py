"""IGMP and MLD in a few words: "IGMPv3 join 239.1.2.3"."""

from __future__ import annotations

from netglass.errors import WireError
from netglass.wire.address import text
from netglass.wire.icmp import IcmpMessage
from netglass.wire.igmp import decode_igmp
from netglass.wire.ip import IGMP, IpPacket
from netglass.wire.membership import (
    IS_EXCLUDE,
    RECORD_NAMES,
    TO_EXCLUDE,
    TO_INCLUDE,
    Message,
    OldReport,
    Query,
    Record,
)
from netglass.wire.mld import MLD_TYPES, decode_mld

_WHOLE_GROUP = {TO_EXCLUDE: "join", TO_INCLUDE: "leave", IS_EXCLUDE: "member of"}


def membership_words(packet: IpPacket) -> list[str]:
    """What stands on the arrow of an IGMP or MLD packet; [] if it is none."""
    payload = packet.payload
    try:
        if isinstance(payload, IcmpMessage):
            return _words(decode_mld(payload), 6) if payload.version == 6 and payload.type in MLD_TYPES else []
        if packet.protocol == IGMP and isinstance(payload, bytes) and not packet.fragment_offset:
            return _words(decode_igmp(payload), 4)
    except WireError as error:
        return [error.reason]
    return []


def _words(message: Message, version: int) -> list[str]:
    if isinstance(message, Query):
        about = "who listens?" if message.general else f"who listens to {text(message.group)}?"
        return [_protocol(message.level, version), about, *_from(message.sources)]
    if isinstance(message, OldReport):
        return [_protocol(message.level, version), "leave" if message.leaving else "member of", text(message.group)]
    words = [_protocol(3, version)]
    for record in message.records:
        words += _record_words(record)
    return words


def _protocol(level: int, version: int) -> str:
    return f"IGMPv{level}" if version == 4 else f"MLDv{level - 1}"


def _record_words(record: Record) -> list[str]:
    if not record.sources and record.kind in _WHOLE_GROUP:
        return [_WHOLE_GROUP[record.kind], text(record.group)]
    return [RECORD_NAMES.get(record.kind, f"type {record.kind}"), text(record.group), *_from(record.sources)]


def _from(sources: tuple[bytes, ...]) -> list[str]:
    return [f"from {text(source)}" for source in sources]
