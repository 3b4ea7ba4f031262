"""Raw sockets: packets of one protocol; received with the IPv4 header (raw(7)), without the IPv6 one (ipv6(7)). And
ping sockets (icmp(7)): datagrams that are echo requests and their replies, without a header, as many as a program
likes and without any privilege."""

from __future__ import annotations

from typing import Final

from netglass.errnos import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENOTCONN,
    EOPNOTSUPP,
)
from netglass.errors import WireError
from netglass.host.host import Host
from netglass.ip.options import recorded
from netglass.ip.raw import PingPort, RawPort
from netglass.sockets.address import Address, pack_address, show_address
from netglass.sockets.constants import (
    AF_INET,
    FIONREAD,
    ICMP6_FILTER,
    ICMP_FILTER,
    IP_HDRINCL,
    IP_MTU_DISCOVER,
    IP_OPTIONS,
    IP_TOS,
    IP_TTL,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_RAW,
    IPV6_CHECKSUM,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RDWR,
    SIOCOUTQ,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCK_RAW,
    SOL_RAW,
    SOL_SOCKET,
)
from netglass.sockets.control import control_of
from netglass.sockets.description import Description, Message
from netglass.sockets.options import Rule, key, options_in
from netglass.udp.port import PMTU_DO, PMTU_INTERFACE, PMTU_PROBE, PMTU_WANT
from netglass.wire.address import is_unspecified
from netglass.wire.checksum import Buffer, checksum, ones_sum, pseudo_header_sum
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, IpPacket
from netglass.wire.packet import decode_packet, header_length, packet_bytes, packet_size

_RCVBUF: Final = key(SOL_SOCKET, SO_RCVBUF)
_HDRINCL: Final = key(IPPROTO_IP, IP_HDRINCL)
_MTU_DISCOVER: Final = key(IPPROTO_IP, IP_MTU_DISCOVER)
_TTL: Final = key(IPPROTO_IP, IP_TTL)
_HOPS: Final = key(IPPROTO_IPV6, IPV6_UNICAST_HOPS)
_TOS: Final = key(IPPROTO_IP, IP_TOS)
_TCLASS: Final = key(IPPROTO_IPV6, IPV6_TCLASS)
_MOST: Final = 65535 - 20
_ECHO: Final = {4: 8, 6: 128}


class RawSocket(Description):
    """SOCK_RAW. Privileges are not asked for: the host is the program's own."""

    __slots__ = ("checksum_at", "ident", "ip_options", "port")

    def __init__(self, host: Host, family: int, protocol: int, port: RawPort | None = None) -> None:
        super().__init__(host, family, SOCK_RAW if port is None else SOCK_DGRAM, protocol)
        self.port: RawPort = host.open_raw(protocol, 4 if family == AF_INET else 6, 0) if port is None else port
        self.port.waker = self
        self.ident: int = 0  # IPv4 identification of what we send
        self.ip_options: bytes = b""  # IP_OPTIONS
        self.checksum_at: int = -1  # IPV6_CHECKSUM: where in the data it belongs; -1: nowhere

    def bind(self, address: Address, now: int) -> int:
        packed, error = self._own(address)
        if not packed:
            return error
        if not is_unspecified(packed) and not self.host.is_local(packed):
            return -EADDRNOTAVAIL
        self.port.local = b"" if is_unspecified(packed) else packed
        return 0

    def connect(self, address: Address | None, now: int) -> int:
        """Hears and speaks to one address only; None dissolves it."""
        if address is None:
            self.port.remote = b""
            return 0
        packed, error = self._own(address)
        if not packed:
            return error
        if not self.host.source_for(packed, now):
            return -ENETUNREACH
        self.port.remote = packed
        return 0

    def _own(self, address: Address) -> tuple[bytes, int]:
        """A packed address of this socket's version, or (b"", -errno)."""
        packed, port = pack_address(self.family, address)
        if packed and len(packed) != (4 if self.family == AF_INET else 16):
            return b"", -EINVAL
        return packed, port

    # -- sending

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if self.port.error:
            return -self.port.take_error()
        remote = self.port.remote
        if address is not None:
            remote, error = self._own(address)
            if not remote:
                return error
        if not remote:
            return -EDESTADDRREQ
        if len(data) > _MOST:
            return -EMSGSIZE
        packet = self._packet(bytes(data), remote, now)
        if isinstance(packet, int):
            return packet
        too_long = packet_size(packet) > self.host.path_mtu(packet.destination, now) > 0
        if too_long and not self._may_be_cut(packet):
            return -EMSGSIZE
        error = self.host.send_raw(packet, now)
        return error if error < 0 else len(data)

    def _may_be_cut(self, packet: IpPacket) -> bool:
        return not self._header_included() and (len(packet.source) == 16 or not packet.dont_fragment)

    def _packet(self, data: bytes, remote: bytes, now: int) -> IpPacket | int:
        """The packet, with its payload parsed if it can be, so that every host and every probe sees what it is."""
        if self._header_included():
            return self._whole(data, remote, now)
        source = self.port.local or self.host.source_for(remote, now)
        if not source:
            return -ENETUNREACH
        payload = self._checksummed(data, source, remote)
        if payload is None:
            return -EINVAL
        self.ident = (self.ident + 1) & 0xFFFF
        bare = IpPacket(source, remote, self.protocol, payload, self._hops(), self._tos(), self.ident)
        if len(source) == 16:
            bare.ident = 0
        else:
            bare.options = recorded(self.ip_options, source, now, True)
            mode = self.values.get(_MTU_DISCOVER, PMTU_WANT)
            fits = packet_size(bare) <= self.host.path_mtu(remote, now)
            bare.dont_fragment = mode in (PMTU_DO, PMTU_PROBE) or (mode == PMTU_WANT and fits)
            if mode == PMTU_INTERFACE and not fits:
                return -EMSGSIZE
        return self._parsed(bare, packet_bytes(bare))

    def _parsed(self, bare: IpPacket, whole: bytes) -> IpPacket:
        try:
            return decode_packet(whole)
        except WireError:
            return bare  # wrong on purpose: it goes out as it is

    def _whole(self, data: bytes, remote: bytes, now: int) -> IpPacket | int:
        """IP_HDRINCL (raw(7)): the kernel fills in the length and the checksum, and what was left zero."""
        header_size = (data[0] & 15) * 4 if data else 0
        if len(data) < 20 or header_size < 20 or header_size > len(data):
            return -EINVAL
        header = bytearray(data[:header_size])
        header[2:4] = len(data).to_bytes(2, "big")
        if not any(header[4:6]):
            self.ident = (self.ident + 1) & 0xFFFF
            header[4:6] = self.ident.to_bytes(2, "big")
        if not any(header[12:16]):
            header[12:16] = self.host.source_for(remote, now) or bytes(4)
        header[10:12] = bytes(2)
        header[10:12] = checksum(ones_sum(bytes(header))).to_bytes(2, "big")
        whole = bytes(header) + data[header_size:]
        try:
            return decode_packet(whole)
        except WireError:
            pass
        if header[0] >> 4 != 4:
            return -EINVAL
        fragment = int.from_bytes(header[6:8], "big")
        return IpPacket(
            bytes(header[12:16]),
            bytes(header[16:20]),
            header[9],
            data[header_size:],
            header[8],
            header[1],
            int.from_bytes(header[4:6], "big"),
            fragment & 0x4000 != 0,
            fragment & 0x2000 != 0,
            (fragment & 0x1FFF) << 3,
            bytes(header[20:]),
        )

    def _checksummed(self, data: bytes, source: bytes, remote: bytes) -> bytes | None:
        """IPV6_CHECKSUM (RFC 3542 §3.1): the kernel writes it, for ICMPv6 always. None: the data does not reach so
        far."""
        at = 2 if self.protocol == IPPROTO_ICMPV6 and self.family != AF_INET else self.checksum_at
        if at < 0:
            return data
        if at + 2 > len(data):
            return None if self.checksum_at >= 0 else data
        blank = data[:at] + bytes(2) + data[at + 2 :]
        total = checksum(ones_sum(blank) + pseudo_header_sum(source, remote, self.protocol, len(data)))
        return data[:at] + (total or 0xFFFF).to_bytes(2, "big") + data[at + 2 :]

    def _header_included(self) -> bool:
        return self.family == AF_INET and (self.protocol == IPPROTO_RAW or self.values.get(_HDRINCL, 0) != 0)

    def _hops(self) -> int:
        ttl = self.values.get(_TTL if self.family == AF_INET else _HOPS, -1)
        return ttl if ttl > 0 else self.host.config.default_ttl_hops

    def _tos(self) -> int:
        return max(self.values.get(_TOS if self.family == AF_INET else _TCLASS, 0), 0) & 0xFF

    # -- receiving

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        packet = self.port.receive(flags & MSG_PEEK != 0)
        if isinstance(packet, int):
            return packet
        data = self._shown(packet)
        told = MSG_TRUNC if len(data) > size else 0
        message = Message(data[:size], show_address(self.family, packet.source, 0), told, len(data))
        if self.values:
            message.control = control_of(self, packet.destination, packet.ttl, packet.tos, self.port.came_over)
        return message

    def _shown(self, packet: IpPacket) -> bytes:
        """What a program sees of a packet."""
        data = packet_bytes(packet)
        return data if self.family == AF_INET else data[header_length(packet) :]

    def shutdown(self, how: int, now: int) -> int:
        return -ENOTCONN if 0 <= how <= SHUT_RDWR else -EINVAL

    def close(self, now: int) -> None:
        self.port.waker = None
        self.host.close_raw(self.port, now)

    def readiness(self) -> int:
        return self.port.readiness()

    def local_address(self) -> Address | int:
        return show_address(self.family, self.port.local, self.protocol)

    def peer_address(self) -> Address | int:
        return show_address(self.family, self.port.remote, 0) if self.port.remote else -ENOTCONN

    def ioctl(self, request: int) -> int:
        if request == SIOCOUTQ:
            return 0
        if request != FIONREAD:
            return super().ioctl(request)
        return len(self._shown(self.port.waiting[0][0])) if self.port.waiting else 0

    # -- options

    def set_option(self, level: int, option: int, value: int | bytes, now: int) -> int:
        if level == IPPROTO_IP and option == IP_OPTIONS and self.family == AF_INET:
            options = options_in(value)
            if options is None:
                return -EINVAL
            self.ip_options = options
            return 0
        if (level, option) == (SOL_RAW, ICMP_FILTER) and self._speaks(IPPROTO_ICMP):
            return self._set_filter(value, 4)
        if (level, option) == (IPPROTO_ICMPV6, ICMP6_FILTER) and self._speaks(IPPROTO_ICMPV6):
            return self._set_filter(value, 32)
        if (level, option) == (IPPROTO_IPV6, IPV6_CHECKSUM) and self.family != AF_INET and self.kind == SOCK_RAW:
            return self._set_checksum(value)
        return super().set_option(level, option, value, now)

    def option(self, level: int, option: int, size: int, now: int) -> bytes | int:
        if level == IPPROTO_IP and option == IP_OPTIONS and self.family == AF_INET:
            return self.ip_options[:size]
        if (level, option) == (SOL_RAW, ICMP_FILTER) and self._speaks(IPPROTO_ICMP):
            return self.port.blocked.to_bytes(4, "little")[:size]
        if (level, option) == (IPPROTO_ICMPV6, ICMP6_FILTER) and self._speaks(IPPROTO_ICMPV6):
            return self.port.blocked.to_bytes(32, "little")[:size]
        if (level, option) == (IPPROTO_IPV6, IPV6_CHECKSUM) and self.family != AF_INET and self.kind == SOCK_RAW:
            return (self.checksum_at & 0xFFFFFFFF).to_bytes(4, "little")[:size]
        return super().option(level, option, size, now)

    def _speaks(self, protocol: int) -> bool:
        return self.kind == SOCK_RAW and self.protocol == protocol

    def _set_filter(self, value: int | bytes, size: int) -> int:
        """`struct icmp_filter`, `struct icmp6_filter`: a bit for each type that is not to come."""
        if isinstance(value, int):
            value = (value & 0xFFFFFFFF).to_bytes(4, "little")
        self.port.blocked = int.from_bytes(value[:size], "little")
        return 0

    def _set_checksum(self, value: int | bytes) -> int:
        number = value if isinstance(value, int) else int.from_bytes(value[:4], "little", signed=True)
        if (number > 0 and number & 1) or self.protocol == IPPROTO_ICMPV6:
            return -EINVAL
        self.checksum_at = max(number, -1)
        return 0

    def apply(self, named: int, number: int, now: int) -> int:
        result = super().apply(named, number, now)
        self.port.rcvbuf = self.values.get(_RCVBUF, self.port.rcvbuf)
        return result

    def number(self, named: int, rule: Rule) -> int:
        return self._hops() if named in (_TTL, _HOPS) else super().number(named, rule)

    def path_mtu(self, now: int) -> int:
        return self.host.path_mtu(self.port.remote, now) if self.port.remote else 0

    def take_error(self) -> int:
        return self.port.take_error()


class PingSocket(RawSocket):
    """SOCK_DGRAM with IPPROTO_ICMP or IPPROTO_ICMPV6. Its "port" is the identifier of its echo requests."""

    __slots__ = ("bound", "ping")

    def __init__(self, host: Host, family: int, protocol: int) -> None:
        # Until it is bound, or sends, it hears nothing: a port of its own, which the host does not know.
        ping = PingPort(ICMP if family == AF_INET else ICMPV6, 4 if family == AF_INET else 6, 0)
        super().__init__(host, family, protocol, ping)
        self.ping: PingPort = ping
        self.bound: bool = False

    def bind(self, address: Address, now: int) -> int:
        if self.bound:
            return -EINVAL
        result = super().bind(address, now)
        return result if result < 0 else self._claim(address[1], now)

    def _claim(self, ident: int, now: int) -> int:
        port = self.host.open_ping(ident, self.ping.version, now)
        if isinstance(port, int):
            return port
        old = self.ping
        port.local, port.remote, port.rcvbuf, port.waker = old.local, old.remote, old.rcvbuf, self
        self.port = self.ping = port
        self.bound = True
        return 0

    def connect(self, address: Address | None, now: int) -> int:
        if not self.bound and address is not None and self._claim(0, now) < 0:
            return -EAGAIN
        return super().connect(address, now)

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        if not self.bound and self._claim(0, now) == -EADDRINUSE:
            return -EAGAIN
        return super().send(data, address, flags, now)

    def _packet(self, data: bytes, remote: bytes, now: int) -> IpPacket | int:
        version = self.ping.version
        if len(data) < 8 or data[0] != _ECHO[version] or data[1]:
            return -EINVAL
        source = self.port.local or self.host.source_for(remote, now)
        if not source:
            return -ENETUNREACH
        word = self.ping.ident << 16 | int.from_bytes(data[6:8], "big")
        message = IcmpMessage(version, data[0], 0, word, data[8:])
        self.ident = (self.ident + 1) & 0xFFFF
        packet = IpPacket(source, remote, self.ping.protocol, message, self._hops(), self._tos())
        if version == 4:
            packet.ident = self.ident
            packet.options = recorded(self.ip_options, source, now, True)
            packet.dont_fragment = packet_size(packet) <= self.host.path_mtu(remote, now)
        return packet

    def _shown(self, packet: IpPacket) -> bytes:
        return packet_bytes(packet)[header_length(packet) :]

    def _header_included(self) -> bool:
        return False

    def local_address(self) -> Address | int:
        return show_address(self.family, self.port.local, self.ping.ident)

    def close(self, now: int) -> None:
        if self.bound:
            super().close(now)
