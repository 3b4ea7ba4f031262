"""What is to be set of ARP and neighbour discovery; the defaults are Linux's, the names follow its sysctls."""

from __future__ import annotations

from typing import Final

from netglass.times import MILLISECOND, SECOND

_MOST: Final = (1 << 31) - 1
_SWITCH: Final = (1, 0, 1)

SYSCTLS: Final[dict[str, tuple[int, int, int]]] = {
    "net.ipv4.conf.all.arp_accept": _SWITCH,
    "net.ipv4.conf.all.proxy_arp": _SWITCH,
    "net.ipv4.neigh.default.base_reachable_time_ms": (1, 1, _MOST),
    "net.ipv4.neigh.default.delay_first_probe_time": (1, 0, 86_400),
    "net.ipv4.neigh.default.gc_thresh3": (1, 1, _MOST),
    "net.ipv4.neigh.default.mcast_solicit": (1, 1, 1000),
    "net.ipv4.neigh.default.retrans_time_ms": (1, 1, _MOST),
    "net.ipv4.neigh.default.ucast_solicit": (1, 1, 1000),
    "net.ipv4.neigh.default.unres_qlen": (1, 1, 100_000),
    "net.ipv6.conf.all.accept_ra": _SWITCH,
    "net.ipv6.conf.all.dad_transmits": (1, 0, 1000),
    "net.ipv6.conf.all.optimistic_dad": _SWITCH,
}
"""One number each, and between which bounds it lies. Those of `neigh` count for IPv6 too."""


class NeighborConfig:
    """One interface's settings. Times in ns."""

    __slots__ = (
        "accept_ra",
        "accept_redirects",
        "arp_accept",
        "base_reachable_time",
        "binding_strict",
        "dad_transmits",
        "delay_first_probe",
        "eui64",
        "multicast_probes",
        "optimistic_dad",
        "proxy_arp",
        "queue_packets",
        "retransmit",
        "table_limit",
        "unicast_probes",
    )

    def __init__(self) -> None:
        # The cache (RFC 4861 §10; net.ipv4.neigh.default.*). ARP entries have the same life.
        self.base_reachable_time: int = 30 * SECOND  # REACHABLE lasts half to one and a half of it
        self.delay_first_probe: int = 5 * SECOND  # in DELAY, before the first unicast question
        self.retransmit: int = 1000 * MILLISECOND  # between two questions
        self.multicast_probes: int = 3  # mcast_solicit: questions to everybody, then FAILED
        self.unicast_probes: int = 3  # ucast_solicit: questions to the old MAC, then FAILED
        self.queue_packets: int = 101  # unres_qlen: packets that wait for one MAC
        self.table_limit: int = 1024  # gc_thresh3: entries
        # ARP.
        self.arp_accept: bool = False  # an announcement makes an entry where there was none
        self.proxy_arp: bool = False  # a router answers for what it reaches over another interface (RFC 1027)
        # A packet whose source is bound to another MAC is dropped too, not only a lie about it in ARP or ND.
        self.binding_strict: bool = False
        # IPv6.
        self.dad_transmits: int = 1  # questions of duplicate detection (RFC 4862 §5.4); 0: none
        self.optimistic_dad: bool = False  # RFC 4429: an address is used while it is still being tested
        self.accept_ra: bool = False  # a host learns prefixes, routes and the MTU from routers (RFC 4862)
        self.accept_redirects: bool = True
        self.eui64: bool = False  # addresses are made from the MAC (RFC 4291 App. A), not as RFC 7217 has it

    def set(self, name: str, number: int) -> None:
        """One of SYSCTLS, in sysctl's units."""
        match name:
            case "net.ipv4.conf.all.arp_accept":
                self.arp_accept = number == 1
            case "net.ipv4.conf.all.proxy_arp":
                self.proxy_arp = number == 1
            case "net.ipv4.neigh.default.base_reachable_time_ms":
                self.base_reachable_time = number * MILLISECOND
            case "net.ipv4.neigh.default.delay_first_probe_time":
                self.delay_first_probe = number * SECOND
            case "net.ipv4.neigh.default.gc_thresh3":
                self.table_limit = number
            case "net.ipv4.neigh.default.mcast_solicit":
                self.multicast_probes = number
            case "net.ipv4.neigh.default.retrans_time_ms":
                self.retransmit = number * MILLISECOND
            case "net.ipv4.neigh.default.ucast_solicit":
                self.unicast_probes = number
            case "net.ipv4.neigh.default.unres_qlen":
                self.queue_packets = number
            case "net.ipv6.conf.all.accept_ra":
                self.accept_ra = number == 1
            case "net.ipv6.conf.all.dad_transmits":
                self.dad_transmits = number
            case _:  # net.ipv6.conf.all.optimistic_dad
                self.optimistic_dad = number == 1

    def copy_from(self, other: NeighborConfig) -> None:
        """Takes over every value of `other`."""
        self.base_reachable_time = other.base_reachable_time
        self.delay_first_probe = other.delay_first_probe
        self.retransmit = other.retransmit
        self.multicast_probes = other.multicast_probes
        self.unicast_probes = other.unicast_probes
        self.queue_packets = other.queue_packets
        self.table_limit = other.table_limit
        self.arp_accept = other.arp_accept
        self.proxy_arp = other.proxy_arp
        self.binding_strict = other.binding_strict
        self.dad_transmits = other.dad_transmits
        self.optimistic_dad = other.optimistic_dad
        self.accept_ra = other.accept_ra
        self.accept_redirects = other.accept_redirects
        self.eui64 = other.eui64
