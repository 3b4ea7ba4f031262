"""Packets in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netglass.errors import MisuseError, WireError
from netglass.trace.membership import membership_words
from netglass.trace.records import UNKNOWN, Packet
from netglass.wire import dhcp, nd
from netglass.wire.address import is_multicast, text
from netglass.wire.address import text as address_text
from netglass.wire.arp import REPLY, REVERSE_REPLY, REVERSE_REQUEST, ArpMessage
from netglass.wire.ethernet import EthernetFrame, mac_text
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
_DHCP_PORTS: Final = frozenset({dhcp.CLIENT_PORT, dhcp.SERVER_PORT})
_ALWAYS_COMPARED: Final = SYN | ACK | FIN | RST

ICMP_NAMES: Final[dict[tuple[int, int], str]] = {
    (4, 0): "echo reply",
    (4, 3): "destination unreachable",
    (4, 5): "redirect",
    (4, 8): "echo request",
    (4, 11): "time exceeded",
    (4, 12): "parameter problem",
    (4, 13): "timestamp request",
    (4, 14): "timestamp reply",
    (6, 1): "destination unreachable",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "parameter problem",
    (6, 128): "echo request",
    (6, 129): "echo reply",
    (6, 133): "router solicitation",
    (6, 134): "router advertisement",
    (6, 135): "neighbor solicitation",
    (6, 136): "neighbor advertisement",
    (6, 137): "redirect",
}
ECHOES: Final = {4: (0, 8), 6: (128, 129)}
PROTOCOLS: Final[dict[int, str]] = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMP"}
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
    if message.code == 1 and message.type == (11 if message.version == 4 else 3):
        return "reassembly time exceeded"
    return ICMP_NAMES.get((message.version, message.type), f"type {message.type} code {message.code}")


def arp_words(message: ArpMessage) -> list[str]:
    """As tcpdump says it."""
    if message.operation == REVERSE_REQUEST:
        return ["RARP", "what am I?", mac_text(message.target_mac)]
    if message.operation == REVERSE_REPLY:
        return ["RARP", f"{mac_text(message.target_mac)} is", address_text(message.target)]
    if message.operation == REPLY:
        return ["ARP", address_text(message.sender), "is at", mac_text(message.sender_mac)]
    if message.probe:
        return ["ARP", f"is {address_text(message.target)} free?"]
    if message.announcement:
        return ["ARP", f"{address_text(message.sender)} is mine:", mac_text(message.sender_mac)]
    return ["ARP", f"who has {address_text(message.target)}?", f"tell {address_text(message.sender)}"]


def frame_words(frame: EthernetFrame) -> list[str]:
    """A frame that carries no IP packet."""
    payload = frame.payload
    if isinstance(payload, ArpMessage):
        return arp_words(payload)
    return [f"frame of type {frame.type:#06x}", f"len={frame.size}"]


def dhcp_words(data: bytes) -> list[str]:
    try:
        message = dhcp.decode_dhcp(data)
    except WireError as error:
        return ["DHCP", f"({error.reason})"]
    words = ["DHCP", dhcp.TYPE_NAMES[message.type]]
    asked = message.address(dhcp.REQUESTED_ADDRESS)
    if any(message.your):
        words.append(address_text(message.your))
    elif asked or any(message.client):
        words.append(address_text(asked or message.client))
    return words


def nd_words(message: IcmpMessage, source: bytes) -> list[str]:
    """What neighbour discovery asks and tells."""
    if message.type == nd.NEIGHBOR_SOLICITATION and len(message.payload) >= 16:
        if not any(source):
            return [f"is {address_text(message.payload[:16])} free?"]
        return [f"who has {address_text(message.payload[:16])}?"]
    if message.type == nd.NEIGHBOR_ADVERTISEMENT and len(message.payload) >= 16:
        return [f"{address_text(message.payload[:16])} is here"]
    if message.type == nd.ROUTER_SOLICITATION:
        return ["any router?"]
    if message.type == nd.ROUTER_ADVERTISEMENT:
        return _advertised(message)
    return [ICMP_NAMES[6, message.type]]


def _advertised(message: IcmpMessage) -> list[str]:
    try:
        told = nd.read_router_advertisement(message)
    except WireError as error:
        return [f"router advertisement ({error.reason})"]
    prefixes = [f"{address_text(each.network)}/{each.length}" for each in told.options.prefixes]
    return ["I am a router", *prefixes] if told.lifetime_s else ["I am no router", *prefixes]


def datagram_words(packet: IpPacket) -> list[str]:
    """A packet that is no TCP segment, as words for an arrow."""
    payload = packet.payload
    membership = membership_words(packet)
    if membership:
        return membership
    if isinstance(payload, UdpDatagram) and {payload.source_port, payload.destination_port} <= _DHCP_PORTS:
        return dhcp_words(payload.payload)
    if isinstance(payload, UdpDatagram):
        size = f"len={len(payload.payload)}"
        if is_multicast(packet.destination):
            return ["UDP to", text(packet.destination), f"port {payload.destination_port}", size]
        return ["UDP", f"{payload.source_port}>{payload.destination_port}", size]
    if isinstance(payload, IcmpMessage) and nd.is_nd(payload):
        return ["ND", *nd_words(payload, packet.source)]
    if isinstance(payload, IcmpMessage):
        words = ["ICMP", icmp_name(payload)]
        if payload.type in ECHOES[payload.version]:
            return [*words, f"seq={payload.rest & 0xFFFF}", f"len={len(payload.payload)}"]
        return [*words, f"mtu={payload.rest & 0xFFFF}"] if payload.version == 4 and _tells_mtu(payload) else words
    if isinstance(payload, TcpSegment):
        return ["TCP"]
    name = PROTOCOLS.get(packet.protocol, f"protocol {packet.protocol}")
    if packet.more_fragments or packet.fragment_offset:
        end = packet.fragment_offset + len(payload) - 1
        return [name, f"fragment {packet.fragment_offset}-{end}", "more" if packet.more_fragments else "last"]
    return [name, f"len={len(payload)}"]


def _tells_mtu(message: IcmpMessage) -> bool:
    return message.type == 3 and message.code == 4


# -- arrows


def arrow_kind(packet: Packet) -> str:
    """ "syn", "syn-ack", "fin", "rst", "data", "ack", "udp", "icmp", "arp" or "ip"."""
    payload = packet.payload
    if isinstance(payload, ArpMessage):
        return "arp"
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
    packet = transmission.packet
    if isinstance(packet, EthernetFrame):
        return frame_words(packet)
    if segment is None:
        return datagram_words(packet)
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
