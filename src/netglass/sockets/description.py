"""An open file description: what a descriptor stands for, shared by its duplicates (dup(2)).

`Description` holds what every kind of socket has: flags, options, watchers. `stream` (TCP), `datagram` (UDP) and `raw`
say what the calls do. Calls return as in Linux: a value, or a negative errno; none waits. A description is the waker of
its endpoint and passes each wake-up on to its watchers, which is where an epoll set will hang.
"""

from __future__ import annotations

from typing import Final

from netglass.build import mypyc_attr
from netglass.errnos import EINVAL, ENOPROTOOPT, ENOTCONN, ENOTTY, EOPNOTSUPP
from netglass.host.host import Host
from netglass.sockets.address import Address, show_address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    INT_MAX,
    IP_MTU,
    IP_MULTICAST_ALL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_MTU,
    O_NONBLOCK,
    O_RDWR,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from netglass.sockets.options import (
    DATAGRAM,
    RAW,
    RCVBUF_LEAST,
    RULES,
    SNDBUF_LEAST,
    STREAM,
    Rule,
    doubled,
    key,
    number_in,
    number_out,
    timeval_in,
    timeval_out,
)
from netglass.times import NEVER
from netglass.wire.checksum import Buffer
from netglass.world import POLLOUT, Waker

_ERROR: Final = key(SOL_SOCKET, SO_ERROR)
_TYPE: Final = key(SOL_SOCKET, SO_TYPE)
_DOMAIN: Final = key(SOL_SOCKET, SO_DOMAIN)
_PROTOCOL: Final = key(SOL_SOCKET, SO_PROTOCOL)
_ACCEPTCONN: Final = key(SOL_SOCKET, SO_ACCEPTCONN)
_MTU: Final = key(IPPROTO_IP, IP_MTU)
_MTU_6: Final = key(IPPROTO_IPV6, IPV6_MTU)
_RCVLOWAT: Final = key(SOL_SOCKET, SO_RCVLOWAT)
_SNDBUF: Final = key(SOL_SOCKET, SO_SNDBUF)
_RCVBUF: Final = key(SOL_SOCKET, SO_RCVBUF)
MULTICAST_ALL: Final = key(IPPROTO_IP, IP_MULTICAST_ALL)

Control = list[tuple[int, int, bytes]]
"""Ancillary data: (level, type, value), as recvmsg(2) returns it."""


class Message:
    """What one receive call gives. `size` is the datagram's true size, or what MSG_TRUNC discarded of a stream."""

    __slots__ = ("address", "control", "data", "flags", "size")

    def __init__(self, data: bytes, address: Address | None, flags: int = 0, size: int = -1) -> None:
        self.data: bytes = data
        self.address: Address | None = address
        self.flags: int = flags  # MSG_TRUNC, MSG_OOB ...
        self.size: int = size if size >= 0 else len(data)
        self.control: Control = []


@mypyc_attr(allow_interpreted_subclasses=True)
class Description(Waker):
    """One socket. What a kind does not do answers -EOPNOTSUPP."""

    def __init__(self, host: Host, family: int, kind: int, protocol: int) -> None:
        self.host: Host = host
        self.family: int = family
        self.kind: int = kind  # SOCK_STREAM, SOCK_DGRAM, SOCK_RAW
        self.protocol: int = protocol
        self.flags: int = O_RDWR  # fcntl F_GETFL
        self.references: int = 0  # descriptors that stand for it
        self.watchers: list[Waker] = []
        self.values: dict[int, int] = {}  # options that were set, by `options.key`
        self.receive_timeout: int = NEVER  # SO_RCVTIMEO, for whoever makes calls wait
        self.send_timeout: int = NEVER  # SO_SNDTIMEO

    # -- waiting

    def wake(self, events: int) -> None:
        """The host calls it after a packet, a timer or a call; `events` are bits that may have risen."""
        for watcher in tuple(self.watchers):
            watcher.wake(events)

    def readiness(self) -> int:
        """POLL* bits that are true now."""
        return POLLOUT

    def draining(self) -> bool:
        """True while a closed socket still has data or its FIN to deliver: SO_LINGER makes close(2) wait for that."""
        return False

    @property
    def blocking(self) -> bool:
        return not self.flags & O_NONBLOCK

    # -- the calls

    def bind(self, address: Address, now: int) -> int:
        return -EOPNOTSUPP

    def listen(self, backlog: int, now: int) -> int:
        return -EOPNOTSUPP

    def connect(self, address: Address | None, now: int) -> int:
        return -EOPNOTSUPP

    def accept(self, now: int) -> Description | int:
        return -EOPNOTSUPP

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        return -EOPNOTSUPP

    def send_chunks(self, chunks: list[Buffer], address: Address | None, flags: int, now: int) -> int:
        """Gather: for messages one datagram of all of them."""
        return self.send(b"".join(chunks), address, flags, now)

    def send_beside(self, data: bytes, address: Address | None, flags: int, control: Control, now: int) -> int:
        """As `send`, with ancillary data."""
        return -EOPNOTSUPP

    def receive(self, size: int, flags: int, now: int) -> bytes | int:
        message = self.receive_message(size, flags, now)
        return message if isinstance(message, int) else message.data

    def receive_chunks(self, size: int, now: int) -> list[Buffer] | int:
        data = self.receive(size, 0, now)
        if isinstance(data, int):
            return data
        return [data] if data else []

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        return -EOPNOTSUPP

    def shutdown(self, how: int, now: int) -> int:
        return -EOPNOTSUPP

    def close(self, now: int) -> None:
        """The last descriptor has gone."""

    def local_address(self) -> Address | int:
        return -EOPNOTSUPP

    def peer_address(self) -> Address | int:
        return -EOPNOTSUPP

    def remote_address(self) -> Address:
        """The peer as accept(2) tells it, even if it has gone already."""
        return show_address(self.family, b"", 0)

    def ioctl(self, request: int) -> int:
        """FIONREAD, SIOCOUTQ, SIOCATMARK: a number >= 0, or -ENOTTY."""
        return -ENOTTY

    # -- options

    def set_option(self, level: int, option: int, value: int | bytes, now: int) -> int:
        """setsockopt(2): 0 or a negative errno."""
        named = key(level, option)
        if level == SOL_SOCKET and option in (SO_RCVTIMEO, SO_SNDTIMEO):
            return self._set_timeout(option, value)
        rule = self.rule(level, named)
        if rule is None:
            return -ENOPROTOOPT
        number = number_in(level, value)
        if number is None:
            return -EINVAL
        refused = rule.refusal(self._kind_bit(), number)
        if refused < 0:
            return refused
        if rule.kept_only & self._kind_bit():
            self.host.counters.add("socket-option-without-effect")
        return self.apply(named, rule.fitted(number), now)

    def option(self, level: int, option: int, size: int, now: int) -> bytes | int:
        """getsockopt(2) into a buffer of `size` bytes: the bytes, or a negative errno."""
        named = key(level, option)
        if size < 0:
            return -EINVAL
        if level == SOL_SOCKET and option in (SO_RCVTIMEO, SO_SNDTIMEO):
            timeout = self.receive_timeout if option == SO_RCVTIMEO else self.send_timeout
            return timeval_out(timeout)[:size]
        if named == _MTU or (named == _MTU_6 and self.family == AF_INET6):
            mtu = self.path_mtu(now)
            return number_out(level, mtu, size) if mtu else -ENOTCONN
        rule = self.rule(level, named)
        if rule is None:
            # Linux ip_getsockopt says so of a level that is not its own; ipv6_getsockopt does not.
            foreign = self.family == AF_INET and level not in (SOL_SOCKET, IPPROTO_IP, self.protocol)
            return -EOPNOTSUPP if foreign else -ENOPROTOOPT
        return number_out(level, self.number(named, rule), size)

    def rule(self, level: int, named: int) -> Rule | None:
        """The rule of an option that this socket has."""
        if level == IPPROTO_IPV6 and self.family != AF_INET6:
            return None
        if level == IPPROTO_TCP and self.kind != SOCK_STREAM:
            return None
        return RULES.get(named)

    def apply(self, named: int, number: int, now: int) -> int:
        """Keeps `number`, which the rule has fitted, and does what the option means."""
        if named in (_SNDBUF, _RCVBUF):
            number = self._buffer_size(number, SNDBUF_LEAST if named == _SNDBUF else RCVBUF_LEAST)
        elif named == _RCVLOWAT:
            number = self._low_water(number)
        self.values[named] = number
        return 0

    def number(self, named: int, rule: Rule) -> int:
        """The option's value now."""
        if named == _ERROR:
            return self.take_error()
        if named == _TYPE:
            return self.kind
        if named == _DOMAIN:
            return self.family
        if named == _PROTOCOL:
            return self.protocol
        if named == _ACCEPTCONN:
            return 1 if self.listening() else 0
        if named == MULTICAST_ALL and self.family == AF_INET6:
            return self.values.get(named, 0)  # Linux sets it in IPv4's sockets only
        return self.values.get(named, rule.default)

    def flag(self, level: int, option: int) -> bool:
        return self.values.get(key(level, option), 0) != 0

    def path_mtu(self, now: int) -> int:
        """Of the path to the connected peer (IP_MTU); 0 if there is none."""
        return 0

    def take_error(self) -> int:
        """SO_ERROR: the pending errno, once."""
        return 0

    def listening(self) -> bool:
        return False

    def lingering(self) -> int:
        """How long close(2) waits for `draining` to end, in nanoseconds; 0: not at all."""
        return 0

    def _set_timeout(self, option: int, value: int | bytes) -> int:
        timeout = -EINVAL if isinstance(value, int) else timeval_in(value)
        if timeout < 0:
            return timeout
        if option == SO_RCVTIMEO:
            self.receive_timeout = timeout
        else:
            self.send_timeout = timeout
        return 0

    def _buffer_size(self, number: int, least: int) -> int:
        size = doubled(number, least)
        if size != 2 * number:
            self.host.counters.add("socket-buffer-clamped")
        return size

    def _low_water(self, number: int) -> int:
        # Linux: a negative low-water mark is the highest, zero means one.
        return INT_MAX if number < 0 else number or 1

    def _kind_bit(self) -> int:
        if self.kind == SOCK_STREAM:
            return STREAM
        return DATAGRAM if self.kind == SOCK_DGRAM else RAW
