"""Packets in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netglass.errors import MisuseError
from netglass.trace.records import UNKNOWN
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, TcpSegment, flag_text
from netglass.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from netglass.trace.transmissions import Transmission

_LETTERS: Final[dict[str, int]] = {
    "S": SYN,
    "A": ACK,
    ".": ACK,
    "F": FIN,
    "R": RST,
    "P": PSH,
    "U": URG,
    "E": ECE,
    "W": CWR,
}
_ALWAYS_COMPARED: Final = SYN | ACK | FIN | RST

ICMP_NAMES: Final[dict[tuple[int, int], str]] = {
    (4, 0): "echo reply",
    (4, 3): "destination unreachable",
    (4, 5): "redirect",
    (4, 8): "echo request",
    (4, 11): "time exceeded",
    (4, 12): "parameter problem",
    (6, 1): "destination unreachable",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "parameter problem",
    (6, 128): "echo request",
    (6, 129): "echo reply",
}
UNREACHABLE_4: Final[dict[int, str]] = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    9: "network prohibited",
    10: "host prohibited",
    13: "filtered",
}
UNREACHABLE_6: Final[dict[int, str]] = {
    0: "no route",
    1: "prohibited",
    3: "address unreachable",
    4: "port unreachable",
}


def flags_match(segment: TcpSegment | None, letters: str) -> bool:
    """True if the flags are those of `letters` (see `recorder`)."""
    wanted = 0
    for letter in letters.upper():
        if letter not in _LETTERS:
            raise MisuseError(f'{letter!r} in {letters!r} is no TCP flag; write "S", "SA", "FA", "R", "PA" ...')
        wanted |= _LETTERS[letter]
    return segment is not None and segment.flags & (wanted | _ALWAYS_COMPARED) == wanted


def icmp_name(message: IcmpMessage) -> str:
    """As "port unreachable" or "echo request"."""
    if message.type == 3 and message.version == 4:
        return UNREACHABLE_4.get(message.code, f"unreachable, code {message.code}")
    if message.type == 1 and message.version == 6:
        return UNREACHABLE_6.get(message.code, f"unreachable, code {message.code}")
    return ICMP_NAMES.get((message.version, message.type), f"type {message.type} code {message.code}")


def datagram_words(packet: IpPacket) -> list[str]:
    """A packet that is no TCP segment, as words for an arrow."""
    payload = packet.payload
    if isinstance(payload, UdpDatagram):
        return ["UDP", f"{payload.source_port}>{payload.destination_port}", f"len={len(payload.payload)}"]
    if isinstance(payload, IcmpMessage):
        words = ["ICMP", icmp_name(payload)]
        return [*words, f"mtu={payload.rest & 0xFFFF}"] if payload.version == 4 and _tells_mtu(payload) else words
    if isinstance(payload, TcpSegment):
        return ["TCP"]
    return [f"protocol {packet.protocol}", f"len={len(payload)}"]


def _tells_mtu(message: IcmpMessage) -> bool:
    return message.type == 3 and message.code == 4


# -- arrows


def arrow_kind(packet: IpPacket) -> str:
    """ "syn", "syn-ack", "fin", "rst", "data", "ack", "udp", "icmp" or "ip"."""
    payload = packet.payload
    if isinstance(payload, TcpSegment):
        return _segment_kind(payload)
    if isinstance(payload, UdpDatagram):
        return "udp"
    return "icmp" if isinstance(payload, IcmpMessage) else "ip"


def _segment_kind(segment: TcpSegment) -> str:
    flags = segment.flags
    if flags & RST:
        return "rst"
    if flags & SYN:
        return "syn-ack" if flags & ACK else "syn"
    if flags & FIN:
        return "fin"
    return "data" if segment.length else "ack"


def arrow_words(transmission: Transmission) -> list[str]:
    """What stands on an arrow, word by word; the window is left to the ladder."""
    segment = transmission.segment
    if segment is None:
        return datagram_words(transmission.packet)
    words = [flag_text(segment.flags), f"seq={_number(transmission.seq, segment.seq)}"]
    if segment.flags & ACK:
        words.append(f"ack={_number(transmission.ack, segment.ack)}")
    if segment.length:
        words.append(f"len={segment.length}")
    if segment.sack:
        base = segment.ack if transmission.ack == UNKNOWN else transmission.ack
        low, high = [base + _ahead(edge, segment.ack) for edge in segment.sack[0]]
        further = f"+{len(segment.sack) - 1}" if len(segment.sack) > 1 else ""
        words.append(f"sack={low}-{high}{further}")
    if segment.flags & URG:
        words.append(f"urg={segment.urgent}")
    return words


def _number(relative: int, absolute: int) -> str:
    """A number that has no known base is told as it is on the wire, behind a # (0 is the one that RFC 9293 §3.10.7.1
    gives a RST that answers no ACK)."""
    return f"#{absolute}" if relative == UNKNOWN and absolute else str(max(relative, 0))


def _ahead(number: int, base: int) -> int:
    distance = (number - base) & 0xFFFFFFFF
    return distance - (1 << 32) if distance >> 31 else distance
