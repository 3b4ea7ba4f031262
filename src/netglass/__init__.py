"""netglass: a TCP/IP stack that you can see through, break on purpose, and run in virtual time.

    from netglass import Network, faults, match

Names are loaded when they are first used: importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from netglass.times import HOUR, MICROSECOND, MILLISECOND, MINUTE, NANOSECOND, NEVER, SECOND

if TYPE_CHECKING:
    from netglass.errors import MisuseError, NetglassError
    from netglass.host.config import HostConfig
    from netglass.lab.network import Network
    from netglass.lab.segments import forge
    from netglass.network import faults, match
    from netglass.probe import Probe
    from netglass.programs.call_log import CallLog
    from netglass.programs.kernel import Deadlock
    from netglass.programs.run import run, spawn
    from netglass.programs.threads import Refused
    from netglass.programs.watchdog import Hung
    from netglass.sockets.resolver import Resolver

_HOMES: Final[dict[str, str]] = {
    "CallLog": "netglass.programs.call_log",
    "Deadlock": "netglass.programs.kernel",
    "HostConfig": "netglass.host.config",
    "Hung": "netglass.programs.watchdog",
    "MisuseError": "netglass.errors",
    "NetglassError": "netglass.errors",
    "Network": "netglass.lab.network",
    "Probe": "netglass.probe",
    "Refused": "netglass.programs.threads",
    "Resolver": "netglass.sockets.resolver",
    "faults": "netglass.network",
    "forge": "netglass.lab.segments",
    "match": "netglass.network",
    "run": "netglass.programs.run",
    "spawn": "netglass.programs.run",
}

__all__ = [
    "Network",
    "HostConfig",
    "faults",
    "match",
    "run",
    "spawn",
    "CallLog",
    "forge",
    "Resolver",
    "Probe",
    "NetglassError",
    "MisuseError",
    "Deadlock",
    "Hung",
    "Refused",
    "NANOSECOND",
    "MICROSECOND",
    "MILLISECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "NEVER",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version("netglass")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'netglass' has no attribute {name!r}")
    if home == "netglass.network":
        return import_module(f"{home}.{name}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
