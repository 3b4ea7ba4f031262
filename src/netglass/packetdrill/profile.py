"""The host that packetdrill scripts take for granted: Google's test machine, a Linux with some sysctls of its own."""

from __future__ import annotations

from netglass.host.config import HostConfig


def default_config() -> HostConfig:
    """A new configuration with what scripts expect where they say nothing. `sysctl` in backquotes changes it.

    A window scale of 8 follows from the largest receive buffer, an initial window of 10 segments is RFC 6928's.
    """
    config = HostConfig()
    tcp = config.tcp
    tcp.rmem = (4096, 540_000, 15 << 20)
    tcp.wmem = (4096, 256 << 10, 4 << 20)
    tcp.slow_start_after_idle = False
    tcp.syn_retries = 5
    tcp.synack_retries = 5
    return config
