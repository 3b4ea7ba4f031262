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
        if name not in _SYSCTLS:
            known = ", ".join(sorted([*_SYSCTLS, "net.ipv4.tcp_congestion_control"]))
            raise MisuseError(f"there is no sysctl {name!r} here; there are {known}")
        count, least, most = _SYSCTLS[name]
        numbers = _numbers(name, value, count, least, most)
        if name in SYSCTLS:
            self.neighbor.set(name, numbers[0])
        elif count > 1:
            self._set_several(name, numbers)
        elif most == 1:
            self._set_switch(name, numbers[0] == 1)
        elif not (self._set_time(name, numbers[0]) or self._set_retries(name, numbers[0])):
            self._set_number(name, numbers[0])

    def _set_several(self, name: str, numbers: list[int]) -> None:
        if numbers != sorted(numbers):
            raise MisuseError(f"the numbers of {name} must rise; these are {numbers}")
        if name == "net.ipv4.tcp_rmem":
            self.tcp.rmem = (numbers[0], numbers[1], numbers[2])
        elif name == "net.ipv4.tcp_wmem":
            self.tcp.wmem = (numbers[0], numbers[1], numbers[2])
        else:
            self.port_range = (numbers[0], numbers[1])

    def _set_switch(self, name: str, on: bool) -> None:
        tcp = self.tcp
        match name:
            case "net.ipv4.tcp_window_scaling":
                tcp.window_scaling = on
            case "net.ipv4.tcp_timestamps":
                tcp.timestamps = on
            case "net.ipv4.tcp_sack":
                tcp.sack = on
            case "net.ipv4.tcp_rfc1337":
                tcp.rfc1337 = on
            case "net.ipv4.tcp_tw_reuse":
                tcp.tw_reuse = on
            case "net.ipv4.tcp_slow_start_after_idle":
                tcp.slow_start_after_idle = on
            case "net.ipv4.tcp_abort_on_overflow":
                tcp.abort_on_overflow = on
            case "net.ipv4.icmp_echo_ignore_all":
                self.echo_ignore_all = on
            case "net.ipv4.conf.all.accept_redirects":
                self.accept_redirects = on
            case "net.ipv4.conf.all.send_redirects":
                self.send_redirects = on
            case _:  # net.ipv4.ip_forward, net.ipv6.conf.all.forwarding
                self.forwarding = on

    def _set_time(self, name: str, number: int) -> bool:
        """False if `name` is no time."""
        tcp = self.tcp
        match name:
            case "net.ipv4.tcp_keepalive_time":
                tcp.keepalive_time = number * SECOND
            case "net.ipv4.tcp_keepalive_intvl":
                tcp.keepalive_intvl = number * SECOND
            case "net.ipv4.tcp_fin_timeout":
                tcp.fin_timeout = number * SECOND
            case "net.ipv4.tcp_invalid_ratelimit":
                tcp.invalid_ratelimit = number * MILLISECOND
            case "net.ipv4.tcp_rto_min_us":
                tcp.rto_min = number * MICROSECOND
            case "net.ipv4.tcp_rto_max_ms":
                tcp.rto_max = number * MILLISECOND
            case "net.ipv4.icmp_ratelimit":
                self.icmp_interval = number * MILLISECOND
            case "net.ipv6.icmp.ratelimit":
                self.icmp6_interval = number * MILLISECOND
            case "net.ipv4.ipfrag_time":
                self.ipfrag_time = number * SECOND
            case "net.ipv6.ip6frag_time":
                self.ip6frag_time = number * SECOND
            case _:
                return False
        return True

    def _set_retries(self, name: str, number: int) -> bool:
        tcp = self.tcp
        match name:
            case "net.ipv4.tcp_syn_linear_timeouts":
                tcp.syn_linear_timeouts = number
            case "net.ipv4.tcp_syn_retries":
                tcp.syn_retries = number
            case "net.ipv4.tcp_synack_retries":
                tcp.synack_retries = number
            case "net.ipv4.tcp_retries2":
                tcp.retries2 = number
            case "net.ipv4.tcp_orphan_retries":
                tcp.orphan_retries = number or 8  # Linux tcp_orphan_retries(): 0 means 8
            case _:
                return False
        return True

    def _set_number(self, name: str, number: int) -> None:
        tcp = self.tcp
        match name:
            case "net.ipv4.tcp_reordering":
                tcp.reordering = number
            case "net.ipv4.tcp_keepalive_probes":
                tcp.keepalive_probes = number
            case "net.ipv4.tcp_syncookies":
                tcp.syncookies = number
            case "net.ipv4.tcp_max_syn_backlog":
                tcp.syn_queue_limit = number
            case "net.ipv4.tcp_challenge_ack_limit":
                tcp.challenge_ack_limit = NEVER if number == _MOST else number
            case "net.core.somaxconn":
                tcp.somaxconn = number
            case "net.ipv4.icmp_msgs_per_sec":
                self.icmp_msgs_per_sec = number
            case "net.ipv4.icmp_msgs_burst":
                self.icmp_msgs_burst = number
            case "net.ipv4.ipfrag_high_thresh":
                self.ipfrag_high_thresh = number
            case "net.ipv6.ip6frag_high_thresh":
                self.ip6frag_high_thresh = number
            case "net.ipv4.ip_default_ttl":
                self.default_ttl_hops = number
            case _:  # net.ipv4.ip_unprivileged_port_start
                self.unprivileged_port_start = number

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


_SWITCH: Final = (1, 0, 1)

# How many numbers, and between which bounds each of them lies.
_SYSCTLS: Final[dict[str, tuple[int, int, int]]] = {
    **SYSCTLS,
    "net.core.somaxconn": (1, 0, _MOST),
    "net.ipv4.conf.all.accept_redirects": _SWITCH,
    "net.ipv4.conf.all.send_redirects": _SWITCH,
    "net.ipv4.icmp_echo_ignore_all": _SWITCH,
    "net.ipv4.icmp_msgs_burst": (1, 0, _MOST),
    "net.ipv4.icmp_msgs_per_sec": (1, 0, _MOST),
    "net.ipv4.icmp_ratelimit": (1, 0, _MOST),
    "net.ipv4.ip_default_ttl": (1, 1, 255),
    "net.ipv4.ip_forward": _SWITCH,
    "net.ipv4.ip_local_port_range": (2, 1, 65535),
    "net.ipv4.ip_unprivileged_port_start": (1, 0, 65535),
    "net.ipv4.ipfrag_high_thresh": (1, 0, _MOST),
    "net.ipv4.ipfrag_time": (1, 0, _MOST),
    "net.ipv4.tcp_abort_on_overflow": _SWITCH,
    "net.ipv4.tcp_challenge_ack_limit": (1, 0, _MOST),
    "net.ipv4.tcp_fin_timeout": (1, 0, _MOST),
    "net.ipv4.tcp_invalid_ratelimit": (1, 0, _MOST),
    "net.ipv4.tcp_keepalive_intvl": (1, 1, 32767),
    "net.ipv4.tcp_keepalive_probes": (1, 0, 255),
    "net.ipv4.tcp_keepalive_time": (1, 1, 32767),
    "net.ipv4.tcp_max_syn_backlog": (1, 0, _MOST),
    "net.ipv4.tcp_orphan_retries": (1, 0, 255),
    "net.ipv4.tcp_reordering": (1, 1, 300),
    "net.ipv4.tcp_retries2": (1, 0, 255),
    "net.ipv4.tcp_rfc1337": _SWITCH,
    "net.ipv4.tcp_rmem": (3, 1, _MOST),
    "net.ipv4.tcp_rto_max_ms": (1, 1000, 120_000),
    "net.ipv4.tcp_rto_min_us": (1, 1, _MOST),
    "net.ipv4.tcp_sack": _SWITCH,
    "net.ipv4.tcp_slow_start_after_idle": _SWITCH,
    "net.ipv4.tcp_syn_linear_timeouts": (1, 0, 127),
    "net.ipv4.tcp_syn_retries": (1, 1, 127),
    "net.ipv4.tcp_synack_retries": (1, 0, 255),
    "net.ipv4.tcp_syncookies": (1, 0, 2),
    "net.ipv4.tcp_timestamps": _SWITCH,
    "net.ipv4.tcp_tw_reuse": _SWITCH,
    "net.ipv4.tcp_window_scaling": _SWITCH,
    "net.ipv4.tcp_wmem": (3, 1, _MOST),
    "net.ipv6.conf.all.forwarding": _SWITCH,
    "net.ipv6.icmp.ratelimit": (1, 0, _MOST),
    "net.ipv6.ip6frag_high_thresh": (1, 0, _MOST),
    "net.ipv6.ip6frag_time": (1, 0, _MOST),
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
