"""What a host's administrator sets, beyond TCP (`tcp.config`)."""

from __future__ import annotations

from netglass.tcp.config import TcpConfig
from netglass.times import MILLISECOND


class HostConfig:
    """One host. The defaults are Linux's; names follow its sysctls."""

    __slots__ = (
        "default_ttl_hops",
        "echo_ignore_all",
        "forwarding",
        "icmp_interval",
        "port_range",
        "tcp",
        "unprivileged_port_start",
    )

    def __init__(self) -> None:
        self.tcp: TcpConfig = TcpConfig()
        self.forwarding: bool = False  # net.ipv4.ip_forward, net.ipv6.conf.all.forwarding: the host is a router
        self.default_ttl_hops: int = 64  # net.ipv4.ip_default_ttl
        self.port_range: tuple[int, int] = (32768, 60999)  # net.ipv4.ip_local_port_range, both ends included
        self.unprivileged_port_start: int = (
            0  # net.ipv4.ip_unprivileged_port_start; 1024 refuses lower ports with EACCES
        )
        self.echo_ignore_all: bool = False  # net.ipv4.icmp_echo_ignore_all
        self.icmp_interval: int = (
            20 * MILLISECOND
        )  # least time between two ICMP errors to one destination (RFC 1812 §4.3.2.8); 0: no limit
