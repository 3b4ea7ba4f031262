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


class IsnGenerator:
    """One for a host. The secret, and where the clock stood at time 0, come from the host's seed."""

    __slots__ = ("_config", "_epoch", "_secret")

    def __init__(self, rng: Rng, config: TcpConfig) -> None:
        source = rng.stream("isn")
        self._config: TcpConfig = config
        self._secret: bytes = source.bytes(16)
        self._epoch: int = source.u32()

    def isn(self, local: bytes, local_port: int, remote: bytes, remote_port: int, now: int) -> int:
        """The initial send sequence number of a connection opened `now`, 32 bits."""
        if self._config.fixed_isn >= 0:
            return self._config.fixed_isn & MASK
        ports = (local_port << 16 | remote_port).to_bytes(4, "big")
        return (self._epoch + now // TICK + self._hash(local + remote + ports)) & MASK

    def ts_offset(self, local: bytes, remote: bytes) -> int:
        """What is added to the clock of the timestamps option, 32 bits. Unknown to others, but the same for all
        connections of two addresses: so PAWS can compare the timestamps of an old one with those of a new one."""
        return self._hash(local + remote)

    def _hash(self, text: bytes) -> int:
        return int.from_bytes(blake2b(text, digest_size=4, key=self._secret).digest(), "big")
