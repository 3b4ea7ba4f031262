"""Where a connection's sequence numbers start (RFC 6528), and its timestamps (RFC 7323 §5.4).

    ISN = M + F(local address, local port, remote address, remote port, secret)

M is a clock that ticks every 4 microseconds, so that the numbers of one pair of ports only grow and a new connection
does not fall into the window of the old one. F is a keyed hash: who sees the numbers of his own connections learns
nothing about those of others, and so cannot write into them blindly.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from netglass.rng import Rng
from netglass.tcp.config import TcpConfig
from netglass.times import MICROSECOND
from netglass.wire.seq import MASK

TICK: Final = 4 * MICROSECOND  # RFC 9293 §3.4.1
OFFSETS_KEPT: Final = 4096  # a flood of forged sources must not fill the memory


class IsnGenerator:
    """One for a host. The secret, and where the clock stood at time 0, come from the host's seed."""

    __slots__ = ("_config", "_epoch", "_offsets", "_secret")

    def __init__(self, rng: Rng, config: TcpConfig) -> None:
        source = rng.stream("isn")
        self._config: TcpConfig = config
        self._secret: bytes = source.bytes(16)
        self._epoch: int = source.u32()
        self._offsets: dict[bytes, int] = {}  # what `ts_offset` has answered

    def isn(self, local: bytes, local_port: int, remote: bytes, remote_port: int, now: int) -> int:
        """The initial send sequence number of a connection opened `now`, 32 bits."""
        if self._config.fixed_isn >= 0:
            return self._config.fixed_isn & MASK
        ports = (local_port << 16 | remote_port).to_bytes(4, "big")
        return (self._epoch + now // TICK + self._hash(local + remote + ports)) & MASK

    def ts_offset(self, local: bytes, remote: bytes) -> int:
        """What is added to the clock of the timestamps option, 32 bits. Unknown to others, but the same for all
        connections of two addresses: so PAWS can compare the timestamps of an old one with those of a new one."""
        both = local + remote
        offset = self._offsets.get(both, -1)
        if offset < 0:
            if len(self._offsets) >= OFFSETS_KEPT:
                self._offsets.clear()
            offset = self._offsets[both] = self._hash(both)
        return offset

    def _hash(self, text: bytes) -> int:
        return int.from_bytes(blake2b(text, digest_size=4, key=self._secret).digest(), "big")
