"""What a script's `--options` and the command line set: addresses, tolerances, checks. The command line wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from netglass.errors import MisuseError
from netglass.packetdrill.script import ScriptError, Setting
from netglass.times import MICROSECOND
from netglass.wire import address

IPV4: Final = "ipv4"
IPV6: Final = "ipv6"
MAPPED: Final = "ipv4-mapped-ipv6"
"""The sockets are IPv6, the packets IPv4 (RFC 4291 §2.5.5.2)."""

PORT: Final = 8080
MTU: Final = 1500
MTU_OVER_IPV6: Final = 1520
"""For a script that says nothing of IPv6 and is run over it from the command line: the header takes 20 bytes more, and
the MSS stays the 1460 that the script expects. A script that chooses IPv6 itself knows that its MSS is 1440."""


@dataclass(slots=True)
class Settings:
    """How one script runs. Times in nanoseconds."""

    ip_version: str = IPV4
    local_ip: str = ""  # "": by version
    remote_ip: str = ""
    prefix: int = 0  # of the local address; 0: by version
    bind_port: int = PORT
    connect_port: int = PORT
    mtu: int = MTU
    tolerance: int = 4000 * MICROSECOND
    tolerance_permille: int = 125  # of the time since the event before; the larger of the two counts
    timestamp_tick: int = 0  # 0: timestamps that come out are not checked; else how much time one of their ticks is
    interpolate_timestamps: bool = False  # an echoed timestamp may be one that never came out
    strict_segments: bool = False  # several small segments do not make up for a large one
    non_fatal: frozenset[str] = frozenset()  # "packet", "syscall": go on after a difference of this kind
    code_sockopt: str = ""  # what %{ code }% sees; "": TCP_INFO
    init_scripts: tuple[str, ...] = ()
    defines: dict[str, str] = field(default_factory=dict)
    verbose: bool = False
    dry_run: bool = False

    @property
    def wire_version(self) -> int:
        return 6 if self.ip_version == IPV6 else 4

    @property
    def local(self) -> bytes:
        return address.parse(self.local_ip or ("192.168.0.1" if self.wire_version == 4 else "fd3d:fa7b:d17d::1"))

    @property
    def remote(self) -> bytes:
        # 192.0.2.0/24 is TEST-NET-1 (RFC 5737), 2001:db8::/32 for documentation (RFC 3849).
        return address.parse(self.remote_ip or ("192.0.2.1" if self.wire_version == 4 else "2001:db8::1"))

    @property
    def local_prefix(self) -> int:
        return self.prefix or (16 if self.wire_version == 4 else 48)


def read_settings(head: Iterable[Setting], command_line: Iterable[Setting], path: str) -> Settings:
    """The script's own options, then those of the command line over them. Raises ScriptError for an unknown one."""
    settings = Settings()
    head, command_line = tuple(head), tuple(command_line)
    if ("ip_version", IPV6) in [(option.name, option.value) for option in command_line]:
        settings.mtu = MTU_OVER_IPV6
    for option in (*head, *command_line):
        try:
            _apply(settings, option.name, option.value)
        except (ValueError, MisuseError) as error:
            raise ScriptError(path, option.line, f"--{option.name}={option.value}: {error}") from None
    return settings


def _apply(settings: Settings, name: str, value: str) -> None:
    if name in _READERS:
        _READERS[name](settings, value)
    elif name not in _WITHOUT_MEANING:
        known = ", ".join(sorted([*_READERS, *_WITHOUT_MEANING]))
        raise ValueError(f"there is no such option, or it is not supported; there are {known}")


def _ip_version(settings: Settings, value: str) -> None:
    version = value.replace("_", "-")
    if version not in (IPV4, IPV6, MAPPED):
        raise ValueError(f"choose {IPV4}, {IPV6} or {MAPPED}")
    settings.ip_version = version


def _local_ip(settings: Settings, value: str) -> None:
    address.parse(value)
    settings.local_ip = value


def _remote_ip(settings: Settings, value: str) -> None:
    plain = value.partition("/")[0]
    address.parse(plain)
    settings.remote_ip = plain


def _netmask(settings: Settings, value: str) -> None:
    mask = int.from_bytes(address.parse(value), "big")
    settings.prefix = mask.bit_count()


def _port(value: str) -> int:
    port = int(value)
    if not 0 < port < 1 << 16:
        raise ValueError("a port lies between 1 and 65535")
    return port


def _bind_port(settings: Settings, value: str) -> None:
    settings.bind_port = _port(value)


def _connect_port(settings: Settings, value: str) -> None:
    settings.connect_port = _port(value)


def _mtu(settings: Settings, value: str) -> None:
    mtu = int(value)
    if not 68 <= mtu <= 65535:  # RFC 791: every link carries 68 bytes
        raise ValueError("an MTU lies between 68 and 65535")
    settings.mtu = mtu


def _tolerance(settings: Settings, value: str) -> None:
    settings.tolerance = int(value) * MICROSECOND


def _tolerance_percent(settings: Settings, value: str) -> None:
    whole, _, tenths = value.partition(".")
    settings.tolerance_permille = int(whole) * 10 + int((tenths or "0")[0])


def _timestamp_tick(settings: Settings, value: str) -> None:
    settings.timestamp_tick = int(value) * MICROSECOND


def _interpolate(settings: Settings, value: str) -> None:
    settings.interpolate_timestamps = True


def _strict(settings: Settings, value: str) -> None:
    settings.strict_segments = True


def _non_fatal(settings: Settings, value: str) -> None:
    kinds = frozenset(value.split(","))
    if kinds - {"packet", "syscall"}:
        raise ValueError("choose packet, syscall or packet,syscall")
    settings.non_fatal = kinds


def _code_sockopt(settings: Settings, value: str) -> None:
    if value != "TCP_INFO":
        raise ValueError("only TCP_INFO is supported")
    settings.code_sockopt = value


def _init_scripts(settings: Settings, value: str) -> None:
    settings.init_scripts = tuple(value.split(","))


def _define(settings: Settings, value: str) -> None:
    name, sign, text = value.partition("=")
    if not sign:
        raise ValueError("a word and what stands for it: write -D NAME=value")
    settings.defines[name] = text


def _verbose(settings: Settings, value: str) -> None:
    settings.verbose = True


def _dry_run(settings: Settings, value: str) -> None:
    settings.dry_run = True


_READERS: Final[dict[str, Callable[[Settings, str], None]]] = {
    "ip_version": _ip_version,
    "local_ip": _local_ip,
    "remote_ip": _remote_ip,
    "netmask_ip": _netmask,
    "bind_port": _bind_port,
    "connect_port": _connect_port,
    "mtu": _mtu,
    "tolerance_usecs": _tolerance,
    "tolerance_percent": _tolerance_percent,
    "tcp_ts_tick_usecs": _timestamp_tick,
    "tcp_ts_ecr_scaled": _interpolate,
    "strict_segments": _strict,
    "non_fatal": _non_fatal,
    "code_sockopt": _code_sockopt,
    "init_scripts": _init_scripts,
    "define": _define,
    "verbose": _verbose,
    "dry_run": _dry_run,
}

SWITCHES: Final = frozenset(
    {"tcp_ts_ecr_scaled", "strict_segments", "dry_run", "verbose", "is_anyip", "debug", "send_omit_free"}
)
"""Options that take no value."""

# What only a real interface, a real interpreter or real memory needs.
_WITHOUT_MEANING: Final = frozenset(
    {"gateway_ip", "speed", "mss", "is_anyip", "code_command", "code_format", "debug", "send_omit_free"}
)
