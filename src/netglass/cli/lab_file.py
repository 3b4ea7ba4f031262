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

import ast
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from netglass.errors import MisuseError
from netglass.lab.network import Network
from netglass.network import faults, match
from netglass.network.fault import Fault
from netglass.sockets.place import Place
from netglass.sockets.resolver import Resolver

HOST_KEYS: Final = frozenset({"addresses", "resolver", "router", "run", "serve"})
CABLE_KEYS: Final = frozenset(
    {"between", "delay", "rate", "queue", "mtu", "jitter", "loss", "reorder", "faults", "offload"}
    | {"ethernet", "vlan", "trunk"}
)
SWITCH_KEYS: Final = frozenset({"ageing", "table_limit", "stp"})
TOP_KEYS: Final = frozenset({"seed", "hosts", "switches", "cables"})

_NAMES: Final[dict[str, object]] = {
    name: value
    for module in (match, faults)
    for name, value in vars(module).items()
    if not name.startswith("_") and getattr(value, "__module__", "").startswith("netglass.network")
} | {"match": match, "faults": faults, "ALL": getattr(faults, "ALL", None)}

_ALLOWED: Final = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.keyword, ast.Attribute),
    *(ast.BinOp, ast.BitAnd, ast.BitOr, ast.UnaryOp, ast.Invert, ast.USub, ast.Tuple, ast.List),
)


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
    except (OSError, ValueError) as error:
        raise MisuseError(f"{path}: {error}") from None
    try:
        return build(table, path.resolve().parent, seed)
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from None


def build(table: Mapping[str, Any], directory: Path, seed: int | None = None) -> Lab:
    check_keys("the file", table, TOP_KEYS)
    net = Network(seed=table.get("seed", 1) if seed is None else seed)
    programs: list[Program] = []
    for name, about in table.get("hosts", {}).items():
        check_keys(f"host {name}", about, HOST_KEYS)
        make = net.router if about.get("router", False) else net.host
        host = make(name, *about.get("addresses", ()))
        servers = texts(about, "resolver")
        if servers:
            host.resolver = Resolver(*servers)
        for key in ("serve", "run"):
            lines = texts(about, key)
            programs.extend(Program(host, shlex.split(line), key == "serve", directory) for line in lines)
    for name, about in table.get("switches", {}).items():
        check_keys(f"switch {name}", about, SWITCH_KEYS)
        net.switch(name, **about)
    for about in table.get("cables", []):
        check_keys("a cable", about, CABLE_KEYS)
        options = {key: value for key, value in about.items() if key != "between"}
        options["faults"] = [fault(text) for text in about.get("faults", [])]
        ends = about.get("between", [])
        if len(ends) != 2:
            raise MisuseError(f'a cable is between two hosts, between = ["client", "server"]; this is {ends!r}')
        net.cable(ends[0], ends[1], **options)
    return Lab(net, programs)


def texts(table: Mapping[str, Any], key: str) -> list[str]:
    """One text, or several, or none."""
    value = table.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def check_keys(what: str, table: Mapping[str, Any], allowed: frozenset[str]) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise MisuseError(f"{what} has no {', '.join(unknown)}; there are {', '.join(sorted(allowed))}")


def fault(text: str) -> Fault:
    """What `text` says, as in Python: "drop(third_ack)", "loss(0.05)", "drop(data & match.to('server'), nth=3)"."""
    try:
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED) or (isinstance(node, ast.Attribute) and node.attr.startswith("_")):
                raise MisuseError(f"a fault is made of calls, names and numbers; this is {text!r}")
        made = eval(compile(tree, "fault", "eval"), {"__builtins__": {}}, _NAMES)
    except (SyntaxError, NameError, TypeError, AttributeError) as error:
        raise MisuseError(f"{text!r} is no fault: {error}") from None
    if not isinstance(made, Fault):
        raise MisuseError(f"{text!r} is no fault; write it like drop(syn)")
    return made
