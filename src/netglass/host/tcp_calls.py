"""What an application asks of the host before there is a connection: bind, listen, connect (RFC 9293 §3.10.1 with
Linux's errors)."""

from __future__ import annotations

from netglass.errnos import EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH
from netglass.errors import MisuseError
from netglass.host.demux import Demux, Key
from netglass.host.egress import Egress
from netglass.host.ports import Binding, Ports, Reservation, is_wildcard
from netglass.host.schedule import Schedule
from netglass.rng import Rng
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.connection import Connection, open_connection
from netglass.tcp.isn import IsnGenerator
from netglass.tcp.listener import Listener
from netglass.tcp.state import TIME_WAIT
from netglass.times import SECOND
from netglass.wire.address import LOOPBACK_4, LOOPBACK_6, is_multicast, is_unspecified
from netglass.wire.seq import wrap


class TcpCalls:
    """The calls, over the tables of one host."""

    __slots__ = ("_config", "_demux", "_egress", "_isn", "_opened", "_rng", "_schedule", "ports")

    def __init__(self, egress: Egress, demux: Demux, ports: Ports, schedule: Schedule, rng: Rng) -> None:
        self._egress: Egress = egress
        self._demux: Demux = demux
        self._schedule: Schedule = schedule
        self._config: TcpConfig = egress.config.tcp
        self._rng: Rng = rng.stream("tcp")
        self._opened: int = 0  # numbers the streams of randomness of listeners and connections
        self._isn: IsnGenerator = IsnGenerator(rng, egress.config.tcp)
        self.ports: Ports = ports

    # -- bind

    def bind(self, local: bytes, port: int, reuse_address: bool, reuse_port: bool) -> int:
        check_local(local)
        if not is_wildcard(local) and not self._egress.is_local(local):
            return -EADDRNOTAVAIL
        return self._reserve(port, Reservation(), Binding(local, reuse_address, reuse_port))

    def release(self, local: bytes, port: int) -> None:
        owner = self.ports.reservation(local, port)
        if owner is None:
            raise MisuseError(
                f"port {port} is not reserved by bind_tcp: it was released, or a listen or connect took it over"
            )
        self.ports.release(port, owner)

    def _reserve(self, port: int, owner: Reservation, binding: Binding) -> int:
        result = self.ports.bind(port, owner, binding)
        owner.port = max(result, 0)
        return result

    def _take(self, local: bytes, port: int, bound: bool, wanted: Binding) -> int | Reservation:
        """The reservation that the caller holds already, or a new one; -errno if there is none to be had."""
        if not bound:
            check_local(local)
            if not is_wildcard(local) and not self._egress.is_local(local):
                return -EADDRNOTAVAIL
            owner = Reservation()
            result = self._reserve(port, owner, wanted)
            return result if result < 0 else owner
        held = self.ports.reservation(local, port)
        if held is None:
            raise MisuseError(
                f"bound=True, but port {port} is not reserved: call bind_tcp with the same local address first"
            )
        return held

    # -- listen

    def listen(
        self, local: bytes, port: int, backlog: int, settings: TcpSettings, bound: bool, reuse_port: bool
    ) -> Listener | int:
        owner = self._take(local, port, bound, Binding(local, settings.reuse_address, reuse_port))
        if not isinstance(owner, Reservation):
            return owner
        port = owner.port
        binding = self.ports.binding(port, owner)
        binding.listening = True
        # Two sockets with SO_REUSEADDR may be bound to one port, but only one of them listens (Linux
        # inet_csk_listen_start).
        if self.ports.conflict(port, binding):
            binding.listening = False
            if not bound:
                self.ports.release(port, owner)
            return -EADDRINUSE
        somaxconn = self._config.somaxconn
        if not 0 <= backlog <= somaxconn:
            # listen(2): silently so in Linux, where a negative backlog is a very large one.
            self._egress.counters.add("listen-backlog-clamped")
            backlog = somaxconn
        egress = self._egress
        listener = Listener(
            local,
            port,
            backlog,
            self._config,
            settings,
            self._stream(),
            egress.counters,
            egress.name,
            egress.probe,
            self._isn,
        )
        self._demux.add_listener(listener)
        self.ports.release(port, owner)
        self.ports.hold(port, listener, binding)
        return listener

    def close_listener(self, listener: Listener, now: int) -> None:
        if not self._demux.remove_listener(listener):
            raise MisuseError(f"the listener on port {listener.local_port} is closed already")
        self.ports.release(listener.local_port, listener)
        for connection in listener.close(now):
            connection.abort(now)
            self._schedule.drain(connection, now)
        self._schedule.drain(listener, now)
        self._schedule.unfile(listener)

    # -- connect

    def connect(
        self, local: bytes, port: int, remote: bytes, remote_port: int, settings: TcpSettings, bound: bool, now: int
    ) -> Connection | int:
        remote = reachable(remote)
        if is_multicast(remote) or remote in self._egress.broadcasts:
            return -ENETUNREACH
        path = self._egress.path(remote, now)
        if path is None:
            return -ENETUNREACH
        source = self._egress.source_for(remote, now) if is_wildcard(local) else local
        if not source:
            return -EADDRNOTAVAIL
        if len(source) != len(remote):
            raise MisuseError("both ends of a connection have the same IP version; map one of the addresses")
        owner: Reservation | None = None
        if bound or port:
            taken = self._take(local, port, bound, Binding(local, settings.reuse_address, False))
            if not isinstance(taken, Reservation):
                return taken
            owner = taken
            port = owner.port
        picked = self._pick(source, port, remote, remote_port, now)
        if picked < 0:
            if owner is not None and not bound:
                self.ports.release(port, owner)
            return picked
        iss = self._iss(source, picked, remote, remote_port, now)
        egress = self._egress
        connection = open_connection(
            source,
            picked,
            remote,
            remote_port,
            iss,
            path.mtu,
            path.gso_size,
            self._isn.ts_offset(source, remote),
            self._config,
            settings,
            egress.counters,
            egress.name,
            egress.probe,
            now,
        )
        self._file(connection, owner)
        connection.connect(now)
        self._schedule.drain(connection, now)
        return connection

    def _file(self, connection: Connection, owner: Reservation | None) -> None:
        tcb = connection.tcb
        self._demux.connections[tcb.local, tcb.local_port, tcb.remote, tcb.remote_port] = connection
        binding = Binding(tcb.local, tcb.settings.reuse_address, False, False, True)
        if owner is not None:
            held = self.ports.binding(tcb.local_port, owner)
            binding = Binding(tcb.local, tcb.settings.reuse_address, held.reuse_port)
            self.ports.release(tcb.local_port, owner)
        self.ports.hold(tcb.local_port, connection, binding)

    def _pick(self, local: bytes, port: int, remote: bytes, remote_port: int, now: int) -> int:
        """A port with which the four-tuple is free: `port` itself unless 0. -EADDRNOTAVAIL if there is none (Linux
        __inet_hash_connect)."""
        if port:
            return port if self._free((local, port, remote, remote_port), now) else -EADDRNOTAVAIL
        least = self._egress.config.unprivileged_port_start
        for candidate in self.ports.candidates(local, remote, remote_port):
            if self.ports.bound(candidate) or candidate < least:
                continue
            if self._free((local, candidate, remote, remote_port), now):
                return candidate
        return -EADDRNOTAVAIL

    def _free(self, key: Key, now: int) -> bool:
        old = self._demux.connections.get(key)
        return old is None or self._reusable(old, now)

    def _reusable(self, old: Connection, now: int) -> bool:
        """tcp_tw_reuse: timestamps tell the segments of the old connection from those of the new one, once their
        clock has moved by a second."""
        tcb = old.tcb
        if not self._config.tw_reuse or tcb.state is not TIME_WAIT or not tcb.ts_ok:
            return False
        return now - tcb.ts_recent_at > SECOND

    def _iss(self, local: bytes, port: int, remote: bytes, remote_port: int, now: int) -> int:
        old = self._demux.connections.get((local, port, remote, remote_port))
        if old is None:
            return self._isn.isn(local, port, remote, remote_port, now)
        # RFC 6191, Linux tcp_twsk_unique: beyond everything that the old connection may have sent.
        self._schedule.forget(old)
        return wrap(old.tcb.snd_nxt + 65535 + 2)

    def _stream(self) -> Rng:
        self._opened += 1
        return self._rng.keyed(self._opened)


def check_local(local: bytes) -> None:
    if len(local) not in (0, 4, 16):
        raise MisuseError(f'a local address is b"" (any) or has 4 or 16 bytes; this has {len(local)}')


def reachable(remote: bytes) -> bytes:
    # Linux and everybody else: connecting to "any address" means ourselves.
    if len(remote) not in (4, 16):
        raise MisuseError(f"a remote address has 4 or 16 bytes; this has {len(remote)}")
    if is_unspecified(remote):
        return LOOPBACK_4 if len(remote) == 4 else LOOPBACK_6
    return remote
