"""What a host's administrator sets: TCP (`tcp.config`) and the rest, by attribute or by Linux's sysctl name."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.ip.reassembly import DROP_ALL
from netglass.neighbor.config import SYSCTLS, NeighborConfig
from netglass.tcp import congestion
from netglass.tcp.config import TcpConfig
from netglass.times import MICROSECOND, MILLISECOND, NEVER, SECOND

_MOST: Final = (1 << 31) - 1


class HostConfig:
    """One host. The defaults are Linux's; names follow its sysctls."""

    __slots__ = (
        "accept_redirects",
        "default_ttl_hops",
        "echo_ignore_all",
        "forwarding",
        "fragment_overlap",
        "icmp6_interval",
        "icmp_interval",
        "icmp_msgs_burst",
        "icmp_msgs_per_sec",
        "ip6frag_high_thresh",
        "ip6frag_time",
        "ipfrag_high_thresh",
        "ipfrag_time",
        "neighbor",
        "port_range",
        "send_redirects",
        "tcp",
        "unprivileged_port_start",
    )

    def __init__(self) -> None:
        self.tcp: TcpConfig = TcpConfig()
        self.neighbor: NeighborConfig = NeighborConfig()  # of Ethernet interfaces that are added from then on
        # net.ipv4.ip_forward, net.ipv6.conf.all.forwarding: the host is a router.
        self.forwarding: bool = False
        self.default_ttl_hops: int = 64  # net.ipv4.ip_default_ttl
        self.port_range: tuple[int, int] = (32768, 60999)  # net.ipv4.ip_local_port_range, both ends included
        # net.ipv4.ip_unprivileged_port_start; 1024 refuses lower ports with EACCES.
        self.unprivileged_port_start: int = 0
        self.echo_ignore_all: bool = False  # net.ipv4.icmp_echo_ignore_all
        # ICMP errors are limited twice (RFC 1812 §4.3.2.8): to one destination one in this time, six in a row; and to
        # all together so many a second, so many in a row. 0: no limit. net.ipv4.icmp_ratelimit and
        # net.ipv6.icmp.ratelimit; icmp_msgs_per_sec, icmp_msgs_burst.
        self.icmp_interval: int = SECOND
        self.icmp6_interval: int = 100 * MILLISECOND
        self.icmp_msgs_per_sec: int = 1000
        self.icmp_msgs_burst: int = 50
        self.accept_redirects: bool = True  # net.ipv4.conf.all.accept_redirects; a router never does
        self.send_redirects: bool = True  # net.ipv4.conf.all.send_redirects, for routers
        # How long fragments wait for the others, and how many bytes of them (net.ipv4.ipfrag_time and so on).
        self.ipfrag_time: int = 30 * SECOND
        self.ipfrag_high_thresh: int = 4 << 20
        self.ip6frag_time: int = 60 * SECOND
        self.ip6frag_high_thresh: int = 4 << 20
        self.fragment_overlap: int = DROP_ALL  # or FIRST_WINS, LAST_WINS (`ip.reassembly`), as stacks of old had it

    def set(self, name: str, value: int | str) -> None:
        """sysctl -w name=value, in sysctl's units: `set("net.ipv4.tcp_fin_timeout", 30)`, `set("net.ipv4.tcp_rmem",
        "4096 131072 6291456")`.

        MisuseError for an unknown name (the text lists the known ones) or a value out of bounds.
        """
        if name == "net.ipv4.tcp_congestion_control":
            control = str(value).strip()
            if control not in congestion.names():
                raise MisuseError(f"{name} is one of {', '.join(congestion.names())}; this is {value!r}")
            self.tcp.congestion_control = control
            return
        if name not in _SYSCTLS and name not in SYSCTLS:
            known = ", ".join(sorted([*_SYSCTLS, *SYSCTLS, "net.ipv4.tcp_congestion_control"]))
            raise MisuseError(f"there is no sysctl {name!r} here; there are {known}")
        if name in SYSCTLS:
            count, least, most = SYSCTLS[name]
            self.neighbor.set(name, _numbers(name, value, count, least, most)[0])
            return
        known_one = _SYSCTLS[name]
        numbers = _numbers(name, value, known_one.count, known_one.least, known_one.most)
        if numbers != sorted(numbers):
            raise MisuseError(f"the numbers of {name} must rise; these are {numbers}")
        setattr(self.tcp if known_one.owner == _TCP else self, known_one.attribute, known_one.meant(numbers))

    def copy_from(self, other: HostConfig) -> None:
        """Takes over every value of `other`; the hosts that use this configuration see them."""
        self.forwarding = other.forwarding
        self.default_ttl_hops = other.default_ttl_hops
        self.port_range = other.port_range
        self.unprivileged_port_start = other.unprivileged_port_start
        self.echo_ignore_all = other.echo_ignore_all
        self.icmp_interval = other.icmp_interval
        self.icmp6_interval = other.icmp6_interval
        self.icmp_msgs_per_sec = other.icmp_msgs_per_sec
        self.icmp_msgs_burst = other.icmp_msgs_burst
        self.accept_redirects = other.accept_redirects
        self.send_redirects = other.send_redirects
        self.ipfrag_time = other.ipfrag_time
        self.ipfrag_high_thresh = other.ipfrag_high_thresh
        self.ip6frag_time = other.ip6frag_time
        self.ip6frag_high_thresh = other.ip6frag_high_thresh
        self.fragment_overlap = other.fragment_overlap
        self.neighbor.copy_from(other.neighbor)
        _copy_tcp(self.tcp, other.tcp)


_HOST: Final = 0
_TCP: Final = 1


class Sysctl:
    """Where a name's value is kept, and between which bounds its numbers lie."""

    __slots__ = ("attribute", "count", "least", "most", "owner", "switch", "unit")

    def __init__(
        self, owner: int, attribute: str, least: int, most: int, unit: int = 1, count: int = 1, switch: bool = False
    ) -> None:
        self.owner: int = owner  # _HOST or _TCP
        self.attribute: str = attribute
        self.least: int = least
        self.most: int = most
        self.unit: int = unit  # ns, of a time
        self.count: int = count  # of numbers
        self.switch: bool = switch

    def meant(self, numbers: list[int]) -> int | bool | tuple[int, ...]:
        """What is kept."""
        if self.count > 1:
            return tuple(numbers)
        if self.switch:
            return numbers[0] == 1
        if self.attribute == "orphan_retries":
            return numbers[0] or 8  # Linux tcp_orphan_retries(): 0 means 8
        if self.attribute == "challenge_ack_limit" and numbers[0] == _MOST:
            return NEVER
        return numbers[0] * self.unit


_SYSCTLS: Final[dict[str, Sysctl]] = {
    "net.core.somaxconn": Sysctl(_TCP, "somaxconn", 0, _MOST),
    "net.ipv4.conf.all.accept_redirects": Sysctl(_HOST, "accept_redirects", 0, 1, switch=True),
    "net.ipv4.conf.all.send_redirects": Sysctl(_HOST, "send_redirects", 0, 1, switch=True),
    "net.ipv4.icmp_echo_ignore_all": Sysctl(_HOST, "echo_ignore_all", 0, 1, switch=True),
    "net.ipv4.icmp_msgs_burst": Sysctl(_HOST, "icmp_msgs_burst", 0, _MOST),
    "net.ipv4.icmp_msgs_per_sec": Sysctl(_HOST, "icmp_msgs_per_sec", 0, _MOST),
    "net.ipv4.icmp_ratelimit": Sysctl(_HOST, "icmp_interval", 0, _MOST, unit=MILLISECOND),
    "net.ipv4.ip_default_ttl": Sysctl(_HOST, "default_ttl_hops", 1, 255),
    "net.ipv4.ip_forward": Sysctl(_HOST, "forwarding", 0, 1, switch=True),
    "net.ipv4.ip_local_port_range": Sysctl(_HOST, "port_range", 1, 65535, count=2),
    "net.ipv4.ip_unprivileged_port_start": Sysctl(_HOST, "unprivileged_port_start", 0, 65535),
    "net.ipv4.ipfrag_high_thresh": Sysctl(_HOST, "ipfrag_high_thresh", 0, _MOST),
    "net.ipv4.ipfrag_time": Sysctl(_HOST, "ipfrag_time", 0, _MOST, unit=SECOND),
    "net.ipv4.tcp_abort_on_overflow": Sysctl(_TCP, "abort_on_overflow", 0, 1, switch=True),
    "net.ipv4.tcp_challenge_ack_limit": Sysctl(_TCP, "challenge_ack_limit", 0, _MOST),
    "net.ipv4.tcp_fin_timeout": Sysctl(_TCP, "fin_timeout", 0, _MOST, unit=SECOND),
    "net.ipv4.tcp_invalid_ratelimit": Sysctl(_TCP, "invalid_ratelimit", 0, _MOST, unit=MILLISECOND),
    "net.ipv4.tcp_keepalive_intvl": Sysctl(_TCP, "keepalive_intvl", 1, 32767, unit=SECOND),
    "net.ipv4.tcp_keepalive_probes": Sysctl(_TCP, "keepalive_probes", 0, 255),
    "net.ipv4.tcp_keepalive_time": Sysctl(_TCP, "keepalive_time", 1, 32767, unit=SECOND),
    "net.ipv4.tcp_max_syn_backlog": Sysctl(_TCP, "syn_queue_limit", 0, _MOST),
    "net.ipv4.tcp_orphan_retries": Sysctl(_TCP, "orphan_retries", 0, 255),
    "net.ipv4.tcp_reordering": Sysctl(_TCP, "reordering", 1, 300),
    "net.ipv4.tcp_retries2": Sysctl(_TCP, "retries2", 0, 255),
    "net.ipv4.tcp_rfc1337": Sysctl(_TCP, "rfc1337", 0, 1, switch=True),
    "net.ipv4.tcp_rmem": Sysctl(_TCP, "rmem", 1, _MOST, count=3),
    "net.ipv4.tcp_rto_max_ms": Sysctl(_TCP, "rto_max", 1000, 120_000, unit=MILLISECOND),
    "net.ipv4.tcp_rto_min_us": Sysctl(_TCP, "rto_min", 1, _MOST, unit=MICROSECOND),
    "net.ipv4.tcp_sack": Sysctl(_TCP, "sack", 0, 1, switch=True),
    "net.ipv4.tcp_slow_start_after_idle": Sysctl(_TCP, "slow_start_after_idle", 0, 1, switch=True),
    "net.ipv4.tcp_syn_linear_timeouts": Sysctl(_TCP, "syn_linear_timeouts", 0, 127),
    "net.ipv4.tcp_syn_retries": Sysctl(_TCP, "syn_retries", 1, 127),
    "net.ipv4.tcp_synack_retries": Sysctl(_TCP, "synack_retries", 0, 255),
    "net.ipv4.tcp_syncookies": Sysctl(_TCP, "syncookies", 0, 2),
    "net.ipv4.tcp_timestamps": Sysctl(_TCP, "timestamps", 0, 1, switch=True),
    "net.ipv4.tcp_tw_reuse": Sysctl(_TCP, "tw_reuse", 0, 1, switch=True),
    "net.ipv4.tcp_window_scaling": Sysctl(_TCP, "window_scaling", 0, 1, switch=True),
    "net.ipv4.tcp_wmem": Sysctl(_TCP, "wmem", 1, _MOST, count=3),
    "net.ipv6.conf.all.forwarding": Sysctl(_HOST, "forwarding", 0, 1, switch=True),
    "net.ipv6.icmp.ratelimit": Sysctl(_HOST, "icmp6_interval", 0, _MOST, unit=MILLISECOND),
    "net.ipv6.ip6frag_high_thresh": Sysctl(_HOST, "ip6frag_high_thresh", 0, _MOST),
    "net.ipv6.ip6frag_time": Sysctl(_HOST, "ip6frag_time", 0, _MOST, unit=SECOND),
}


def _numbers(name: str, value: int | str, count: int, least: int, most: int) -> list[int]:
    words = str(int(value) if isinstance(value, int) else value).split()
    if len(words) != count or not all(word.isdecimal() for word in words):
        form = "a whole number" if count == 1 else f"{count} whole numbers"
        raise MisuseError(f"{name} takes {form} from {least} to {most}; this is {value!r}")
    numbers = [int(word) for word in words]
    if min(numbers) < least or max(numbers) > most:
        raise MisuseError(f"{name} lies between {least} and {most}; this is {value!r}")
    return numbers


def _copy_tcp(to: TcpConfig, other: TcpConfig) -> None:
    to.window_scaling = other.window_scaling
    to.timestamps = other.timestamps
    to.sack = other.sack
    to.rmem = other.rmem
    to.wmem = other.wmem
    to.congestion_control = other.congestion_control
    to.initial_cwnd = other.initial_cwnd
    to.initial_rto = other.initial_rto
    to.rto_min = other.rto_min
    to.rto_max = other.rto_max
    to.delayed_ack = other.delayed_ack
    to.quick_acks = other.quick_acks
    to.reordering = other.reordering
    to.syn_linear_timeouts = other.syn_linear_timeouts
    to.syn_retries = other.syn_retries
    to.synack_retries = other.synack_retries
    to.syn_ack_rto = other.syn_ack_rto
    to.retries2 = other.retries2
    to.orphan_retries = other.orphan_retries
    to.keepalive_time = other.keepalive_time
    to.keepalive_intvl = other.keepalive_intvl
    to.keepalive_probes = other.keepalive_probes
    to.fin_timeout = other.fin_timeout
    to.msl = other.msl
    to.rfc1337 = other.rfc1337
    to.tw_reuse = other.tw_reuse
    to.slow_start_after_idle = other.slow_start_after_idle
    to.syncookies = other.syncookies
    to.cookie_secret = other.cookie_secret
    to.somaxconn = other.somaxconn
    to.syn_queue_limit = other.syn_queue_limit
    to.recycle_half_open = other.recycle_half_open
    to.abort_on_overflow = other.abort_on_overflow
    to.challenge_ack_limit = other.challenge_ack_limit
    to.invalid_ratelimit = other.invalid_ratelimit
    to.handshake_ack_required = other.handshake_ack_required
    to.fixed_isn = other.fixed_isn
