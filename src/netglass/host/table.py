"""The sockets of a host as netstat and ss list them."""

from __future__ import annotations

from netglass.host.demux import Demux
from netglass.ip.raw import PingPort
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.state import TIME_WAIT
from netglass.tcp.tcb import Tcb
from netglass.times import NEVER


class SocketEntry:
    """One line. `recv_q` and `send_q` are bytes; on a listener, the accept queue's length and its backlog."""

    __slots__ = (
        "local",
        "local_port",
        "proto",
        "recv_q",
        "remote",
        "remote_port",
        "retries",
        "send_q",
        "state",
        "timer",
        "timer_due",
    )

    def __init__(self, proto: str, local: bytes, local_port: int, remote: bytes, remote_port: int, state: str) -> None:
        self.proto: str = proto  # "tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6" (ping sockets)
        self.local: bytes = local  # b"": any address
        self.local_port: int = local_port
        self.remote: bytes = remote  # b"": anybody
        self.remote_port: int = remote_port
        self.state: str = state  # RFC 9293's name; "" for UDP, "ESTABLISHED" if that is connected
        self.recv_q: int = 0
        self.send_q: int = 0
        self.timer: str = ""  # "retransmission", "persist", "keep-alive", "time-wait", "syn-ack", ... or ""
        self.timer_due: int = NEVER
        self.retries: int = 0


def sockets(demux: Demux) -> list[SocketEntry]:
    """Listeners, each followed by its half-open connections; then connections, UDP and raw ports, each in the order
    of creation."""
    found: list[SocketEntry] = []
    for listeners in demux.listeners.values():
        for listener in listeners:
            found += _listener(listener)
    found += [_connection(connection) for connection in demux.connections.values()]
    for ports in demux.udp.values():
        for port in reversed(ports):
            state = "ESTABLISHED" if port.remote else ""
            entry = SocketEntry(
                _named("udp", port.local), port.local, port.local_port, port.remote, port.remote_port, state
            )
            entry.recv_q = port.queued
            found.append(entry)
    for protocol, raws in demux.raw.items():
        for raw in raws:
            local = raw.local or (bytes(16) if raw.version == 6 else b"")
            if isinstance(raw, PingPort):
                entry = SocketEntry(_named("icmp", local), local, raw.ident, raw.remote, 0, "")
            else:
                entry = SocketEntry(_named("raw", local), local, protocol, raw.remote, 0, "")
            entry.recv_q = raw.queued
            found.append(entry)
    return found


def _named(proto: str, local: bytes) -> str:
    return proto + "6" if len(local) == 16 else proto


def _listener(listener: Listener) -> list[SocketEntry]:
    own = SocketEntry(_named("tcp", listener.local), listener.local, listener.local_port, b"", 0, "LISTEN")
    own.recv_q = len(listener.accept_queue)
    own.send_q = listener.backlog
    found = [own]
    for half in listener.half_open.values():
        remote, remote_port, local = half.key
        entry = SocketEntry(_named("tcp", local), local, listener.local_port, remote, remote_port, "SYN-RECEIVED")
        entry.timer = "syn-ack"
        entry.timer_due = half.expires
        entry.retries = half.retries
        found.append(entry)
    return found


def _connection(connection: Connection) -> SocketEntry:
    tcb = connection.tcb
    entry = SocketEntry(
        _named("tcp", tcb.local), tcb.local, tcb.local_port, tcb.remote, tcb.remote_port, str(tcb.state.value)
    )
    entry.recv_q = tcb.received.readable
    entry.send_q = max(tcb.sending.end - max(tcb.snd_una, tcb.sending.start), 0)
    _describe_timer(entry, tcb)
    return entry


def _describe_timer(entry: SocketEntry, tcb: Tcb) -> None:
    # The order of netstat -o: what is waited for first.
    if tcb.state is TIME_WAIT:
        entry.timer = "time-wait"
        entry.timer_due = tcb.close_at
    elif tcb.retransmit_at < NEVER:
        entry.timer = "retransmission"
        entry.timer_due = tcb.retransmit_at
        entry.retries = tcb.backoff
    elif tcb.persist_at < NEVER:
        entry.timer = "persist"
        entry.timer_due = tcb.persist_at
        entry.retries = tcb.probes_sent
    elif tcb.close_at < NEVER:
        entry.timer = "fin-wait-2"
        entry.timer_due = tcb.close_at
    elif tcb.keepalive_at < NEVER:
        entry.timer = "keep-alive"
        entry.timer_due = tcb.keepalive_at
        entry.retries = tcb.keepalive_sent
