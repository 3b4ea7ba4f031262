"""A UDP port (RFC 768): a bounded queue of datagrams, and a remote end if it is connected."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errnos import EAGAIN
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, Endpoint

DEFAULT_RCVBUF: Final = 212_992  # Linux net.core.rmem_default
OVERHEAD: Final = 128
"""What each waiting datagram counts beside its bytes, or empty ones would never fill the queue."""

# Path MTU discovery, with the values of IP_MTU_DISCOVER (ip(7)).
PMTU_DONT: Final = 0  # never DF; what is too long goes in fragments
PMTU_WANT: Final = 1  # DF on what fits; what is too long goes in fragments
PMTU_DO: Final = 2  # DF always; what is too long is refused
PMTU_PROBE: Final = 3  # the same, but only the interface's MTU counts
PMTU_INTERFACE: Final = 4  # never DF, only the interface's MTU counts; what is too long is refused
PMTU_OMIT: Final = 5  # the same, but what is too long goes in fragments


class ReceivedDatagram:
    """One datagram that waits, with what the IP header told."""

    __slots__ = ("destination", "interface", "payload", "source", "source_port", "tos", "ttl")

    def __init__(
        self, source: bytes, source_port: int, payload: bytes, destination: bytes, ttl: int, tos: int, interface: str
    ) -> None:
        self.source: bytes = source
        self.source_port: int = source_port
        self.payload: bytes = payload
        self.destination: bytes = destination
        self.ttl: int = ttl  # hops left on arrival
        self.tos: int = tos
        self.interface: str = interface


class UdpPort(Endpoint):
    """One bound port. `local` is b"" (any address), bytes(4) (any IPv4), bytes(16) (any IPv6) or an address. The
    host sends for it (`Host.send_udp`)."""

    __slots__ = (
        "bound_local",
        "broadcast",
        "dont_fragment_6",
        "error",
        "ip_options",
        "local",
        "local_port",
        "mtu_discover",
        "mtu_discover_6",
        "multicast_all_4",
        "multicast_all_6",
        "multicast_interface",
        "multicast_loop",
        "multicast_ttl_hops",
        "queued",
        "rcvbuf",
        "read_closed",
        "remote",
        "remote_port",
        "reuse_address",
        "reuse_port",
        "tos",
        "ttl_hops",
        "waiting",
        "woken",
        "write_closed",
    )

    def __init__(self, local: bytes, ttl_hops: int) -> None:
        super().__init__()
        self.local: bytes = local
        self.bound_local: bytes = local  # what `bind` said; `connect` narrows `local` until it is dissolved
        self.local_port: int = 0
        self.remote: bytes = b""  # b"": not connected
        self.remote_port: int = 0
        self.reuse_address: bool = False
        self.reuse_port: bool = False
        self.rcvbuf: int = DEFAULT_RCVBUF
        self.waiting: deque[ReceivedDatagram] = deque()
        self.queued: int = 0  # bytes that `waiting` counts for
        self.error: int = 0  # errno for the next call (SO_ERROR)
        self.woken: int = 0  # readiness bits that rose since the host last looked
        self.read_closed: bool = False
        self.write_closed: bool = False
        self.ttl_hops: int = ttl_hops
        self.tos: int = 0
        self.ip_options: bytes = b""  # IP_OPTIONS, for IPv4
        self.mtu_discover: int = PMTU_WANT  # IP_MTU_DISCOVER
        self.mtu_discover_6: int = PMTU_WANT  # IPV6_MTU_DISCOVER
        self.dont_fragment_6: bool = False  # IPV6_DONTFRAG
        self.broadcast: bool = False  # SO_BROADCAST: may send to a broadcast address
        # IP_MULTICAST_ALL, IPV6_MULTICAST_ALL: hears the groups that any socket here has joined, not only its own
        # (Linux's default).
        self.multicast_all_4: bool = True
        self.multicast_all_6: bool = True
        self.multicast_ttl_hops: int = 1  # IP_MULTICAST_TTL (RFC 1112 §6.1: 1 unless asked)
        self.multicast_loop: bool = True  # IP_MULTICAST_LOOP
        self.multicast_interface: str = ""  # IP_MULTICAST_IF; "": the route decides

    # -- the host's side

    def score(self, destination: bytes, source: bytes, source_port: int) -> int:
        """How well a datagram fits: -1 not at all, the more exactly the higher."""
        points = 0
        local = self.local
        if local == destination:
            points = 1
        elif local and (len(local) != len(destination) or any(local)):
            return -1
        if not self.remote:
            return points
        return points + 2 if self.remote == source and self.remote_port == source_port else -1

    def takes_group(self, destination: bytes, source: bytes, source_port: int) -> bool:
        """For a broadcast or multicast destination, of which every port that fits gets a copy: do the addresses
        fit? (Membership is the host's business.)"""
        if self.remote and (self.remote != source or self.remote_port != source_port):
            return False
        local = self.local
        if local and any(local) and local != destination:
            return False
        return not local or len(local) == len(destination)

    def deliver(self, datagram: ReceivedDatagram) -> bool:
        """False if the queue is full. One datagram always fits, so that a small limit cannot shut a port for good."""
        cost = len(datagram.payload) + OVERHEAD
        if self.queued and self.queued + cost > self.rcvbuf:
            return False
        self.waiting.append(datagram)
        self.queued += cost
        self.woken |= POLLIN
        return True

    def receive_error(self, errno: int, hard: bool) -> bool:
        """An ICMP error about a datagram of ours. Linux tells it only to a connected socket, and only what is final.
        False if ignored."""
        if not hard or not self.remote:
            return False
        self.error = errno
        self.woken |= POLLERR | POLLIN | POLLOUT
        return True

    # -- the application's side

    def receive(self, peek: bool = False) -> ReceivedDatagram | int:
        """The oldest datagram, or -EAGAIN, or once the pending error negated."""
        if self.error:
            return -self.take_error()
        if not self.waiting:
            return -EAGAIN
        if peek:
            return self.waiting[0]
        datagram = self.waiting.popleft()
        self.queued -= len(datagram.payload) + OVERHEAD
        return datagram

    def take_error(self) -> int:
        """The pending errno, which is then no longer pending (SO_ERROR)."""
        error = self.error
        self.error = 0
        return error

    def readiness(self) -> int:
        """POLL* bits that are true now."""
        bits = POLLOUT
        if self.waiting or self.read_closed:
            bits |= POLLIN
        if self.read_closed:
            bits |= POLLRDHUP
            if self.write_closed:
                bits |= POLLHUP
        return bits | POLLERR if self.error else bits
