"""`netglass sockets`: a table of sockets, of a host of ours or of this machine."""

from __future__ import annotations

import json as jsonlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import typer

from netglass.cli.where import reported
from netglass.errors import MisuseError
from netglass.host.table import SocketEntry
from netglass.trace.entries import as_json, from_json, from_proc
from netglass.trace.table import NETSTAT_HEADS, netstat, netstat_rows

EPILOG = (
    "Examples:  netglass sockets   ·   netglass sockets --state SYN_RECV --json   ·   "
    "netglass sockets --url http://10.83.0.2/"
)
KERNEL: Final = Path("/proc/net")
TABLES: Final = ("tcp", "tcp6", "udp", "udp6")
LONGEST_PAGE: Final = 64 << 20
PATIENCE: Final = 10.0  # seconds
_STATE: Final = NETSTAT_HEADS.index("State")


def sockets(
    url: Annotated[
        str,
        typer.Option(metavar="URL", help="Of a running `netglass up`, such as http://10.83.0.2/.", show_default=False),
    ] = "",
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="Only these, such as SYN_RECV; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List sockets as netstat does, half-open connections (SYN_RECV) included: those of this Linux machine, or of a
    running `netglass up`."""
    with reported("sockets"):
        entries = of_url(url) if url else of_kernel()
        if state:
            wanted = [each.upper().replace("-", "_") for each in state]
            shown = zip(entries, netstat_rows(entries), strict=True)
            entries = [entry for entry, row in shown if row[_STATE] in wanted]
        if json:
            typer.echo(jsonlib.dumps({"sockets": [as_json(each, 0) for each in entries]}))
            return
        typer.echo(netstat(entries, 0), nl=False)
        typer.echo(summary(entries), err=True)


def summary(entries: list[SocketEntry]) -> str:
    """ "7 sockets: 4 LISTEN, 2 ESTABLISHED, 1 SYN_RECV"."""
    states = Counter([row[_STATE] or row[0] for row in netstat_rows(entries)])
    counts = ", ".join([f"{count:,} {state}" for state, count in states.most_common()])
    return f"{len(entries):,} socket{'' if len(entries) == 1 else 's'}{': ' if counts else ''}{counts}"


def of_kernel() -> list[SocketEntry]:
    """The tables that are there: a kernel may lack IPv6."""
    found = [name for name in TABLES if (KERNEL / name).exists()]
    if not found:
        raise MisuseError(f"{KERNEL} has no socket tables: this needs Linux; or ask a running `netglass up`: --url")
    return [entry for name in found for entry in from_proc(name, (KERNEL / name).read_text(encoding="ascii"))]


def of_url(url: str) -> list[SocketEntry]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise MisuseError(f"{url!r}: write it like http://10.83.0.2/")
    if parts.path in ("", "/"):
        url = parts._replace(path="/sockets.json").geturl()
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=PATIENCE) as page:
            text = page.read(LONGEST_PAGE)
    except HTTPError as error:
        error.close()
        raise MisuseError(f"{url}: {error}") from None
    except OSError as error:
        raise MisuseError(f"{url}: {getattr(error, 'reason', error)}") from None
    try:
        return [from_json(each) for each in jsonlib.loads(text)["sockets"]]
    except (ValueError, KeyError, TypeError):
        raise MisuseError(f"{url}: this is no list of sockets; a running `netglass up` has one") from None
