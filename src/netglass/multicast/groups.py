"""Addresses that membership treats apart, and where its messages go."""

from __future__ import annotations

from netglass.wire import igmp, mld
from netglass.wire.membership import Message, OldReport, Query


def reported(group: bytes) -> bool:
    """All-hosts is never reported (RFC 3376 §5), nor is what cannot leave this node or is reserved (RFC 3810 §6)."""
    if len(group) == 4:
        return group != igmp.ALL_HOSTS
    return group != mld.ALL_NODES and group[1] & 15 > 1


def routable(group: bytes) -> bool:
    """False for 224.0.0.0/24 (RFC 5771 §4) and for the scopes interface and link of IPv6 (RFC 4291 §2.7): no router
    passes these on, whatever their TTL."""
    if len(group) == 4:
        return group[:3] != b"\xe0\x00\x00"
    return group[1] & 15 > 2


def destination_of(message: Message, version: int) -> bytes:
    """Where a message goes, `version` that of IP (RFC 3376 §4.1.12 and §4.2.14, RFC 2236 §2, RFC 3810 §5)."""
    if isinstance(message, Query):
        if message.general:
            return igmp.ALL_HOSTS if version == 4 else mld.ALL_NODES
        return message.group
    if isinstance(message, OldReport):
        if not message.leaving:
            return message.group
        return igmp.ALL_ROUTERS if version == 4 else mld.ALL_ROUTERS
    return igmp.IGMP_ROUTERS if version == 4 else mld.MLD_ROUTERS
