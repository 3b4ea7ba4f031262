"""Tables in plain text: sockets as netstat and ss list them, counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from netglass.host.table import SocketEntry
from netglass.sockets.place import Place
from netglass.times import NEVER, SECOND
from netglass.wire.address import text as address_text
from netglass.wire.ethernet import mac_text

_NETSTAT_NAMES: Final[dict[str, str]] = {
    "CLOSED": "CLOSE",
    "SYN-RECEIVED": "SYN_RECV",
    "SYN-SENT": "SYN_SENT",
    "FIN-WAIT-1": "FIN_WAIT1",
    "FIN-WAIT-2": "FIN_WAIT2",
    "CLOSE-WAIT": "CLOSE_WAIT",
    "LAST-ACK": "LAST_ACK",
    "TIME-WAIT": "TIME_WAIT",
}
_SS_NAMES: Final[dict[str, str]] = {
    "": "UNCONN",
    "CLOSED": "UNCONN",
    "ESTABLISHED": "ESTAB",
    "SYN-RECEIVED": "SYN-RECV",
}
_NETSTAT_TIMERS: Final[dict[str, str]] = {
    "": "off",
    "retransmission": "on",
    "syn-ack": "on",
    "keep-alive": "keepalive",
    "time-wait": "timewait",
    "fin-wait-2": "timewait",
    "persist": "probe",
}


Sockets = Place | Sequence[SocketEntry]
"""A host, or what its `netstat()` told."""


NETSTAT_HEADS: Final = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State", "Timer")


def netstat(entries: Sockets, now: int | None = None) -> str:
    """As `netstat -ant` writes them; with `now` as `netstat -anto` does, with the timers: (seconds left/retries/0)."""
    rows = netstat_rows(entries, now)
    return table(NETSTAT_HEADS if now is not None else NETSTAT_HEADS[:-1], rows, right=(1, 2))


def netstat_rows(entries: Sockets, now: int | None = None) -> list[list[str]]:
    """The cells of such a table, below `NETSTAT_HEADS`."""
    rows: list[list[str]] = []
    for each in _listed(entries):
        row = [each.proto, str(each.recv_q), "0" if each.state == "LISTEN" else str(each.send_q)]
        row += [_ends(each, each.local, each.local_port), _ends(each, each.remote, each.remote_port)]
        row.append(_NETSTAT_NAMES.get(each.state, each.state))
        if now is not None:
            row.append(_timer(each, now))
        rows.append(row)
    return rows


def ss(entries: Sockets) -> str:
    """As `ss -antu` writes them: of a listener, Recv-Q is the accept queue and Send-Q its backlog."""
    heads = ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port"]
    rows = [
        [
            each.proto.removesuffix("6"),
            _SS_NAMES.get(each.state, each.state),
            str(each.recv_q),
            str(each.send_q),
            _ends(each, each.local, each.local_port),
            _ends(each, each.remote, each.remote_port),
        ]
        for each in _listed(entries)
    ]
    return table(heads, rows, right=(2, 3))


def _listed(entries: Sockets) -> Sequence[SocketEntry]:
    return entries.core.sockets() if isinstance(entries, Place) else entries


def neighbors(place: Place) -> str:
    """As `ip neighbour` lists them: of every Ethernet interface, address, MAC and state."""
    now = place.world.now()
    rows: list[list[str]] = []
    for interface in place.core.interfaces.values():
        if interface.ethernet is None:
            continue
        for each in interface.ethernet.neighbors(now):
            mac = mac_text(each.mac) if each.mac else "-"
            state = f"{each.state_name} router" if each.router else each.state_name
            rows.append([address_text(each.address), interface.name, mac, state])
    return table(["Address", "Dev", "MAC", "State"], rows)


def counters(counts: Place | Mapping[str, int]) -> str:
    """Names and how often, the most frequent first: of a host, or of any counters."""
    found = counts.core.counters.counts if isinstance(counts, Place) else counts
    rows = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return table(["Counter", "Times"], [[name, f"{count:,}"] for name, count in rows], right=(1,))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Aligned columns, two spaces apart; the columns whose numbers are in `right` are set flush right."""
    lines = [list(heads), *[list(row) for row in rows]]
    widths = [max([len(line[column]) for line in lines]) for column in range(len(heads))]
    return "".join([_line(line, widths, right) for line in lines])


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip() + "\n"


def _ends(entry: SocketEntry, packed: bytes, port: int) -> str:
    six = entry.proto.endswith("6")
    address = address_text(packed) if packed else ("::" if six else "0.0.0.0")
    return f"{'[' + address + ']' if ':' in address else address}:{port or '*'}"


def _timer(entry: SocketEntry, now: int) -> str:
    name = _NETSTAT_TIMERS.get(entry.timer, entry.timer)
    left = 0 if entry.timer_due == NEVER else max(entry.timer_due - now, 0)
    hundredths = (left * 100 + SECOND // 2) // SECOND
    return f"{name} ({hundredths // 100}.{hundredths % 100:02d}/{entry.retries}/0)"
