"""Fragments, options and ICMP messages, right and wrong, and what comes of them: the same packets for this stack and
for a kernel behind a TUN device (`record_linux`). Each scenario is a list of packets from 10.9.0.2 or fd09::2 to the
machine that is asked, 10.9.0.1 or fd09::1, which has UDP port 53 open."""

from __future__ import annotations

from zlib import crc32

from netglass.ip.fragment import fragments
from netglass.wire.address import parse
from netglass.wire.extension import fragment_header
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, UDP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.udp import UdpDatagram

ASKED, ASKER = parse("10.9.0.1"), parse("10.9.0.2")
ASKED6, ASKER6 = parse("fd09::1"), parse("fd09::2")
ALL_NODES = parse("ff02::1")
PROTOCOL = 253  # that nobody knows (RFC 3692)


def data(size: int) -> bytes:
    return bytes([number & 255 for number in range(size)])


def datagram(size: int, version: int, port: int = 53) -> IpPacket:
    payload = UdpDatagram(4000, port, data(size))
    if version == 4:
        return IpPacket(ASKER, ASKED, UDP, payload, dont_fragment=False)
    return IpPacket(ASKER6, ASKED6, UDP, payload)


def piece(version: int, offset: int, text: bytes, more: bool = True, tos: int = 0, protocol: int = UDP) -> IpPacket:
    if version == 4:
        return IpPacket(ASKER, ASKED, protocol, text, 64, tos, 0, False, more, offset)
    options = fragment_header(0, offset, more)
    return IpPacket(
        ASKER6, ASKED6, protocol, text, tos=tos, more_fragments=more, fragment_offset=offset, options=options
    )


def header(kind: int, *options: int) -> bytes:
    """A Hop-by-Hop (0) or Destination Options (60) header of eight bytes."""
    return bytes([kind, 0, *options])


def six(options: bytes, protocol: int = UDP, destination: bytes = ASKED6) -> IpPacket:
    payload = UdpDatagram(4000, 53, b"hello") if protocol == UDP else b"?"
    return IpPacket(ASKER6, destination, protocol, payload, options=options)


def ping(options: bytes = b"", text: bytes = b"abc") -> IpPacket:
    return IpPacket(ASKER, ASKED, ICMP, IcmpMessage(4, 8, 0, 0x10001, text), dont_fragment=False, options=options)


def fragment_scenarios(version: int) -> dict[str, list[IpPacket]]:
    text = packet_bytes(datagram(24, version))[20 if version == 4 else 40 :]
    first, second, third = fragments(datagram(3000, version), 1500, 0)

    def at(offset: int, end: int, more: bool = True) -> IpPacket:
        return piece(version, offset, text[offset:end], more)

    unknown = datagram(0, version)
    unknown.protocol, unknown.payload = PROTOCOL, data(3000)
    found = {
        "in order": [first, second, third],
        "reversed": [third, second, first],
        "duplicates": [first, first, third, third, second],
        "a partial overlap": [at(0, 16), at(8, 24), at(24, 32, False)],
        "an overlap, then all again": [at(0, 16), at(8, 24), at(0, 16), at(16, 32, False)],
        "a duplicate inside": [at(0, 24), at(8, 16), at(24, 32, False)],
        "other bytes inside": [at(0, 24), piece(version, 8, b"XXXXXXXX"), at(24, 32, False)],
        "one over two": [at(8, 16), at(0, 8), at(0, 16), at(16, 32, False)],
        "beyond the end": [at(24, 32, False), piece(version, 32, bytes(8)), at(0, 24)],
        "an end before what is there": [at(24, 32), at(16, 24, False), at(0, 16)],
        "two ends": [at(24, 32, False), piece(version, 40, bytes(8), False), at(0, 24)],
        "an odd length": [at(0, 15), at(8, 32, False)],
        "an empty one": [at(0, 16), piece(version, 16, b""), at(16, 32, False)],
        "an empty end": [at(0, 32), piece(version, 32, b"", False)],
        "longer than IP can be": [piece(version, 65528, bytes(24), False)],
        "a wrong checksum": [at(0, 16), piece(version, 16, text[16:-1] + b"!", False)],
        "a closed port": fragments(datagram(3000, version, 99), 1500, 0),
        "an unknown protocol": fragments(unknown, 1500, 0),
    }
    return {f"IPv{version} fragments: {name}": packets for name, packets in found.items()}


def more_fragments() -> dict[str, list[IpPacket]]:
    four = packet_bytes(datagram(24, 4))[20:]
    text = packet_bytes(datagram(24, 6))[40:]
    to_udp = bytes([UDP, 0, 1, 4, 0, 0, 0, 0])
    unknown = bytes([UDP, 0, 0x9E, 4, 0, 0, 0, 0])
    return {
        "ECN: ECT and not ECT": [piece(4, 0, four[:16], tos=1), piece(4, 16, four[16:], False)],
        "ECN: a mark": [piece(4, 0, four[:16], tos=2), piece(4, 16, four[16:], False, tos=3)],
        "a tiny first": [piece(4, 0, four[:8]), piece(4, 8, four[8:], False)],
        "atomic": [six(fragment_header(5, 0, False))],
        "another protocol in the second": [piece(6, 0, text[:16]), piece(6, 16, text[16:], False, protocol=99)],
        "an empty first": [piece(6, 0, b"", protocol=60)],
        "a first without UDP": [piece(6, 0, to_udp, protocol=60), piece(6, 8, text, False, protocol=60)],
        "options behind": [piece(6, 0, to_udp + text[:16], protocol=60), piece(6, 24, text[16:], False, protocol=60)],
        "unknown options behind": [
            piece(6, 0, unknown + text[:16], protocol=60),
            piece(6, 24, text[16:], False, protocol=60),
        ],
    }


def headers_of_ipv6() -> dict[str, list[IpPacket]]:
    chains = {
        "hop-by-hop": header(0, 1, 4, 0, 0, 0, 0),
        "destination": header(60, 0, 0, 0, 0, 0, 0),
        "router alert": header(0, 5, 2, 0, 0, 1, 0),
        "unknown, skip": header(60, 0x1E, 4, 9, 0, 0, 0),
        "unknown, drop": header(60, 0x5E, 4, 0, 0, 0, 0),
        "unknown, tell": header(60, 0x9E, 4, 0, 0, 0, 0),
        "unknown, tell if for one": header(60, 0xDE, 4, 0, 0, 0, 0),
        "unknown, tell, hop-by-hop": header(0, 0x9E, 4, 0, 0, 0, 0),
        "padding that is not zero": header(60, 1, 4, 0, 0, 0, 9),
        "an option beyond its header": header(60, 1, 5, 0, 0, 0, 0),
        "long padding": bytes([60, 1, 1, 12]) + bytes(12),
        "eight options": bytes([60, 2, *[0x1E, 0] * 8, 1, 4, 0, 0, 0, 0]),
        "eleven options": bytes([60, 2, *[0x1E, 0] * 11]),
        "hop-by-hop second": header(60, 1, 4, 0, 0, 0, 0) + header(0, 1, 4, 0, 0, 0, 0),
        "two of destination": header(60, 1, 4, 0, 0, 0, 0) * 2,
        "two of hop-by-hop": header(0, 1, 4, 0, 0, 0, 0) * 2,
        "routing type 0": bytes([43, 2, 0, 1]) + bytes(20),
        "routing type 0, at its end": bytes([43, 0, 0, 0, 0, 0, 0, 0]),
        "routing type 2": bytes([43, 2, 2, 1]) + bytes(20),
    }
    found = {f"IPv6 headers: {name}": [six(chain)] for name, chain in chains.items()}
    found |= {
        "IPv6: an unknown protocol": [six(b"", PROTOCOL)],
        "IPv6: an unknown protocol behind headers": [six(header(60, 1, 4, 0, 0, 0, 0), PROTOCOL)],
        "IPv6: no next header": [six(b"", 59)],
        "IPv6: a closed port": [datagram(1, 6, 99)],
        "IPv6: an echo request to all": [IpPacket(ASKER6, ALL_NODES, ICMPV6, IcmpMessage(6, 128, 0, 5, b"who"))],
        "IPv6: an unknown option to all": [six(header(60, 0x9E, 4, 0, 0, 0, 0), destination=ALL_NODES)],
        "IPv6: an unknown option for one to all": [six(header(60, 0xDE, 4, 0, 0, 0, 0), destination=ALL_NODES)],
        "ICMPv6: an unknown error": [IpPacket(ASKER6, ASKED6, ICMPV6, IcmpMessage(6, 99, 0, 1))],
        "ICMPv6: unknown information": [IpPacket(ASKER6, ASKED6, ICMPV6, IcmpMessage(6, 200, 0, 1))],
    }
    return found


def options_of_ipv4() -> dict[str, list[IpPacket]]:
    options = {
        "record route": b"\x07\x13\x04" + bytes(16) + b"\0",
        "record route, full": b"\x07\x07\x08\x0a\x09\0\x02\0",
        "record route, no room at all": b"\x07\x03\x04\0",
        "record route, too short": b"\x07\x01\0\0",
        "record route, longer than the header": b"\x01\x07\x08\x04",
        "record route, a wrong pointer": b"\x07\x04\x03\0",
        "timestamps": b"\x44\x0c\x05\0" + bytes(8),
        "timestamps with addresses": b"\x44\x14\x05\x01" + bytes(16),
        "timestamps, full": b"\x44\x04\x05\0",
        "timestamps, a wrong pointer": b"\x44\x08\x04\0" + bytes(4),
        "a loose source route": b"\x83\x07\x04\x0a\0\0\x09\0",
        "a strict source route": b"\x89\x07\x04\x0a\0\0\x09\0",
        "an option that is cut off": b"\x01\x01\x01\x94",
        "router alert": b"\x94\x04\0\0",
        "an unknown option": b"\x9e\x04\0\0",
    }
    return {f"IPv4 options: {name}": [ping(each)] for name, each in options.items()}


def messages() -> dict[str, list[IpPacket]]:
    return {
        "ICMP: an echo request": [ping()],
        "ICMP: a long echo request": fragments(ping(text=data(3000)), 1500, 0),
        "ICMP: an echo request to all": [IpPacket(ASKER, parse("10.9.0.255"), ICMP, IcmpMessage(4, 8, 0, 1))],
        "ICMP: a timestamp request": [IpPacket(ASKER, ASKED, ICMP, IcmpMessage(4, 13, 0, 0x70001, bytes(12)))],
        "ICMP: a timestamp request without its time": [IpPacket(ASKER, ASKED, ICMP, IcmpMessage(4, 13, 0, 1))],
        "ICMP: an unknown type": [IpPacket(ASKER, ASKED, ICMP, IcmpMessage(4, 99, 0, 1))],
        "IPv4: a closed port": [IpPacket(ASKER, ASKED, UDP, UdpDatagram(1, 99, b"x"), tos=0x10)],
        "IPv4: an unknown protocol": [IpPacket(ASKER, ASKED, PROTOCOL, b"x")],
    }


def scenarios() -> dict[str, list[IpPacket]]:
    """All of them, each with an identification of its own, so that nothing is left over for the next."""
    found = fragment_scenarios(4) | fragment_scenarios(6) | more_fragments() | headers_of_ipv6() | options_of_ipv4()
    found |= messages()
    for number, packets in enumerate(found.values(), 1):
        for packet in packets:
            packet.ident = number
            if packet.more_fragments or packet.fragment_offset:
                packet.options = packet.options[:-4] + number.to_bytes(4, "big") if len(packet.source) == 16 else b""
    return found


def said(packet: IpPacket) -> str:
    """An answer, in a few words; a time of day is not part of them."""
    payload = packet.payload
    if isinstance(payload, bytes):
        end = packet.fragment_offset + len(payload)
        return f"protocol {packet.protocol} bytes {packet.fragment_offset}-{end}{'+' if packet.more_fragments else ''}"
    if not isinstance(payload, IcmpMessage):
        return f"protocol {packet.protocol}"
    options = packet.options[:4] if packet.options[:1] == b"\x44" else packet.options
    text = f"ICMPv{payload.version} {payload.type}/{payload.code} {payload.rest:#x} len {len(payload.payload)}"
    return f"{text} tos {packet.tos:#x}{' options ' + options.hex() if len(packet.source) == 4 and options else ''}"


def heard(payload: bytes, tos: int) -> str:
    return f"heard {len(payload)} bytes {crc32(payload):08x}{f' tos {tos:#x}' if tos else ''}"
