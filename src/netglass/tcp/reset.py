"""The RST that answers a segment which belongs to nobody (RFC 9293 §3.10.7.1)."""

from __future__ import annotations

from netglass.wire.seq import wrap
from netglass.wire.tcp import ACK, FIN, RST, SYN, TcpSegment


def reset_for(segment: TcpSegment) -> TcpSegment | None:
    """None for a RST: resets are never answered."""
    flags = segment.flags
    if flags & RST:
        return None
    if flags & ACK:
        return TcpSegment(segment.destination_port, segment.source_port, segment.ack, 0, RST, 0)
    length = segment.length + (flags & SYN != 0) + (flags & FIN != 0)
    return TcpSegment(segment.destination_port, segment.source_port, 0, wrap(segment.seq + length), RST | ACK, 0)
