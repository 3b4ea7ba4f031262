"""Whose turn it is: the list of endpoints that have something to send or to tell, and the heap of their deadlines.

The theory. After anything has happened to an endpoint it is marked dirty, once. Draining it sends what it has to
send, files its deadline and wakes who waits for it. No call walks over all endpoints, and one at which nothing
happens costs nothing.

The heap is lazy. An entry is never moved: if a deadline moves later, which every ACK does to the retransmission
timer, the old entry stays, and when its time comes the endpoint is filed again under its true deadline.
`Endpoint.scheduled_at` is the one entry that counts; others are stale, and when they are most of the heap it is
cleaned.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Final

from netglass.host.demux import Demux
from netglass.host.egress import Egress
from netglass.host.ports import Ports
from netglass.ip.raw import RawPort
from netglass.probe import Probe
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.state import CLOSED
from netglass.times import NEVER
from netglass.udp.port import UdpPort
from netglass.wire.ip import TCP, IpPacket
from netglass.world import Endpoint, Service

BURST: Final = 64
"""Segments that one endpoint may send before the next has its turn."""

_CLEAN_FROM: Final = 64


class Schedule:
    """The dirty list and the timers of one host."""

    __slots__ = ("_demux", "_egress", "_heap", "_number", "_ports", "_stale", "dirty")

    def __init__(self, egress: Egress, demux: Demux, tcp_ports: Ports) -> None:
        self._egress: Egress = egress
        self._demux: Demux = demux
        self._ports: Ports = tcp_ports
        self._heap: list[tuple[int, int, Endpoint]] = []
        self._number: int = 0  # orders what is due at the same time: first filed, first served
        self._stale: int = 0
        self.dirty: deque[Endpoint] = deque()

    # -- the dirty list

    def mark(self, endpoint: Endpoint) -> None:
        if not endpoint.dirty:
            endpoint.dirty = True
            self.dirty.append(endpoint)

    def wake(self) -> None:
        """Wakes who waits for a dirty connection or listener, before that is drained: what is read and written now
        goes with the answer to what arrived."""
        for endpoint in tuple(self.dirty):
            if isinstance(endpoint, Connection):
                waker = endpoint.waker
                bits = endpoint.tcb.woken
                if bits and waker is not None:
                    endpoint.tcb.woken = 0
                    waker.wake(bits)

    def drain_next(self, now: int) -> None:
        """Serves the first of the dirty list, which must not be empty."""
        endpoint = self.dirty.popleft()
        endpoint.dirty = False
        self.drain(endpoint, now)

    def drain(self, endpoint: Endpoint, now: int) -> None:
        """Sends what `endpoint` has to send, files its deadline, wakes who waits for it."""
        if isinstance(endpoint, Connection):
            self._drain_connection(endpoint, now)
        elif isinstance(endpoint, Listener):
            self._drain_listener(endpoint, now)
        elif isinstance(endpoint, (UdpPort, RawPort)):
            bits = endpoint.woken
            if bits and endpoint.waker is not None:
                endpoint.woken = 0
                endpoint.waker.wake(bits)
        elif isinstance(endpoint, Service):
            endpoint.drain(now)
            deadline = endpoint.deadline
            if deadline < endpoint.scheduled_at:
                self._file(endpoint, deadline)
            elif deadline == NEVER:
                self.unfile(endpoint)

    def _drain_connection(self, connection: Connection, now: int) -> None:
        tcb = connection.tcb
        segment = connection.poll_segment(now)
        left = BURST
        while segment is not None:
            self._egress.send_segment(tcb, segment, now)
            left -= 1
            if left == 0:
                self.mark(connection)
                break
            segment = connection.poll_segment(now)
        if tcb.state is CLOSED and connection.finished:
            self.forget(connection)
        else:
            deadline = connection.deadline
            if deadline < connection.scheduled_at:
                self._file(connection, deadline)
        bits = tcb.woken
        if bits and connection.waker is not None:
            tcb.woken = 0
            connection.waker.wake(bits)

    def _drain_listener(self, listener: Listener, now: int) -> None:
        egress = self._egress
        settings = listener.settings
        left = BURST
        while left:
            answer = listener.poll_segment(now)
            if answer is None:
                break
            local, remote, segment = answer
            ident = egress.next_ident(remote)
            egress.send(IpPacket(local, remote, TCP, segment, settings.ttl, settings.tos, ident), now)
            left -= 1
        if left == 0:
            self.mark(listener)
        if listener.deadline < listener.scheduled_at:
            self._file(listener, listener.deadline)
        bits = listener.woken
        if bits and listener.waker is not None:
            listener.woken = 0
            listener.waker.wake(bits)

    def forget(self, connection: Connection) -> None:
        """Takes a connection out of the tables and frees its port. A socket may hold it on."""
        tcb = connection.tcb
        key = (tcb.local, tcb.local_port, tcb.remote, tcb.remote_port)
        if self._demux.connections.get(key) is connection:
            del self._demux.connections[key]
        self._ports.release(tcb.local_port, connection)
        self.unfile(connection)

    # -- the timers

    def deadline(self) -> int:
        """No endpoint is due before; it may be early, by an entry whose endpoint has moved its deadline."""
        return self._heap[0][0] if self._heap else NEVER

    def handle_timeout(self, now: int) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, endpoint = heappop(heap)
            if endpoint.scheduled_at != when:
                self._stale -= 1
                continue
            endpoint.scheduled_at = NEVER
            if isinstance(endpoint, (Connection, Listener, Service)):
                deadline = endpoint.deadline
                if deadline <= now:
                    endpoint.handle_timeout(now)
                    self.mark(endpoint)
                elif deadline < NEVER:
                    self._file(endpoint, deadline)

        self._uncover()

    def unfile(self, endpoint: Endpoint) -> None:
        if endpoint.scheduled_at < NEVER:
            endpoint.scheduled_at = NEVER
            self._grown_stale()
            self._uncover()

    def _uncover(self) -> None:
        """The first entry is never stale, or the clock would run on for the sake of what no longer exists."""
        heap = self._heap
        while heap and heap[0][2].scheduled_at != heap[0][0]:
            heappop(heap)
            self._stale -= 1

    def _file(self, endpoint: Endpoint, deadline: int) -> None:
        stale = endpoint.scheduled_at < NEVER
        endpoint.scheduled_at = deadline
        self._number += 1
        heappush(self._heap, (deadline, self._number, endpoint))
        if stale:
            self._grown_stale()

    def _grown_stale(self) -> None:
        self._stale += 1
        if self._stale > _CLEAN_FROM and self._stale * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2].scheduled_at == entry[0]]
            heapify(self._heap)
            self._stale = 0

    # -- observing

    def observe(self, probe: Probe | None) -> None:
        """Everything that exists tells `probe` from now on."""
        for connection in self._demux.connections.values():
            connection.tcb.probe = probe
        for listeners in self._demux.listeners.values():
            for listener in listeners:
                listener.probe = probe
