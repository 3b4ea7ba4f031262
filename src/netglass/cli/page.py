"""The web page of `netglass up`: the host's own sockets, and what was counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from netglass.sockets.place import Place
from netglass.tools.services import Tally
from netglass.trace.entries import as_json
from netglass.trace.table import NETSTAT_HEADS, netstat_rows

REFRESH: Final = 1  # seconds; the browser does it by itself
MOST_ROWS: Final = 500
HTML: Final = "text/html"
JSON: Final = "application/json"

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
div { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; white-space: nowrap }
th { border-bottom: 1px solid; font-weight: 600 }
td.number, th.number { text-align: right }
"""


def html_page(place: Place, tally: Tally) -> bytes:
    now = place.world.now()
    entries = place.core.sockets()
    rows = netstat_rows(entries[:MOST_ROWS], now)
    more = f"<p>and {len(entries) - MOST_ROWS:,} more</p>" if len(entries) > MOST_ROWS else ""
    interfaces = [[each.name, str(each.in_packets), str(each.out_packets)] for each in place.core.interfaces.values()]
    counts = [*counted(tally.counts), *counted(place.core.counters.counts)]
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{REFRESH}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(place.name)}: sockets</title><style>{_STYLE}</style></head><body>",
        f"<h1>The sockets of {escape(place.name)}</h1>",
        table(NETSTAT_HEADS, rows, (1, 2)),
        more,
        "<h2>Packets</h2>",
        table(("Interface", "in", "out"), interfaces, (1, 2)),
        "<h2>Counted</h2>" if counts else "",
        table(("What", "Times"), counts, (1,)) if counts else "",
        '<p><a href="/sockets.json">The same as JSON</a></p></body></html>\n',
    ]
    return "\n".join([each for each in parts if each]).encode()


def json_page(place: Place, tally: Tally) -> bytes:
    now = place.world.now()
    found = {
        "host": place.name,
        "sockets": [as_json(each, now) for each in place.core.sockets()],
        "interfaces": {
            each.name: {"in_packets": each.in_packets, "out_packets": each.out_packets}
            for each in place.core.interfaces.values()
        },
        "services": dict(tally.counts),
        "counters": place.core.counters.counts,
    }
    return json.dumps(found).encode() + b"\n"


def counted(counts: Mapping[str, int]) -> list[list[str]]:
    return [[name, f"{count:,}"] for name, count in sorted(counts.items())]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    lines = [row("th", heads, right), *[row("td", each, right) for each in rows]]
    return "<div><table>\n" + "\n".join(lines) + "\n</table></div>"


def row(tag: str, cells: Sequence[str], right: Sequence[int]) -> str:
    marks = [' class="number"' if number in right else "" for number in range(len(cells))]
    return "<tr>" + "".join([f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, cells, strict=True)]) + "</tr>"
