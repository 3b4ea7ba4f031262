"""A raw socket: packets of one protocol; received with the IPv4 header (raw(7)), without the IPv6 one (ipv6(7))."""

from __future__ import annotations

from typing import Final

from netglass.errnos import (
    EADDRNOTAVAIL,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENOTCONN,
    EOPNOTSUPP,
)
from netglass.errors import WireError
from netglass.host.host import Host
from netglass.ip.raw import RawPort
from netglass.sockets.address import Address, pack_address, show_address
from netglass.sockets.constants import (
    AF_INET,
    FIONREAD,
    IP_HDRINCL,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_RAW,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RDWR,
    SIOCOUTQ,
    SO_RCVBUF,
    SOCK_RAW,
    SOL_SOCKET,
)
from netglass.sockets.description import Description, Message
from netglass.sockets.options import Rule, key
from netglass.wire.address import is_unspecified
from netglass.wire.checksum import Buffer
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes, packet_size

_RCVBUF: Final = key(SOL_SOCKET, SO_RCVBUF)
_HDRINCL: Final = key(IPPROTO_IP, IP_HDRINCL)
_TTL: Final = key(IPPROTO_IP, IP_TTL)
_HOPS: Final = key(IPPROTO_IPV6, IPV6_UNICAST_HOPS)
_TOS: Final = key(IPPROTO_IP, IP_TOS)
_TCLASS: Final = key(IPPROTO_IPV6, IPV6_TCLASS)
_IPV6_HEADER: Final = 40
_MOST: Final = 65535 - 20


class RawSocket(Description):
    """SOCK_RAW. Privileges are not asked for: the host is the program's own."""

    __slots__ = ("ident", "port")

    def __init__(self, host: Host, family: int, protocol: int) -> None:
        super().__init__(host, family, SOCK_RAW, protocol)
        self.port: RawPort = host.open_raw(protocol, 4 if family == AF_INET else 6, 0)
        self.port.waker = self
        self.ident: int = 0  # IPv4 identification of what we send

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

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        remote = self.port.remote
        if address is not None:
            remote, error = self._own(address)
            if not remote:
                return error
        if not remote:
            return -EDESTADDRREQ
        if len(data) > _MOST:
            return -EMSGSIZE
        packet = self._packet(data, remote, now)
        if isinstance(packet, int):
            return packet
        if packet_size(packet) > self.host.path_mtu(packet.destination, now) > 0:
            return -EMSGSIZE
        error = self.host.send_raw(packet, now)
        return error if error < 0 else len(data)

    def _packet(self, data: Buffer, remote: bytes, now: int) -> IpPacket | int:
        """The packet, with its payload parsed, so that every host and every probe sees what it is."""
        whole = bytes(data)
        if not self._header_included():
            source = self.port.local or self.host.source_for(remote, now)
            if not source:
                return -ENETUNREACH
            self.ident = (self.ident + 1) & 0xFFFF
            ttl = self._hops()
            bare = IpPacket(source, remote, self.protocol, whole, ttl, self._tos(), self.ident)
            whole = packet_bytes(bare)
        try:
            packet = decode_packet(whole, False)
        except WireError:
            return -EINVAL
        if is_unspecified(packet.source):
            packet.source = self.host.source_for(remote, now)
        return packet

    def _header_included(self) -> bool:
        return self.family == AF_INET and (self.protocol == IPPROTO_RAW or self.values.get(_HDRINCL, 0) != 0)

    def _hops(self) -> int:
        ttl = self.values.get(_TTL if self.family == AF_INET else _HOPS, -1)
        return ttl if ttl > 0 else self.host.config.default_ttl_hops

    def _tos(self) -> int:
        return max(self.values.get(_TOS if self.family == AF_INET else _TCLASS, 0), 0) & 0xFF

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        packet = self.port.receive(flags & MSG_PEEK != 0)
        if isinstance(packet, int):
            return packet
        data = packet_bytes(packet)
        if self.family != AF_INET:
            data = data[_IPV6_HEADER:]
        told = MSG_TRUNC if len(data) > size else 0
        return Message(data[:size], show_address(self.family, packet.source, 0), told, len(data))

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
        return packet_size(self.port.waiting[0]) if self.port.waiting else 0

    def apply(self, named: int, number: int, now: int) -> int:
        result = super().apply(named, number, now)
        self.port.rcvbuf = self.values.get(_RCVBUF, self.port.rcvbuf)
        return result

    def number(self, named: int, rule: Rule) -> int:
        return self._hops() if named in (_TTL, _HOPS) else super().number(named, rule)
