"""What a host's administrator sets (`TcpConfig`, Linux's net.ipv4.tcp_* names) and what a socket sets (`TcpSettings`,
Linux's TCP_* names)."""

from __future__ import annotations

from typing import Final

from netglass.times import HOUR, MILLISECOND, MINUTE, NEVER, SECOND

COOKIES_NEVER: Final = 0
COOKIES_WHEN_FULL: Final = 1
COOKIES_ALWAYS: Final = 2


class TcpConfig:
    """One host's TCP. The defaults are Linux 6.x's, where Linux has the switch; sizes in bytes, times in
    nanoseconds."""

    __slots__ = (
        "abort_on_overflow",
        "challenge_ack_limit",
        "congestion_control",
        "cookie_secret",
        "delayed_ack",
        "fin_timeout",
        "fixed_isn",
        "handshake_ack_required",
        "initial_cwnd",
        "initial_rto",
        "invalid_ratelimit",
        "keepalive_intvl",
        "keepalive_probes",
        "keepalive_time",
        "msl",
        "orphan_retries",
        "quick_acks",
        "recycle_half_open",
        "reordering",
        "retries2",
        "rfc1337",
        "rmem",
        "rto_max",
        "rto_min",
        "sack",
        "slow_start_after_idle",
        "somaxconn",
        "syn_ack_rto",
        "syn_linear_timeouts",
        "syn_queue_limit",
        "syn_retries",
        "synack_retries",
        "syncookies",
        "timestamps",
        "tw_reuse",
        "window_scaling",
        "wmem",
    )

    def __init__(self) -> None:
        self.window_scaling: bool = True  # tcp_window_scaling
        self.timestamps: bool = True  # tcp_timestamps
        self.sack: bool = True  # tcp_sack
        self.rmem: tuple[int, int, int] = (
            4096,
            1 << 20,
            6 << 20,
        )  # tcp_rmem: least, default, most; the most decides the window scale
        self.wmem: tuple[int, int, int] = (4096, 1 << 20, 4 << 20)  # tcp_wmem
        self.congestion_control: str = "cubic"  # tcp_congestion_control
        self.initial_cwnd: int = 10  # segments (RFC 6928)
        self.initial_rto: int = 1 * SECOND  # RFC 6298 §2.1
        self.rto_min: int = 200 * MILLISECOND  # Linux TCP_RTO_MIN; RFC 6298 §2.4 says 1 s
        self.rto_max: int = 2 * MINUTE  # tcp_rto_max_ms
        self.delayed_ack: int = 40 * MILLISECOND  # Linux TCP_DELACK_MIN; RFC 9293 §3.8.6.3 allows 500 ms
        self.quick_acks: int = (
            16  # segments acknowledged at once at the start of a connection (Linux TCP_MAX_QUICKACKS)
        )
        self.reordering: int = 3  # tcp_reordering: duplicate ACKs that mean a loss (RFC 5681 §3.2)
        self.syn_retries: int = 6  # tcp_syn_retries
        # tcp_syn_linear_timeouts: SYNs repeated each second before they double. Linux 6.5 and later: 4. Here 0, as RFC
        # 6298.
        self.syn_linear_timeouts: int = 0
        self.synack_retries: int = 5  # tcp_synack_retries
        self.syn_ack_rto: int = 1 * SECOND
        self.retries2: int = 15  # tcp_retries2
        self.orphan_retries: int = 8  # tcp_orphan_retries (0 means 8)
        self.keepalive_time: int = 2 * HOUR  # tcp_keepalive_time
        self.keepalive_intvl: int = 75 * SECOND
        self.keepalive_probes: int = 9
        self.fin_timeout: int = 60 * SECOND  # tcp_fin_timeout: an orphan in FIN-WAIT-2
        self.msl: int = 30 * SECOND  # TIME-WAIT lasts two of them; Linux's TCP_TIMEWAIT_LEN is 60 s
        self.rfc1337: bool = False  # tcp_rfc1337: a RST does not end TIME-WAIT
        self.tw_reuse: bool = False  # tcp_tw_reuse: connect may take over a TIME-WAIT older than 1 s
        self.slow_start_after_idle: bool = True  # tcp_slow_start_after_idle
        self.syncookies: int = COOKIES_WHEN_FULL  # tcp_syncookies: 0 never, 1 when the SYN queue is full, 2 always
        self.cookie_secret: int = 0  # 0: drawn from the host's Rng
        self.somaxconn: int = 4096  # net.core.somaxconn
        self.syn_queue_limit: int = (
            0  # 0: as Linux, the listener's backlog + 1; else tcp_max_syn_backlog as a limit of its own
        )
        self.recycle_half_open: bool = False  # netglass: a full SYN queue drops its oldest entry and not the new SYN
        self.abort_on_overflow: bool = False  # tcp_abort_on_overflow: RST when the accept queue is full
        self.challenge_ack_limit: int = NEVER  # tcp_challenge_ack_limit: per second and host (RFC 5961 §7)
        self.invalid_ratelimit: int = (
            500 * MILLISECOND
        )  # tcp_invalid_ratelimit: between ACKs that answer the same kind of bad segment
        self.handshake_ack_required: bool = True  # False makes a two-way handshake, to show why it takes three
        self.fixed_isn: int = -1  # >= 0: every connection starts there, to show why it must not (RFC 6528)


class TcpSettings:
    """One socket's options; a listener hands its own to the connections it makes. Times in nanoseconds; -1: not set,
    the host's value counts."""

    __slots__ = (
        "congestion_control",
        "cork",
        "defer_accept",
        "fin_wait2_timeout",
        "keepalive",
        "keepalive_idle",
        "keepalive_interval",
        "keepalive_probes",
        "linger",
        "max_segment",
        "nodelay",
        "oob_inline",
        "quickack",
        "rcvbuf",
        "reuse_address",
        "sndbuf",
        "syn_count",
        "tos",
        "ttl",
        "user_timeout",
        "window_clamp",
    )

    def __init__(self) -> None:
        self.nodelay: bool = False  # TCP_NODELAY: Nagle off
        self.cork: bool = False  # TCP_CORK
        self.quickack: int = -1  # TCP_QUICKACK
        self.keepalive: bool = False  # SO_KEEPALIVE
        self.keepalive_idle: int = -1  # TCP_KEEPIDLE
        self.keepalive_interval: int = -1  # TCP_KEEPINTVL
        self.keepalive_probes: int = -1  # TCP_KEEPCNT
        self.user_timeout: int = 0  # TCP_USER_TIMEOUT (RFC 5482); 0: the retries decide
        self.linger: int = -1  # SO_LINGER: -1 off, 0 means RST on close
        self.fin_wait2_timeout: int = -1  # TCP_LINGER2; 0: none at all
        self.max_segment: int = 0  # TCP_MAXSEG; 0: from the interface
        self.window_clamp: int = 0  # TCP_WINDOW_CLAMP
        self.syn_count: int = -1  # TCP_SYNCNT: retries of a SYN, or of a listener's SYN-ACKs
        self.defer_accept: int = 0  # TCP_DEFER_ACCEPT, as a time
        self.oob_inline: bool = False  # SO_OOBINLINE
        self.rcvbuf: int = -1  # SO_RCVBUF (the usable bytes)
        self.sndbuf: int = -1  # SO_SNDBUF
        self.reuse_address: bool = False  # SO_REUSEADDR
        self.congestion_control: str = ""  # TCP_CONGESTION; "": the host's
        self.ttl: int = 64
        self.tos: int = 0

    def copy(self) -> TcpSettings:
        other = TcpSettings()
        other.nodelay = self.nodelay
        other.cork = self.cork
        other.quickack = self.quickack
        other.keepalive = self.keepalive
        other.keepalive_idle = self.keepalive_idle
        other.keepalive_interval = self.keepalive_interval
        other.keepalive_probes = self.keepalive_probes
        other.user_timeout = self.user_timeout
        other.linger = self.linger
        other.fin_wait2_timeout = self.fin_wait2_timeout
        other.max_segment = self.max_segment
        other.window_clamp = self.window_clamp
        other.syn_count = self.syn_count
        other.defer_accept = self.defer_accept
        other.oob_inline = self.oob_inline
        other.rcvbuf = self.rcvbuf
        other.sndbuf = self.sndbuf
        other.reuse_address = self.reuse_address
        other.congestion_control = self.congestion_control
        other.ttl = self.ttl
        other.tos = self.tos
        return other
