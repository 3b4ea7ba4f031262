"""ICMP as one host speaks it (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3, RFC 4443): the echo reply, the errors it
sends and the errors it is told."""

from __future__ import annotations

from typing import Final

from netglass.errnos import (
    EACCES,
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMSGSIZE,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPROTO,
)
from netglass.errors import WireError
from netglass.host.egress import Egress
from netglass.host.icmp_rate import IcmpRate
from netglass.ip.options import echoed, last_type_field, recorded
from netglass.times import MILLISECOND
from netglass.wire.address import is_multicast, is_unspecified
from netglass.wire.extension import is_extension, read_chain
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, IpPacket
from netglass.wire.packet import packet_bytes

# Types (IANA "ICMP Type Numbers", "ICMPv6 type Numbers").
ECHO_REPLY_4: Final = 0
UNREACHABLE_4: Final = 3
SOURCE_QUENCH_4: Final = 4
REDIRECT_4: Final = 5
ECHO_4: Final = 8
TIME_EXCEEDED_4: Final = 11
PARAMETER_PROBLEM_4: Final = 12
TIMESTAMP_4: Final = 13
TIMESTAMP_REPLY_4: Final = 14
UNREACHABLE_6: Final = 1
TOO_BIG_6: Final = 2
TIME_EXCEEDED_6: Final = 3
PARAMETER_PROBLEM_6: Final = 4
ECHO_6: Final = 128
ECHO_REPLY_6: Final = 129
FRAGMENTATION_NEEDED: Final = 4  # a code of UNREACHABLE_4

# What an error is about; the number is the line in _ERRORS.
NET_UNREACHABLE: Final = 0
HOST_UNREACHABLE: Final = 1
PROTOCOL_UNREACHABLE: Final = 2
PORT_UNREACHABLE: Final = 3
TOO_BIG: Final = 4
TIME_EXCEEDED: Final = 5
REASSEMBLY_TIMEOUT: Final = 6
PARAMETER_PROBLEM: Final = 7
UNKNOWN_OPTION: Final = 8
UNKNOWN_OPTION_TO_MANY: Final = 9
INCOMPLETE_HEADERS: Final = 10
UNKNOWN_HEADER: Final = 11

# (IPv4 type, code, IPv6 type, code)
_ERRORS: Final[tuple[tuple[int, int, int, int], ...]] = (
    (UNREACHABLE_4, 0, UNREACHABLE_6, 0),
    (UNREACHABLE_4, 1, UNREACHABLE_6, 3),
    (UNREACHABLE_4, 2, PARAMETER_PROBLEM_6, 1),
    (UNREACHABLE_4, 3, UNREACHABLE_6, 4),
    (UNREACHABLE_4, FRAGMENTATION_NEEDED, TOO_BIG_6, 0),
    (TIME_EXCEEDED_4, 0, TIME_EXCEEDED_6, 0),
    (TIME_EXCEEDED_4, 1, TIME_EXCEEDED_6, 1),
    (PARAMETER_PROBLEM_4, 0, PARAMETER_PROBLEM_6, 0),
    (PARAMETER_PROBLEM_4, 0, PARAMETER_PROBLEM_6, 2),
    (PARAMETER_PROBLEM_4, 0, PARAMETER_PROBLEM_6, 2),
    (PARAMETER_PROBLEM_4, 0, PARAMETER_PROBLEM_6, 3),  # RFC 7112
    (PARAMETER_PROBLEM_4, 0, PARAMETER_PROBLEM_6, 1),
)

# The whole error fits into 576 bytes (RFC 1812 §4.3.2.3) or the least MTU (RFC 4443 §2.4 c).
_QUOTE_4: Final = 576 - 20 - 8
_QUOTE_6: Final = 1280 - 40 - 8

# (errno, final) for each code of "destination unreachable", as Linux has them in icmp_err_convert and
# icmpv6_err_convert.
_UNREACHABLE_ERRNOS_4: Final[tuple[tuple[int, bool], ...]] = (
    (ENETUNREACH, False),
    (EHOSTUNREACH, False),
    (ENOPROTOOPT, True),
    (ECONNREFUSED, True),
    (EMSGSIZE, False),
    (EOPNOTSUPP, False),
    (ENETUNREACH, True),
    (EHOSTDOWN, True),
    (ENONET, True),
    (ENETUNREACH, True),
    (EHOSTUNREACH, True),
    (ENETUNREACH, False),
    (EHOSTUNREACH, False),
    (EHOSTUNREACH, True),
    (EHOSTUNREACH, True),
    (EHOSTUNREACH, True),
)
_UNREACHABLE_ERRNOS_6: Final[tuple[tuple[int, bool], ...]] = (
    (ENETUNREACH, False),
    (EACCES, True),
    (EHOSTUNREACH, False),
    (EHOSTUNREACH, False),
    (ECONNREFUSED, True),
    (EACCES, True),
    (EACCES, True),
)

_PLATEAUS: Final[tuple[int, ...]] = (32000, 17914, 8166, 4352, 2002, 1492, 576, 296, 216, 128, 68)
"""RFC 1191 §7.1: what to try next when an old router does not tell its MTU."""

_INTERNETWORK_CONTROL: Final = 0xC0  # precedence of errors (RFC 1812 §4.3.2.5)
_DAY_MS: Final = 24 * 3600 * 1000
_NOT_STANDARD: Final = 1 << 31  # RFC 792: this time of day has nothing to do with midnight UT


class IcmpSender:
    """Sends replies and errors, the errors not too often."""

    __slots__ = ("_egress", "_rate")

    def __init__(self, egress: Egress) -> None:
        self._egress: Egress = egress
        self._rate: IcmpRate = IcmpRate(egress.config)

    def reply(self, packet: IpPacket, request: IcmpMessage, now: int) -> None:
        """The echo reply (RFC 792, RFC 4443 §4.2) to `request`, which came in `packet`. It comes from the address that
        was asked, or if that was a group's from one of ours."""
        if len(packet.source) == 4:
            reply = IcmpMessage(4, ECHO_REPLY_4, 0, request.rest, request.payload)
        else:
            reply = IcmpMessage(6, ECHO_REPLY_6, 0, request.rest, request.payload)
        source = packet.destination
        if not self._egress.is_local(source):
            source = self._egress.source_for(packet.source, now)
        if source:
            self._send(source, packet.source, reply, packet.tos, now, echoed(packet.options, packet))

    def reply_with_time(self, packet: IpPacket, request: IcmpMessage, now: int) -> None:
        """The timestamp reply (RFC 792): our clock, which does not know the time of day and says so."""
        time = (now // MILLISECOND % _DAY_MS | _NOT_STANDARD).to_bytes(4, "big")
        reply = IcmpMessage(4, TIMESTAMP_REPLY_4, 0, request.rest, request.payload[:4] + time + time)
        self._send(packet.destination, packet.source, reply, packet.tos, now, echoed(packet.options, packet))

    def error(self, packet: IpPacket, kind: int, now: int, rest: int = 0) -> None:
        """Tells the source of `packet` what went wrong with it, if the RFCs let us. `rest` is the MTU of TOO_BIG, and
        which byte of the packet a problem is with."""
        egress = self._egress
        if not _may_be_told(packet, kind, egress.broadcasts):
            egress.counters.add("icmp-error-not-sent")
            return
        # Linux: path MTU discovery must not suffer, and nobody is harmed on the loopback.
        free = kind == TOO_BIG or egress.is_local(packet.source)
        if not free and not self._rate.allows(packet.source, now):
            egress.counters.add("icmp-error-rate-limited")
            return
        source = packet.destination
        if not egress.is_local(source):
            source = egress.source_for(packet.source, now)
        if not source:
            egress.counters.add("icmp-error-not-sent")
            return
        type4, code4, type6, code6 = _ERRORS[kind]
        quote = packet_bytes(packet)
        if len(source) == 4:
            rest = rest & 0xFF if type4 == PARAMETER_PROBLEM_4 else rest & 0xFFFF
            word = rest << 24 if type4 == PARAMETER_PROBLEM_4 else rest
            message = IcmpMessage(4, type4, code4, word, quote[:_QUOTE_4])
            self._send(source, packet.source, message, packet.tos & 0x1E | _INTERNETWORK_CONTROL, now)
        else:
            # RFC 4443 §3.4: the word points at the protocol number that nobody knows.
            if kind == PROTOCOL_UNREACHABLE:
                rest = last_type_field(packet.options)
            self._send(source, packet.source, IcmpMessage(6, type6, code6, rest, quote[:_QUOTE_6]), 0, now)

    def redirect(self, packet: IpPacket, gateway: bytes, now: int) -> None:
        """Tells the source of `packet`, whom we pass it on for, that `gateway` is nearer (RFC 1812 §5.2.7.2)."""
        if not _may_be_told(packet, NET_UNREACHABLE, self._egress.broadcasts):
            return
        source = self._egress.source_for(packet.source, now)
        if not source or not self._rate.allows_redirect(packet.source, now):
            self._egress.counters.add("icmp-redirect-rate-limited")
            return
        word = int.from_bytes(gateway, "big")
        message = IcmpMessage(4, REDIRECT_4, 1, word, packet_bytes(packet)[:_QUOTE_4])
        self._send(source, packet.source, message, packet.tos & 0x1E | _INTERNETWORK_CONTROL, now)

    def _send(
        self, source: bytes, destination: bytes, message: IcmpMessage, tos: int, now: int, options: bytes = b""
    ) -> None:
        egress = self._egress
        protocol = ICMP if message.version == 4 else ICMPV6
        ident = egress.next_ident(destination)
        ttl = egress.config.default_ttl_hops
        whole = message.version == 6
        if options:
            options = recorded(options, source, now, True)
        egress.send(
            IpPacket(source, destination, protocol, message, ttl, tos, ident, whole, options=options),
            now,
        )


def _may_be_told(packet: IpPacket, kind: int, broadcasts: set[bytes]) -> bool:
    # RFC 1122 §3.2.2, RFC 4443 §2.4 e: never about an error, a later fragment (IPv4), or what was for many or came from
    # nobody in particular.
    payload = packet.payload
    if packet.fragment_offset and len(packet.source) == 4:
        return False
    if isinstance(payload, IcmpMessage) and is_error(payload):
        return False
    if isinstance(payload, bytes) and _begins_error(packet, payload):
        return False
    source = packet.source
    if is_multicast(source) or is_unspecified(source) or source in broadcasts:
        return False
    # RFC 4443 §2.4 e.3: path MTU discovery works for multicast too, and some options ask for an answer.
    if len(source) == 16 and kind in (TOO_BIG, UNKNOWN_OPTION_TO_MANY):
        return True
    return not is_multicast(packet.destination) and packet.destination not in broadcasts


def is_error(message: IcmpMessage) -> bool:
    """True if it reports an error, and so must not be answered by one. An unknown ICMPv4 type counts as an error:
    silence is safe."""
    return _is_error_type(message.version, message.type)


def _is_error_type(version: int, kind: int) -> bool:
    if version == 6:
        return kind < 128 or kind == 137  # a redirect (RFC 4443 §2.4 e.2)
    return kind not in (ECHO_REPLY_4, ECHO_4, 9, 10, 13, 14, 15, 16, 17, 18)


def _begins_error(packet: IpPacket, data: bytes) -> bool:
    """True of the first fragment of an ICMP error, which nobody has read as such yet."""
    if packet.fragment_offset or not data:
        return False
    if len(packet.source) == 4:
        return packet.protocol == ICMP and _is_error_type(4, data[0])
    return packet.protocol == ICMPV6 and _is_error_type(6, data[0])


# -- the errors we are told


class Quote:
    """What an error says of the packet that caused it: our packet, so `source` is ours."""

    __slots__ = ("destination", "destination_port", "protocol", "seq", "size", "source", "source_port")

    def __init__(self, source: bytes, destination: bytes, protocol: int, size: int, head: bytes) -> None:
        self.source: bytes = source
        self.destination: bytes = destination
        self.protocol: int = protocol
        self.size: int = size  # the packet's own length, as its header tells
        self.source_port: int = int.from_bytes(head[0:2], "big")
        self.destination_port: int = int.from_bytes(head[2:4], "big")
        self.seq: int = int.from_bytes(head[4:8], "big")  # TCP's sequence number


def read_quote(message: IcmpMessage) -> Quote | None:
    """The quoted header and the eight bytes after it; None if they are not all there, or of a later fragment."""
    data = message.payload
    if message.version == 6:
        if len(data) < 48 or data[0] >> 4 != 6:
            return None
        size = 40 + int.from_bytes(data[4:6], "big")
        if not is_extension(data[6]):
            return Quote(data[8:24], data[24:40], data[6], size, data[40:48])
        return _quote_behind_headers(data, size)
    if len(data) < 28 or data[0] >> 4 != 4:
        return None
    start = (data[0] & 15) * 4
    if start < 20 or len(data) < start + 8 or int.from_bytes(data[6:8], "big") & 0x1FFF:
        return None
    return Quote(data[12:16], data[16:20], data[9], int.from_bytes(data[2:4], "big"), data[start : start + 8])


def _quote_behind_headers(data: bytes, size: int) -> Quote | None:
    """The same behind IPv6 extension headers, as those of a first fragment."""
    try:
        chain = read_chain(data[6], data[40:])
    except WireError:
        return None
    head = data[40 + chain.size : 48 + chain.size]
    if chain.fragment_offset or len(head) < 8:
        return None
    return Quote(data[8:24], data[24:40], chain.protocol, size, head)


def errno_of(message: IcmpMessage) -> tuple[int, bool]:
    """(errno, final) that Linux makes of an error message; (0, False) if it means nothing to a socket."""
    if message.version == 6:
        return _errno_of_6(message)
    if message.type == UNREACHABLE_4 and message.code < len(_UNREACHABLE_ERRNOS_4):
        return _UNREACHABLE_ERRNOS_4[message.code]
    if message.type == TIME_EXCEEDED_4:
        return EHOSTUNREACH, False
    if message.type == PARAMETER_PROBLEM_4:
        return EPROTO, True
    return 0, False


def _errno_of_6(message: IcmpMessage) -> tuple[int, bool]:
    if message.type == UNREACHABLE_6:
        known = message.code < len(_UNREACHABLE_ERRNOS_6)
        return _UNREACHABLE_ERRNOS_6[message.code] if known else (EPROTO, True)
    if message.type == TOO_BIG_6:
        return EMSGSIZE, False
    if message.type == TIME_EXCEEDED_6:
        return EHOSTUNREACH, False
    if message.type == PARAMETER_PROBLEM_6:
        return EPROTO, True
    return 0, False


def next_hop_mtu(message: IcmpMessage, quote: Quote) -> int:
    """The MTU that "fragmentation needed" or "packet too big" tells; 0 if the message is another one."""
    if message.version == 6:
        return message.rest if message.type == TOO_BIG_6 else 0
    if message.type != UNREACHABLE_4 or message.code != FRAGMENTATION_NEEDED:
        return 0
    told = message.rest & 0xFFFF
    if told:
        return told
    for plateau in _PLATEAUS:
        if plateau < quote.size:
            return plateau
    return _PLATEAUS[-1]
