"""Who holds which port of one protocol, who may share it, and which one comes next.

Sharing follows Linux (inet_csk_bind_conflict, udp_lib_lport_inuse): two sockets may hold one port if their local
addresses differ and none is a wildcard; or if both set SO_REUSEADDR and the one that is there does not listen; or if
both set SO_REUSEPORT. What a `connect` picked by itself may be picked again for another remote end, but counts like
any other for a `bind`.

A local address is 4 or 16 bytes; `bytes(4)` is any IPv4 address, `bytes(16)` any IPv6 address, b"" any of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from netglass.errnos import EACCES, EADDRINUSE
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.rng import Rng
from netglass.wire.address import is_unspecified
from netglass.world import Endpoint

_TABLE: Final = 256  # counters of RFC 6056 §3.3.4


class Binding:
    """One holder's claim on a port."""

    __slots__ = ("listening", "local", "picked", "reuse_address", "reuse_port")

    def __init__(
        self, local: bytes, reuse_address: bool, reuse_port: bool, listening: bool = False, picked: bool = False
    ) -> None:
        self.local: bytes = local
        self.reuse_address: bool = reuse_address
        self.reuse_port: bool = reuse_port
        self.listening: bool = listening
        self.picked: bool = picked  # by connect, which may pick it again for another remote end

    def conflicts(self, other: Binding) -> bool:
        """True if this one cannot be had beside `other`, which is held already."""
        if not overlap(self.local, other.local):
            return False
        if self.reuse_port and other.reuse_port:
            return False
        return not (self.reuse_address and other.reuse_address) or other.listening


class Reservation(Endpoint):
    """Holds a port for a socket that is bound and neither listens nor is connected yet."""

    __slots__ = ("port",)

    def __init__(self) -> None:
        super().__init__()
        self.port: int = 0


class Ports:
    """The ports of one protocol on one host, each with its holders: connections, listeners, UDP ports, reservations."""

    __slots__ = ("_config", "_counts", "_holders", "_rng", "_secret")

    def __init__(self, config: HostConfig, rng: Rng) -> None:
        self._config: HostConfig = config
        self._rng: Rng = rng
        self._secret: bytes = rng.bytes(16)
        self._counts: list[int] = []  # drawn when the first port is picked: most hosts pick none
        self._holders: dict[int, dict[Endpoint, Binding]] = {}

    def _draw_counts(self) -> None:
        """Before anything else is drawn."""
        if not self._counts:
            self._counts = [self._rng.below(1 << 16) for _ in range(_TABLE)]

    def bind(self, port: int, owner: Endpoint, binding: Binding) -> int:
        """`owner` takes `port`, or a free one for 0. Returns the port, -EACCES or -EADDRINUSE."""
        if not 0 <= port <= 65535:
            raise MisuseError(f"a port lies between 0 and 65535; this is {port}")
        if port == 0:
            return self._bind_any(owner, binding)
        if port < self._config.unprivileged_port_start:
            return -EACCES
        if self.conflict(port, binding):
            return -EADDRINUSE
        self.hold(port, owner, binding)
        return port

    def conflict(self, port: int, wanted: Binding) -> bool:
        held = self._holders.get(port)
        return held is not None and any(each is not wanted and wanted.conflicts(each) for each in held.values())

    def hold(self, port: int, owner: Endpoint, binding: Binding) -> None:
        """Without a question: for what a listener made, and after `conflict` was asked."""
        self._holders.setdefault(port, {})[owner] = binding

    def binding(self, port: int, owner: Endpoint) -> Binding:
        """The claim of one that holds `port`."""
        return self._holders[port][owner]

    def reservation(self, local: bytes, port: int) -> Reservation | None:
        """The oldest reservation of exactly (local, port). Those that share it are interchangeable."""
        for owner, held in self._holders.get(port, {}).items():
            if isinstance(owner, Reservation) and held.local == local:
                return owner
        return None

    def release(self, port: int, owner: Endpoint) -> None:
        """A holder that is none is nothing to release."""
        holders = self._holders.get(port)
        if holders is None:
            return
        holders.pop(owner, None)
        if not holders:
            del self._holders[port]

    def bound(self, port: int) -> bool:
        """True if somebody holds `port` by `bind`: connect then leaves it alone."""
        held = self._holders.get(port)
        return held is not None and any(not each.picked for each in held.values())

    def candidates(self, local: bytes, remote: bytes, remote_port: int) -> Iterator[int]:
        """Every ephemeral port once, in the order of RFC 6056 §3.3.4 (double hash): hard to guess from outside, and
        one remote end sees them rise."""
        first, last = self._config.port_range
        count = last - first + 1
        key = b"%b\x00%b\x00%d" % (local, remote, remote_port)
        digest = blake2b(key, digest_size=8, key=self._secret).digest()
        offset = int.from_bytes(digest[:4], "big")
        slot = digest[4]
        self._draw_counts()
        for _ in range(count):
            self._counts[slot] += 1
            yield first + (offset + self._counts[slot]) % count

    def _bind_any(self, owner: Endpoint, binding: Binding) -> int:
        first, last = self._config.port_range
        count = last - first + 1
        self._draw_counts()
        start = self._rng.below(count)
        for step in range(count):
            port = first + (start + step) % count
            # Linux shares a port found for bind(0) with nobody, whatever SO_REUSEADDR says, as long as one is free.
            if port not in self._holders:
                self.hold(port, owner, binding)
                return port
        for step in range(count):
            port = first + (start + step) % count
            if not self.conflict(port, binding):
                self.hold(port, owner, binding)
                return port
        return -EADDRINUSE


def is_wildcard(local: bytes) -> bool:
    return not local or is_unspecified(local)


def overlap(one: bytes, other: bytes) -> bool:
    """True if a packet could be for both local addresses."""
    if one == other:
        return True
    same_version = not one or not other or len(one) == len(other)
    return same_version and (is_wildcard(one) or is_wildcard(other))
