"""A UDP socket. Its port begins with bind, or by itself with the first connect or send, as in Linux."""

from __future__ import annotations

from typing import Final

from netglass.errnos import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENODEV,
    ENOTCONN,
    EOPNOTSUPP,
)
from netglass.host.host import Host
from netglass.sockets.address import Address, local_of, pack_address, show_address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    FIONREAD,
    IP_MTU_DISCOVER,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_OPTIONS,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_DONTFRAG,
    IPV6_MTU_DISCOVER,
    IPV6_MULTICAST_ALL,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_IF,
    IPV6_MULTICAST_LOOP,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SIOCOUTQ,
    SO_BROADCAST,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_DGRAM,
    SOL_SOCKET,
)
from netglass.sockets.control import Header, control_of
from netglass.sockets.description import MULTICAST_ALL, Control, Description, Message
from netglass.sockets.group_options import action_of, change_membership
from netglass.sockets.options import Rule, key, options_in
from netglass.udp.port import UdpPort
from netglass.wire.checksum import Buffer
from netglass.world import POLLHUP, POLLIN, POLLOUT, POLLRDHUP

_V6ONLY: Final = key(IPPROTO_IPV6, IPV6_V6ONLY)
_BROADCAST: Final = key(SOL_SOCKET, SO_BROADCAST)
_RCVBUF: Final = key(SOL_SOCKET, SO_RCVBUF)
_TTL: Final = key(IPPROTO_IP, IP_TTL)
_TOS: Final = key(IPPROTO_IP, IP_TOS)
_HOPS: Final = key(IPPROTO_IPV6, IPV6_UNICAST_HOPS)
_TCLASS: Final = key(IPPROTO_IPV6, IPV6_TCLASS)
_MTU_DISCOVER: Final = key(IPPROTO_IP, IP_MTU_DISCOVER)
_MTU_DISCOVER_6: Final = key(IPPROTO_IPV6, IPV6_MTU_DISCOVER)
_DONTFRAG_6: Final = key(IPPROTO_IPV6, IPV6_DONTFRAG)
_MULTICAST_TTL: Final = key(IPPROTO_IP, IP_MULTICAST_TTL)
_MULTICAST_LOOP: Final = key(IPPROTO_IP, IP_MULTICAST_LOOP)
_MULTICAST_HOPS: Final = key(IPPROTO_IPV6, IPV6_MULTICAST_HOPS)
_MULTICAST_LOOP_6: Final = key(IPPROTO_IPV6, IPV6_MULTICAST_LOOP)
_MULTICAST_ALL_6: Final = key(IPPROTO_IPV6, IPV6_MULTICAST_ALL)


class DatagramSocket(Description):
    """SOCK_DGRAM."""

    __slots__ = ("corked", "corked_for", "locked_local", "locked_port", "port", "shut")

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host, family, SOCK_DGRAM, IPPROTO_UDP)
        self.port: UdpPort | None = None
        self.locked_local: bytes = bytes(4) if family == AF_INET else b""  # what bind asked for
        self.locked_port: int = 0
        self.shut: int = 0  # POLL* bits that shutdown left before there was a port
        self.corked: list[Buffer] = []  # MSG_MORE: pieces of one datagram
        self.corked_for: Address | None = None

    # -- opening

    def bind(self, address: Address, now: int) -> int:
        if self.port is not None:
            return -EINVAL
        packed, port = pack_address(self.family, address)
        if not packed:
            return port
        if len(packed) == 4 and self._only6():
            return -EINVAL
        local = local_of(packed, self._dual())
        made = self._open(local, port, now)
        if isinstance(made, int):
            return made
        self.locked_local = local
        self.locked_port = port
        return 0

    def connect(self, address: Address | None, now: int) -> int:
        """0 at once: UDP connects nothing but the socket. None dissolves it."""
        if address is None:
            self._dissolve(now)
            return 0
        port = self._bound(now)
        if isinstance(port, int):
            return port
        packed, remote_port = pack_address(self.family, address)
        if not packed:
            return remote_port
        if len(packed) == 4 and self._only6():
            return -ENETUNREACH
        return self.host.connect_udp(port, packed, remote_port, now)

    def _dissolve(self, now: int) -> None:
        """Linux __udp_disconnect: a port that bind did not ask for by number is given back."""
        port = self.port
        if port is None:
            return
        self.host.disconnect_udp(port, now)
        if not self.locked_port:
            self._give_back(port, now)

    def _give_back(self, port: UdpPort, now: int) -> None:
        port.waker = None
        self.port = None
        self.host.close_udp(port, now)

    def _bound(self, now: int) -> UdpPort | int:
        """The port, which Linux picks if nobody has bound the socket."""
        if self.port is not None:
            return self.port
        local = self.locked_local
        port = self._open(local if local or self._dual() else bytes(16), 0, now)
        return -EAGAIN if port == -EADDRINUSE else port

    def _open(self, local: bytes, number: int, now: int) -> UdpPort | int:
        reuse_address = self.flag(SOL_SOCKET, SO_REUSEADDR)
        port = self.host.bind_udp(local, number, reuse_address, now, reuse_port=self.flag(SOL_SOCKET, SO_REUSEPORT))
        if isinstance(port, int):
            return port
        port.waker = self
        port.read_closed = self.shut & POLLRDHUP != 0
        port.write_closed = self.shut & POLLHUP != 0
        self.port = port
        port.multicast_all_4 = self.family != AF_INET6
        for named, number in self.values.items():
            _configure(port, named, number)
        return port

    def _only6(self) -> bool:
        return self.family == AF_INET6 and self.values.get(_V6ONLY, 0) != 0

    def _dual(self) -> bool:
        return self.family == AF_INET6 and self.values.get(_V6ONLY, 0) == 0

    # -- moving data

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if flags & MSG_MORE or self.corked:
            return self._send_corked(data, address, flags, now)
        return self._send_whole(data if isinstance(data, bytes) else bytes(data), address, now)

    def send_beside(self, data: bytes, address: Address | None, flags: int, control: Control, now: int) -> int:
        """A datagram whose TTL, type of service, source or interface `control` tells; -EINVAL, -ENODEV."""
        header = Header()
        result = header.take(control, self.family)
        port = self._bound(now) if result >= 0 else result
        if isinstance(port, int):
            return port
        before = port.ttl_hops, port.multicast_ttl_hops, port.tos, port.local, port.multicast_interface
        result = self._say(port, header)
        if result >= 0:
            result = self.send(data, address, flags, now)
        port.ttl_hops, port.multicast_ttl_hops, port.tos, port.local, port.multicast_interface = before
        return result

    def _say(self, port: UdpPort, header: Header) -> int:
        if header.ttl_hops >= 0:
            port.ttl_hops = port.multicast_ttl_hops = header.ttl_hops
        if header.tos >= 0:
            port.tos = header.tos
        interfaces = [each for each in self.host.interfaces.values() if header.index in (0, each.index)]
        if not interfaces:
            return -ENODEV
        if header.index:
            port.multicast_interface = interfaces[0].name
        if not header.source:
            return 0
        port.local = local_of(header.source, self._dual())
        return 0 if self.host.is_local(port.local) else -EINVAL

    def _send_whole(self, data: bytes, address: Address | None, now: int) -> int:
        port = self._bound(now)
        if isinstance(port, int):
            return port
        if address is None:
            return self.host.send_udp(port, data, b"", 0, now)
        packed, remote_port = pack_address(self.family, address)
        if not packed:
            return remote_port
        if len(packed) == 4 and self._only6():
            return -ENETUNREACH
        return self.host.send_udp(port, data, packed, remote_port, now)

    def _send_corked(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        """MSG_MORE gathers one datagram; the first piece says whereto, the first without the flag sends it."""
        if not self.corked:
            self.corked_for = address
        if sum(map(len, self.corked)) + len(data) > 65507:
            self.corked.clear()
            return -EMSGSIZE
        self.corked.append(data)
        if flags & MSG_MORE:
            return len(data)
        whole = b"".join(self.corked)
        self.corked.clear()
        sent = self._send_whole(whole, self.corked_for, now)
        return sent if sent < 0 else len(data)

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        """One datagram; what does not fit into `size` is lost, and MSG_TRUNC told."""
        port = self.port
        if port is None or flags & MSG_ERRQUEUE:
            return self._nothing(self.shut & POLLRDHUP != 0, flags)
        datagram = port.receive(flags & MSG_PEEK != 0)
        if isinstance(datagram, int):
            return self._nothing(port.read_closed, flags) if datagram == -EAGAIN else datagram
        data = datagram.payload
        told = MSG_TRUNC if len(data) > size else 0
        sender = show_address(self.family, datagram.source, datagram.source_port)
        message = Message(data[:size] if told else data, sender, told, len(data))
        if self.values:
            message.control = control_of(self, datagram.destination, datagram.ttl, datagram.tos, datagram.interface)
        return message

    def _nothing(self, ended: bool, flags: int) -> Message | int:
        # After shutdown(SHUT_RD) Linux ends the sleep of a blocking call with nothing; one that does not wait: EAGAIN.
        waits = self.blocking and not flags & MSG_DONTWAIT
        return Message(b"", None) if ended and waits else -EAGAIN

    # -- closing

    def shutdown(self, how: int, now: int) -> int:
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            return -EINVAL
        read = how != SHUT_WR
        write = how != SHUT_RD
        # The flags are set even where the answer is that there is nothing to shut down (Linux inet_shutdown).
        self.shut |= (POLLIN | POLLRDHUP if read else 0) | (POLLHUP if write else 0)
        port = self.port
        if port is None:
            return -ENOTCONN
        port.read_closed = port.read_closed or read
        port.write_closed = port.write_closed or write
        self.wake(self.readiness())
        return 0 if port.remote else -ENOTCONN

    def close(self, now: int) -> None:
        if self.port is not None:
            self._give_back(self.port, now)

    # -- asking

    def readiness(self) -> int:
        if self.port is not None:
            return self.port.readiness()
        mask = POLLOUT | self.shut & (POLLIN | POLLRDHUP)
        both = self.shut & POLLRDHUP and self.shut & POLLHUP
        return mask | POLLHUP if both else mask

    def local_address(self) -> Address | int:
        port = self.port
        if port is None:
            return show_address(self.family, self.locked_local, 0)
        return show_address(self.family, port.local, port.local_port)

    def peer_address(self) -> Address | int:
        port = self.port
        if port is None or not port.remote:
            return -ENOTCONN
        return show_address(self.family, port.remote, port.remote_port)

    def ioctl(self, request: int) -> int:
        """FIONREAD is the size of the next datagram."""
        if request == SIOCOUTQ:
            return 0
        if request != FIONREAD:
            return super().ioctl(request)
        port = self.port
        return len(port.waiting[0].payload) if port is not None and port.waiting else 0

    def path_mtu(self, now: int) -> int:
        port = self.port
        return self.host.path_mtu(port.remote, now) if port is not None and port.remote else 0

    def take_error(self) -> int:
        return self.port.take_error() if self.port is not None else 0

    # -- options

    def set_option(self, level: int, option: int, value: int | bytes, now: int) -> int:
        action = action_of(level, option, self.family)
        if action:
            port = self._bound(now)
            if isinstance(port, int):
                return port
            return change_membership(self.host, port, level, option, action, value, now)
        if level == IPPROTO_IP and option == IP_OPTIONS:
            return self._set_ip_options(value, now)
        if level == IPPROTO_IP and option == IP_MULTICAST_IF:
            return self._multicast_interface(value, now)
        if level == IPPROTO_IPV6 and option == IPV6_MULTICAST_IF and self.family == AF_INET6:
            return self._multicast_interface_6(value, now)
        return super().set_option(level, option, value, now)

    def apply(self, named: int, number: int, now: int) -> int:
        if named == _V6ONLY and self.port is not None:
            return -EINVAL
        if named == _TTL and number == 0:
            return -EINVAL
        result = super().apply(named, number, now)
        if self.port is not None:
            _configure(self.port, named, self.values[named])
        return result

    def number(self, named: int, rule: Rule) -> int:
        number = super().number(named, rule)
        default = self.host.config.default_ttl_hops
        if named in (_TTL, _HOPS):
            return number if number > 0 or (named == _HOPS and named in self.values and number == 0) else default
        if named in (_TOS, _TCLASS):
            return max(number, 0) & 0xFF if named == _TCLASS else number & 0xFF
        if named in (_MULTICAST_TTL, _MULTICAST_HOPS):
            return 1 if number < 0 else number
        return number

    def option(self, level: int, option: int, size: int, now: int) -> bytes | int:
        if level == IPPROTO_IP and option == IP_OPTIONS and size >= 0:
            return self.port.ip_options[:size] if self.port is not None else b""
        return super().option(level, option, size, now)

    def _set_ip_options(self, value: int | bytes, now: int) -> int:
        """What goes with every IPv4 datagram, in RFC 791's form."""
        options = options_in(value)
        if options is None:
            return -EINVAL
        port = self._bound(now)
        if isinstance(port, int):
            return port
        port.ip_options = options
        return 0

    def _multicast_interface(self, value: int | bytes, now: int) -> int:
        """IP_MULTICAST_IF: a local address (`struct in_addr`, or the second word of ip_mreqn, whose third is the
        interface's index), 0.0.0.0 for any."""
        if isinstance(value, int) or len(value) < 4:
            return -EINVAL
        address = value[4:8] if len(value) >= 8 else value[:4]
        index = int.from_bytes(value[8:12], "little") if len(value) >= 12 else 0
        return self._choose_interface(index, b"" if index or not any(address) else address, now)

    def _multicast_interface_6(self, value: int | bytes, now: int) -> int:
        """IPV6_MULTICAST_IF: the interface's index, 0 for any. -ENODEV."""
        if isinstance(value, bytes) and len(value) < 4:
            return -EINVAL
        index = value if isinstance(value, int) else int.from_bytes(value[:4], "little")
        result = self._choose_interface(index, b"", now)
        return -ENODEV if result == -EADDRNOTAVAIL else result

    def _choose_interface(self, index: int, address: bytes, now: int) -> int:
        port = self._bound(now)
        if isinstance(port, int):
            return port
        if not index and not address:
            port.multicast_interface = ""
            return 0
        for interface in self.host.interfaces.values():
            if interface.index == index or interface.holds(address):
                port.multicast_interface = interface.name
                return 0
        return -EADDRNOTAVAIL


def _configure(port: UdpPort, named: int, number: int) -> None:
    """What an option does to the port."""
    if named == _RCVBUF:
        port.rcvbuf = number
    elif named == _BROADCAST:
        port.broadcast = number != 0
    elif named in (_TTL, _HOPS) and number >= 0:
        port.ttl_hops = number
    elif named in (_TOS, _TCLASS):
        port.tos = max(number, 0) & 0xFF
    elif named in (_MULTICAST_TTL, _MULTICAST_HOPS):
        port.multicast_ttl_hops = 1 if number < 0 else number
    elif named in (_MULTICAST_LOOP, _MULTICAST_LOOP_6):
        port.multicast_loop = number != 0
    elif named == _MTU_DISCOVER:
        port.mtu_discover = number
    elif named == _MTU_DISCOVER_6:
        port.mtu_discover_6 = number
    elif named == _DONTFRAG_6:
        port.dont_fragment_6 = number != 0
    elif named == MULTICAST_ALL:
        port.multicast_all_4 = number != 0
    elif named == _MULTICAST_ALL_6:
        port.multicast_all_6 = number != 0
