"""A lab described in TOML.

    seed = 7

    [hosts.client]
    run = "client.py --count 3"

    [hosts.server]
    serve = "-m http.server 80"      # as run, but nobody waits for its end
    addresses = ["192.0.2.80/24"]    # without any, its cables give it some

    resolver = "10.0.0.53"           # a DNS server, or several, for names that no host of the lab has

    [hosts.middle]
    router = true

    [[cables]]
    between = ["client", "middle"]
    delay = "20 ms"
    rate = "10 Mbit/s"
    faults = ["drop(syn)", "loss(0.01)"]

    [[cables]]
    between = ["middle", "server"]

    [switches.office]                # its cables carry Ethernet frames; vlan = 10 and trunk = [10, 20] are a cable's

Faults are written as in Python, with the names of `netglass.faults` and `netglass.match`. Scripts are found beside the
file.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from netglass.errors import MisuseError
from netglass.lab.fault_text import fault_of
from netglass.lab.network import Network
from netglass.sockets.place import Place
from netglass.sockets.resolver import Resolver

HOST_KEYS: Final = frozenset({"addresses", "resolver", "router", "run", "serve"})
CABLE_KEYS: Final = frozenset(
    {"between", "delay", "rate", "queue", "mtu", "jitter", "loss", "reorder", "faults", "offload"}
    | {"ethernet", "vlan", "trunk"}
)
SWITCH_KEYS: Final = frozenset({"ageing", "table_limit", "stp"})
TOP_KEYS: Final = frozenset({"seed", "hosts", "switches", "cables"})

TEXT: Final = (str,)
WHOLE: Final = (int,)
TIME: Final = (str, int)
YES_OR_NO: Final = (bool,)
LISTS: Final = frozenset({"addresses", "resolver", "run", "serve", "between", "faults", "trunk"})
"""One of what is in them needs no list."""

KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "seed": (WHOLE, "a whole number"),
    **dict.fromkeys(("run", "serve"), (TEXT, 'text such as "client.py --count 3", or a list of such texts')),
    "addresses": (TEXT, 'text such as "192.0.2.80/24", or a list of such texts'),
    "resolver": (TEXT, 'text such as "10.0.0.53", or a list of such texts'),
    **dict.fromkeys(("router", "stp", "reorder", "offload", "ethernet"), (YES_OR_NO, "true or false")),
    "between": (TEXT, 'two names of hosts or switches, such as ["client", "server"]'),
    "faults": (TEXT, 'text such as "drop(syn)", or a list of such texts'),
    **dict.fromkeys(("delay", "jitter", "ageing"), (TIME, 'text such as "20 ms", or whole nanoseconds')),
    "rate": (TIME, 'text such as "10 Mbit/s", or whole bits a second'),
    "queue": (TIME, 'text such as "64 KiB", or a number of packets'),
    "loss": ((str, int, float), 'text such as "5%", or a number from 0 to 1'),
    **dict.fromkeys(("mtu", "vlan", "table_limit"), (WHOLE, "a whole number")),
    "trunk": (WHOLE, "a list of whole numbers"),
}
"""What each key takes, and that in words."""


class Program(NamedTuple):
    host: Place
    words: list[str]  # as on the command line: SCRIPT ARGS... or -m MODULE ARGS...
    serves: bool
    directory: Path  # where its script is


class Lab(NamedTuple):
    network: Network
    programs: list[Program]


def read(path: Path, seed: int | None = None) -> Lab:
    """The lab that `path` describes; `seed` instead of the file's."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MisuseError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise MisuseError(f"{path}: {error}") from None
    try:
        return build(table, path.resolve().parent, seed)
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from None


def build(table: Mapping[str, Any], directory: Path, seed: int | None = None) -> Lab:
    check_keys("the file", table, TOP_KEYS)
    net = Network(seed=table.get("seed", 1) if seed is None else seed)
    programs: list[Program] = []
    for name, about in tables(table, "hosts").items():
        check_keys(f"host {name}", about, HOST_KEYS)
        make = net.router if about.get("router", False) else net.host
        host = make(name, *several(about, "addresses"))
        servers = several(about, "resolver")
        if servers:
            host.resolver = Resolver(*servers)
        for key in ("serve", "run"):
            lines = [words_of(name, key, line) for line in several(about, key)]
            programs.extend([Program(host, words, key == "serve", directory) for words in lines])
    for name, about in tables(table, "switches").items():
        check_keys(f"switch {name}", about, SWITCH_KEYS)
        net.switch(name, **about)
    cables = table.get("cables", [])
    if not isinstance(cables, list) or not all(isinstance(each, dict) for each in cables):
        raise MisuseError(f"a cable begins with a line [[cables]]; this is cables = {cables!r}")
    for about in cables:
        lay(net, about)
    return Lab(net, programs)


def lay(net: Network, about: Mapping[str, Any]) -> None:
    """One cable."""
    ends = [str(each) for each in several(about, "between")]
    what = f"cable {'-'.join(ends)}" if ends else "a cable"
    check_keys(what, about, CABLE_KEYS)
    if len(ends) != 2:
        raise MisuseError(f'a cable is between two hosts, between = ["client", "server"]; this is {ends!r}')
    options = {key: value for key, value in about.items() if key not in ("between", "faults", "trunk")}
    try:
        faults = [fault_of(text) for text in several(about, "faults")]
        net.cable(ends[0], ends[1], **options, faults=faults, trunk=several(about, "trunk"))
    except MisuseError as error:
        raise MisuseError(f"{what}: {error}") from None


def tables(table: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """[hosts.a], [hosts.b] ... of a file."""
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise MisuseError(f"each of the {key} begins with a line like [{key}.name]; this is {key} = {found!r}")
    for name, about in found.items():
        if not isinstance(about, dict):
            raise MisuseError(f"each of the {key} begins with a line like [{key}.{name}]; this is {name} = {about!r}")
    return found


def several(table: Mapping[str, Any], key: str) -> list[Any]:
    """One value, or several, or none."""
    value = table.get(key, [])
    return value if isinstance(value, list) else [value]


def words_of(host: str, key: str, line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise MisuseError(f"host {host}: {key} = {line!r}: {error}") from None
    if not words:
        raise MisuseError(f"host {host}: {key} takes {KINDS[key][1]}; this is {line!r}")
    return words


def check_keys(what: str, table: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Only keys that there are, and in them what they take."""
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise MisuseError(f"{what} has no {', '.join(unknown)}; there are {', '.join(sorted(allowed))}")
    for key, value in table.items():
        if key in KINDS:
            kinds, words = KINDS[key]
            values = value if key in LISTS and isinstance(value, list) else [value]
            if not all(type(each) in kinds for each in values):  # True is an int, and no number
                raise MisuseError(f"{what}: {key} takes {words}; this is {value!r}")
