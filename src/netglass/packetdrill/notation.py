"""Packets written the way scripts write them, for messages: what was expected beside what came."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Final

from netglass.packetdrill import icmp_names
from netglass.packetdrill.packet_grammar import ACCECN_0, ACCECN_1, ECN_WORDS, EXPERIMENT, FAST_OPEN_MAGIC, MD5
from netglass.packetdrill.script import Clock, IcmpPacket, IpFields, Option, Packet, TcpPacket, UdpPacket, When
from netglass.times import MICROSECOND, SECOND
from netglass.wire.tcp import (
    ACK,
    END_OF_OPTIONS,
    FAST_OPEN,
    MAXIMUM_SEGMENT_SIZE,
    NO_OPERATION,
    SACK,
    SACK_PERMITTED,
    TIMESTAMPS,
    WINDOW_SCALE,
    flag_letters,
)

_PLAIN: Final = {NO_OPERATION: "nop", END_OF_OPTIONS: "eol", SACK_PERMITTED: "sackOK"}
_ECN_TEXT: Final = {number: word for word, number in ECN_WORDS.items()}


def seconds(time: int) -> str:
    """A time of the script, as in "0.100000": microseconds are the language's own grain."""
    return f"{time // SECOND}.{time % SECOND // MICROSECOND:06d}"


def when_text(when: When) -> str:
    """A time or a range in seconds, or `*`."""
    if when.clock is Clock.ANY:
        return "*"
    return seconds(when.start) if when.end is None else f"{seconds(when.start)}~{seconds(when.end)}"


def packet_text(packet: Packet, version: int) -> str:
    """`packet` in the language of the scripts; `version` (4 or 6) decides how ICMP's numbers are called."""
    parts = [packet.direction.value, *_ip_text(packet.ip)]
    if isinstance(packet, TcpPacket):
        parts += _tcp_text(packet)
    elif isinstance(packet, UdpPacket):
        parts += ["udp", *_ports_text(packet.ports), f"({packet.length})"]
    else:
        parts += _icmp_text(packet, version)
    return " ".join(parts)


def shown(actual: Packet, expected: Packet) -> Packet:
    """`actual` without what `expected` does not speak of: fields of the IP header, the window, the ports."""
    ip = replace(
        actual.ip,
        tos=actual.ip.tos if expected.ip.tos is not None else None,
        ecn=actual.ip.ecn if expected.ip.ecn is not None else None,
        flow_label=actual.ip.flow_label if expected.ip.flow_label else 0,
        ttl_hops=actual.ip.ttl_hops if expected.ip.ttl_hops else 0,
    )
    if isinstance(actual, TcpPacket) and isinstance(expected, TcpPacket):
        window = actual.window if expected.window is not None else None
        ports = actual.ports if any(expected.ports) else (0, 0)
        return replace(actual, ip=ip, window=window, ports=ports)
    if isinstance(actual, UdpPacket) and isinstance(expected, UdpPacket):
        return replace(actual, ip=ip, ports=actual.ports if any(expected.ports) else (0, 0))
    return replace(actual, ip=ip)


def _ip_text(ip: IpFields) -> list[str]:
    fields: list[str] = []
    if ip.tos is not None:
        fields.append(f"tos 0x{ip.tos:x}")
    if ip.ecn is not None:
        fields.append(ip.ecn if isinstance(ip.ecn, str) else _ECN_TEXT[ip.ecn])
    if ip.flow_label:
        fields.append(f"flowlabel 0x{ip.flow_label:x}")
    if ip.ttl_hops:
        fields.append(f"ttl {ip.ttl_hops}")
    return [f"({','.join(fields)})"] if fields else []


def _ports_text(ports: tuple[int, int]) -> list[str]:
    return [f"{ports[0]} > {ports[1]}"] if any(ports) else []


def _tcp_text(packet: TcpPacket) -> list[str]:
    parts = [*_ports_text(packet.ports), flag_letters(packet.flags)]
    if packet.seq is None:
        parts.append(f"...({packet.length})")
    else:
        parts.append(f"{packet.seq}:{(packet.seq + packet.length) & 0xFFFFFFFF}({packet.length})")
    if packet.flags & ACK or packet.ack:
        parts.append(f"ack {packet.ack}")
    if packet.window is not None:
        parts.append(f"win {packet.window}")
    if packet.urgent:
        parts.append(f"urg {packet.urgent}")
    if packet.options is None:
        parts.append("<...>")
    elif packet.options:
        parts.append(f"<{options_text(packet.options)}>")
    return parts


def options_text(options: tuple[Option, ...]) -> str:
    return ",".join([option_text(option) for option in options])


def option_text(option: Option) -> str:
    """One option; bytes that do not fit their kind show as numbers."""
    body = option.body
    if option.kind in _PLAIN and not body:
        return _PLAIN[option.kind]
    if option.kind == MAXIMUM_SEGMENT_SIZE and len(body) == 2:
        return f"mss {int.from_bytes(body, 'big')}"
    if option.kind == WINDOW_SCALE and len(body) == 1:
        return f"wscale {body[0]}"
    if option.kind == TIMESTAMPS and len(body) == 8:
        return "TS val {} ecr {}".format(*struct.unpack("!II", body))
    if option.kind == SACK and body and len(body) % 8 == 0:
        return "sack " + " ".join([f"{left}:{right}" for left, right in struct.iter_unpack("!II", body)])
    return _rare_option_text(option.kind, body)


def _rare_option_text(kind: int, body: bytes) -> str:
    if kind == FAST_OPEN:
        return f"FO {body.hex()}".rstrip()
    if kind == EXPERIMENT and body.startswith(FAST_OPEN_MAGIC):
        return f"FOEXP {body[2:].hex()}".rstrip()
    if kind == MD5:
        return f"md5 {body.hex()}"
    if kind in (ACCECN_0, ACCECN_1) and len(body) in (3, 6, 9):
        names = ("e0b", "ceb", "e1b") if kind == ACCECN_0 else ("e1b", "ceb", "e0b")
        counters = [int.from_bytes(body[at : at + 3], "big") for at in range(0, len(body), 3)]
        return "ECN " + " ".join([f"{name} {count}" for name, count in zip(names, counters, strict=False)])
    return f"kind {kind} {body.hex()}".rstrip()


def _icmp_text(packet: IcmpPacket, version: int) -> list[str]:
    kind, code = icmp_names.text(version, *icmp_names.numbers(version, packet))
    parts = ["icmp", kind, *([code] if code else [])]
    if packet.mtu is not None:
        parts.append(f"mtu {packet.mtu}")
    if packet.ident:
        parts.append(f"id {packet.ident}")
    echoed = packet.echoed
    if echoed is not None and echoed.protocol == "tcp":
        parts.append(f"[{echoed.seq}:{(echoed.seq + echoed.length) & 0xFFFFFFFF}({echoed.length})]")
    elif echoed is not None:
        parts.append(f"[{echoed.protocol}({echoed.length})]")
    return parts
