"""A TCP socket. It begins as nothing, is perhaps bound, and becomes a listener or one end of a connection.

Linux keeps two states, and so do we: TCP's own (in the connection), and the socket's `phase`. A connect that does not
wait leaves the phase at CONNECTING; the next connect that finds the handshake over moves it to CONNECTED and answers 0,
and only then the answer is -EISCONN.
"""

from __future__ import annotations

from struct import pack
from typing import Final

from netglass.errnos import (
    EAGAIN,
    EALREADY,
    ECONNABORTED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EOPNOTSUPP,
    EPIPE,
)
from netglass.host.host import Host
from netglass.sockets.address import Address, local_of, loopback_for, pack_address, show_address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    MSG_ERRQUEUE,
    MSG_FASTOPEN,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SIOCATMARK,
    SO_LINGER,
    SO_RCVLOWAT,
    SO_REUSEPORT,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_CM_INQ,
    TCP_CONGESTION,
    TCP_INFO,
    TCP_INQ,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
)
from netglass.sockets.description import Description, Message
from netglass.sockets.options import Rule, key
from netglass.sockets.stream_options import (
    UNCHANGED,
    congestion_control_bytes,
    linger_bytes,
    read,
    refusal,
    set_congestion_control,
    set_linger,
    store,
)
from netglass.sockets.stream_queues import QUESTIONS, above_low_water, answer, unsent
from netglass.sockets.tcp_info import TCP_CLOSE, blank_info, connection_info, listener_info, pack_info
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.state import CLOSED, CLOSING, FIN_WAIT_1, LAST_ACK, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from netglass.wire.address import is_broadcast, is_multicast
from netglass.wire.checksum import Buffer
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP

UNCONNECTED: Final = 0
CONNECTING: Final = 1
CONNECTED: Final = 2

_V6ONLY: Final = key(IPPROTO_IPV6, IPV6_V6ONLY)
_RCVLOWAT: Final = key(SOL_SOCKET, SO_RCVLOWAT)
_NODELAY: Final = key(IPPROTO_TCP, TCP_NODELAY)
_NOTSENT_LOWAT: Final = key(IPPROTO_TCP, TCP_NOTSENT_LOWAT)


class StreamSocket(Description):
    """SOCK_STREAM."""

    __slots__ = (
        "connection",
        "error",
        "listener",
        "local",
        "locked_local",
        "locked_port",
        "phase",
        "port",
        "settings",
        "shut",
    )

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host, family, SOCK_STREAM, IPPROTO_TCP)
        self.settings: TcpSettings = TcpSettings()  # the connection's or listener's own, once there is one
        self.settings.ttl = host.config.default_ttl_hops
        self.local: bytes = b""  # what bind claimed, in the host's terms; later the connection's
        self.port: int = 0  # 0: not bound
        self.locked_local: bytes = b""  # what bind asked for: it outlives a connection that is dissolved
        self.locked_port: int = 0
        self.phase: int = UNCONNECTED
        self.shut: int = 0  # POLL* bits that shutdown left on a socket without a connection
        self.error: int = 0  # pending errno, when there is no connection to hold it
        self.listener: Listener | None = None
        self.connection: Connection | None = None

    # -- opening

    def bind(self, address: Address, now: int) -> int:
        if self.port or self.connection is not None:
            return -EINVAL
        packed, port = pack_address(self.family, address)
        if not packed:
            return port
        if len(packed) == 4 and self.family == AF_INET6 and self._v6only():
            return -EINVAL
        claimed = self._claim(local_of(packed, self._dual()), port, now)
        if claimed == 0:
            # Linux SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK: a port that the kernel picked is not kept.
            self.locked_local = self.local
            self.locked_port = port
        return claimed

    def listen(self, backlog: int, now: int) -> int:
        if self.phase != UNCONNECTED:
            return -EINVAL
        most = self.host.config.tcp.somaxconn
        if not 0 <= backlog <= most:
            backlog = most  # as an unsigned number, -1 is the largest (Linux __sys_listen)
        if self.listener is not None:
            self.listener.backlog = backlog
            return 0
        if not self.port:
            claimed = self._claim(self.local or self._anywhere(), 0, now)
            if claimed < 0:
                return claimed
        reuse_port = self.flag(SOL_SOCKET, SO_REUSEPORT)
        listener = self.host.listen_tcp(
            self.local, self.port, backlog, self.settings, now, bound=True, reuse_port=reuse_port
        )
        if isinstance(listener, int):
            return listener
        listener.waker = self
        self.listener = listener
        self.shut = 0
        return 0

    def accept(self, now: int) -> Description | int:
        if self.listener is None:
            return -EINVAL
        connection = self.listener.accept(now)
        if connection is None:
            return -EAGAIN
        accepted = StreamSocket(self.host, self.family)
        accepted.values.update(self.values)
        accepted.receive_timeout = self.receive_timeout
        accepted.send_timeout = self.send_timeout
        accepted._take(connection)
        accepted.phase = CONNECTED
        self.host.touch(self.listener, now)
        return accepted

    def connect(self, address: Address | None, now: int) -> int:
        """0, or -EINPROGRESS while the handshake runs; None dissolves the association (AF_UNSPEC in connect(2))."""
        if address is None:
            self._disconnect(now)
            return 0
        if self.phase == CONNECTED or self.listener is not None:
            return -EISCONN
        if self.phase == CONNECTING:
            return self._connected(now)
        packed, port = pack_address(self.family, address)
        if not packed:
            return port
        if len(packed) == 4 and self.family == AF_INET6 and self._v6only():
            return -ENETUNREACH
        return self._connect_to(loopback_for(packed), port, now)

    def _connect_to(self, remote: bytes, port: int, now: int) -> int:
        if is_multicast(remote) or is_broadcast(remote):
            return -ENETUNREACH
        local = self.local
        if local and len(local) != len(remote):
            return -ENETUNREACH
        connection = self.host.connect_tcp(local, self.port, remote, port, self.settings, now, bound=self.port != 0)
        if isinstance(connection, int):
            return connection
        self._take(connection)
        self.phase = CONNECTING
        self.shut = 0
        self.error = 0
        return -EINPROGRESS

    def _connected(self, now: int) -> int:
        """connect(2) again: how far is it?"""
        assert self.connection is not None
        state = self.connection.tcb.state
        if state is SYN_SENT or state is SYN_RECEIVED:
            return -EALREADY
        if state is CLOSED:
            error = self.take_error() or ECONNABORTED
            self._disconnect(now)
            self.error = 0
            return -error
        self.phase = CONNECTED
        return 0

    def _take(self, connection: Connection) -> None:
        self.connection = connection
        self.settings = connection.tcb.settings
        self.local = connection.tcb.local
        self.port = connection.tcb.local_port
        connection.waker = self

    def _disconnect(self, now: int) -> None:
        """Back to a socket that is only bound, or to nothing (Linux tcp_disconnect)."""
        self.phase = UNCONNECTED
        self.shut = 0
        self._stop_listening(now)
        connection = self.connection
        if connection is None:
            return
        state = connection.tcb.state
        if state is not CLOSED and state is not TIME_WAIT:
            self.error = ECONNRESET
        connection.abort(now)
        connection.waker = None
        self.host.settle(connection, now)
        self.connection = None
        self.settings = self.settings.copy()
        self._claim_again(now)

    def _claim(self, local: bytes, port: int, now: int) -> int:
        claimed = self.host.bind_tcp(
            local, port, self.settings.reuse_address, now, reuse_port=self.flag(SOL_SOCKET, SO_REUSEPORT)
        )
        if claimed < 0:
            return claimed
        self.local = local
        self.port = claimed
        return 0

    def _claim_again(self, now: int) -> None:
        """A listener or connection has given its port back: what bind said holds on, unless others took it."""
        self.local = self.locked_local
        self.port = 0
        if self.locked_port:
            self._claim(self.locked_local, self.locked_port, now)

    def _v6only(self) -> bool:
        return self.values.get(_V6ONLY, 0) != 0

    def _dual(self) -> bool:
        return self.family == AF_INET6 and not self._v6only()

    def _anywhere(self) -> bytes:
        return bytes(4) if self.family == AF_INET else local_of(bytes(16), self._dual())

    # -- moving data

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        """Bytes taken. An address is not looked at: the stream goes where it goes."""
        connection = self.connection
        if connection is None:
            return -(self.take_error() or EPIPE)
        if flags:
            return self._send_with(connection, data, flags, now)
        if self._held_back(connection):
            return -EAGAIN
        taken = connection.send(data, now)
        if taken > 0:
            self.host.touch(connection, now)
        return taken

    def _send_with(self, connection: Connection, data: Buffer, flags: int, now: int) -> int:
        if flags & MSG_FASTOPEN:
            return -EOPNOTSUPP
        if self._held_back(connection):
            return -EAGAIN
        settings = self.settings
        cork = settings.cork
        settings.cork = cork or flags & MSG_MORE != 0
        taken = connection.send(data, now, flags & MSG_OOB != 0)
        self.host.touch(connection, now)
        settings.cork = cork
        return taken

    def send_chunks(self, chunks: list[Buffer], address: Address | None, flags: int, now: int) -> int:
        """Gather: one write of all the chunks, corked until the last."""
        chunks = [chunk for chunk in chunks if len(chunk)]
        if not chunks:
            return self.send(b"", address, flags, now)
        taken = 0
        last = len(chunks) - 1
        for number, chunk in enumerate(chunks):
            count = self.send(chunk, address, flags if number == last else flags | MSG_MORE, now)
            if count < 0:
                return taken or count
            taken += count
            if count < len(chunk):
                return taken
        return taken

    def _held_back(self, connection: Connection) -> bool:
        """TCP_NOTSENT_LOWAT: the application must not queue more than this ahead of what was sent."""
        limit = self._most_unsent()
        return limit > 0 and unsent(connection) >= limit

    def _most_unsent(self) -> int:
        return self.values.get(_NOTSENT_LOWAT, 0) & 0xFFFFFFFF

    def receive(self, size: int, flags: int, now: int) -> bytes | int:
        connection = self.connection
        if flags or connection is None:
            message = self.receive_message(size, flags, now)
            return message if isinstance(message, int) else message.data
        data = connection.receive(size, now)
        if connection.tcb.due:  # a window update
            self.host.touch(connection, now)
        return data

    def receive_chunks(self, size: int, now: int) -> list[Buffer] | int:
        connection = self.connection
        if connection is None:
            return super().receive_chunks(size, now)
        chunks = connection.receive_chunks(size, now)
        if connection.tcb.due:
            self.host.touch(connection, now)
        return chunks

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        connection = self.connection
        if connection is None:
            if flags & MSG_OOB:
                return -EINVAL
            return -(self.take_error() or ENOTCONN)
        if flags & MSG_ERRQUEUE:
            return -EAGAIN  # nothing is ever in it
        peek = flags & MSG_PEEK != 0
        if flags & MSG_OOB:
            return _urgent(connection.receive_urgent(now, peek))
        data = connection.receive(size, now, peek)
        if isinstance(data, int):
            return data
        if connection.tcb.due:
            self.host.touch(connection, now)
        if flags & MSG_TRUNC:
            # tcp(7): the bytes are thrown away and only counted; a caller of recv sees as many zeros.
            data = bytes(len(data))
        message = Message(data, None)
        if self.flag(IPPROTO_TCP, TCP_INQ):
            message.control.append((IPPROTO_TCP, TCP_CM_INQ, pack("<i", connection.tcb.received.readable)))
        return message

    # -- closing

    def shutdown(self, how: int, now: int) -> int:
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            return -EINVAL
        read = how != SHUT_WR
        write = how != SHUT_RD
        if self.listener is not None:
            if read:
                self._stop_listening(now)
            return 0
        connection = self.connection
        if connection is None:
            self.shut |= (POLLIN | POLLRDHUP if read else 0) | (POLLOUT if write else 0)
            return -ENOTCONN
        if connection.tcb.state is SYN_SENT:
            self._disconnect(now)
            self.wake(self.readiness())
            return 0
        if connection.tcb.state is TIME_WAIT:
            return -ENOTCONN  # in Linux the socket has let go of the connection by then
        result = connection.shutdown(read, write, now)
        self.host.touch(connection, now)
        return result

    def _stop_listening(self, now: int) -> None:
        """shutdown(SHUT_RD) of a listener, or disconnecting it: no new connections, the port stays bound."""
        listener = self.listener
        if listener is None:
            return
        self._close_listener(listener, now)
        self._claim_again(now)
        self.wake(self.readiness())

    def _close_listener(self, listener: Listener, now: int) -> None:
        listener.waker = None
        self.listener = None
        self.host.close_listener(listener, now)

    def close(self, now: int) -> None:
        if self.listener is not None:
            self._close_listener(self.listener, now)
            return
        connection = self.connection
        if connection is not None:
            connection.close(now)
            if not self.watchers and self.settings.linger <= 0:
                connection.waker = None  # nobody waits for what is left: both may go
            self.host.touch(connection, now)
        elif self.port:
            self.host.release_tcp(self.local, self.port)

    def lingering(self) -> int:
        return max(self.settings.linger, 0) if self.connection is not None else 0

    def draining(self) -> bool:
        connection = self.connection
        if connection is None:
            return False
        state = connection.tcb.state
        return state is FIN_WAIT_1 or state is CLOSING or state is LAST_ACK

    # -- asking

    def readiness(self) -> int:
        connection = self.connection
        if connection is not None:
            return self._stream_readiness(connection)
        if self.listener is not None:
            return self.listener.readiness()
        return POLLOUT | POLLHUP | self.shut | (POLLERR if self.error else 0)

    def _stream_readiness(self, connection: Connection) -> int:
        mask = connection.readiness()
        if not self.values:
            return mask
        return above_low_water(connection, mask, self.values.get(_RCVLOWAT, 1), self._most_unsent())

    def listening(self) -> bool:
        return self.listener is not None

    def local_address(self) -> Address | int:
        return show_address(self.family, self.local, self.port)

    def peer_address(self) -> Address | int:
        if self.connection is None:
            return -ENOTCONN
        tcb = self.connection.tcb
        state = tcb.state
        if state is CLOSED or state is SYN_SENT or state is TIME_WAIT:
            return -ENOTCONN
        return show_address(self.family, tcb.remote, tcb.remote_port)

    def remote_address(self) -> Address:
        if self.connection is None:
            return super().remote_address()
        tcb = self.connection.tcb
        return show_address(self.family, tcb.remote, tcb.remote_port)

    def ioctl(self, request: int) -> int:
        connection = self.connection
        if request not in QUESTIONS:
            return super().ioctl(request)
        if self.listener is not None:
            return 0 if request == SIOCATMARK else -EINVAL
        return answer(connection, request) if connection is not None else 0

    def take_error(self) -> int:
        connection = self.connection
        if connection is None:
            error = self.error
            self.error = 0
            return error
        error = connection.take_error()
        if error == 0:
            tcb = connection.tcb
            error = tcb.soft_error
            tcb.soft_error = 0
        return error

    def path_mtu(self, now: int) -> int:
        connection = self.connection
        return connection.tcb.mtu if connection is not None and connection.tcb.state is not CLOSED else 0

    def info(self, now: int) -> dict[str, int]:
        """TCP_INFO by name."""
        config = self.host.config.tcp
        if self.connection is not None:
            return connection_info(self.connection.tcb, now)
        if self.listener is not None:
            return listener_info(len(self.listener.accept_queue), self.listener.backlog, config.reordering)
        return blank_info(TCP_CLOSE, config.reordering)

    # -- options

    def set_option(self, level: int, option: int, value: int | bytes, now: int) -> int:
        if level == SOL_SOCKET and option == SO_LINGER:
            return set_linger(self.settings, self.values, value)
        if level == IPPROTO_TCP and option == TCP_CONGESTION:
            tcb = self.connection.tcb if self.connection is not None else None
            return set_congestion_control(self.settings, tcb, value)
        return super().set_option(level, option, value, now)

    def option(self, level: int, option: int, size: int, now: int) -> bytes | int:
        if size < 0:
            return -EINVAL
        if level == SOL_SOCKET and option == SO_LINGER:
            return linger_bytes(self.settings, self.values)[:size]
        if level == IPPROTO_TCP and option == TCP_INFO:
            return pack_info(self.info(now))[:size]
        if level == IPPROTO_TCP and option == TCP_CONGESTION:
            return congestion_control_bytes(self.settings, self.host.config.tcp)[:size]
        return super().option(level, option, size, now)

    def apply(self, named: int, number: int, now: int) -> int:
        if named == _V6ONLY and self.port:
            return -EINVAL
        refused = refusal(named, number, self.phase == UNCONNECTED)
        if refused:
            return refused
        result = super().apply(named, number, now)
        config = self.host.config
        self.values[named] = store(self.settings, config.tcp, config.default_ttl_hops, named, self.values[named])
        if self.connection is not None:
            self._settings_changed(self.connection, named == _NODELAY and number != 0, now)
        return result

    def _settings_changed(self, connection: Connection, flush: bool, now: int) -> None:
        """tcp(7): TCP_NODELAY flushes what is pending even while TCP_CORK is set."""
        settings = self.settings
        cork = settings.cork
        settings.cork = cork and not flush
        connection.settings_changed(now)
        self.host.touch(connection, now)
        settings.cork = cork

    def number(self, named: int, rule: Rule) -> int:
        config = self.host.config
        tcb = self.connection.tcb if self.connection is not None else None
        number = read(self.settings, config.tcp, tcb, named)
        return super().number(named, rule) if number == UNCHANGED else number

    def _low_water(self, number: int) -> int:
        # Linux tcp_set_rcvlowat: never more than half of what the buffer may grow to.
        return min(super()._low_water(number), self.host.config.tcp.rmem[2] >> 1)


def _urgent(data: bytes | int) -> Message | int:
    return data if isinstance(data, int) else Message(data, None, MSG_OOB)
