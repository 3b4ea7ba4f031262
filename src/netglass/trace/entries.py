"""Lines of a socket table as JSON, and those of a Linux machine as its /proc/net tells them (proc(5))."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from netglass.errors import MisuseError
from netglass.host.table import SocketEntry
from netglass.times import NEVER, SECOND
from netglass.wire.address import parse, text

JIFFY: Final = SECOND // 100  # USER_HZ, in which the kernel tells times to programs
NUMBERS: Final = ("local_port", "remote_port", "recv_q", "send_q", "retries")

TCP_STATES: Final[dict[int, str]] = {  # include/net/tcp_states.h
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECEIVED",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    7: "CLOSED",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN-RECEIVED",  # NEW_SYN_RECV
}
_UDP_STATES: Final = {1: "ESTABLISHED", 7: ""}
_TIMERS: Final = {1: "retransmission", 2: "keep-alive", 3: "time-wait", 4: "persist"}


def as_json(entry: SocketEntry, now: int) -> dict[str, Any]:
    """Plain values. `timer_left_ns` is null if no timer runs."""
    return {
        "proto": entry.proto,
        "local": text(entry.local) if entry.local else "",
        "local_port": entry.local_port,
        "remote": text(entry.remote) if entry.remote else "",
        "remote_port": entry.remote_port,
        "state": entry.state,
        "recv_q": entry.recv_q,
        "send_q": entry.send_q,
        "timer": entry.timer,
        "timer_left_ns": None if entry.timer_due == NEVER else max(entry.timer_due - now, 0),
        "retries": entry.retries,
    }


def from_json(found: object) -> SocketEntry:
    """What `as_json` made, at the time 0. MisuseError if it is something else."""
    if not isinstance(found, Mapping):
        raise MisuseError("not a line of a socket table")
    words = [found.get(name) for name in ("proto", "local", "remote", "state", "timer")]
    numbers = [found.get(name) for name in NUMBERS]
    left = found.get("timer_left_ns")
    if not all(isinstance(each, str) and len(each) < 64 and each.isprintable() for each in words):
        raise MisuseError("a line of a socket table has texts that are none")
    if not all(type(each) is int for each in numbers) or not (left is None or type(left) is int):
        raise MisuseError("a line of a socket table has numbers that are none")
    proto, local, remote, state, timer = [str(each) for each in words]
    entry = SocketEntry(proto, _packed(local), found["local_port"], _packed(remote), found["remote_port"], state)
    entry.recv_q, entry.send_q, entry.retries = found["recv_q"], found["send_q"], found["retries"]
    entry.timer, entry.timer_due = timer, NEVER if left is None else left
    return entry


def _packed(address: str) -> bytes:
    return parse(address) if address else b""


def from_proc(proto: str, table: str) -> list[SocketEntry]:
    """The lines of /proc/net/tcp, tcp6, udp or udp6, half-open connections among them, at the time 0. The kernel does
    not tell the backlog of a listener there."""
    return [_from_proc(proto, line.split()) for line in table.splitlines()[1:] if line.strip()]


def _from_proc(proto: str, words: list[str]) -> SocketEntry:
    (local, local_port), (remote, remote_port) = _end(words[1]), _end(words[2])
    number = int(words[3], 16)
    states = TCP_STATES if proto.startswith("tcp") else _UDP_STATES
    entry = SocketEntry(proto, local, local_port, remote, remote_port, states.get(number, f"state {number}"))
    sent, received = words[4].split(":")
    entry.send_q, entry.recv_q = int(sent, 16), int(received, 16)
    timer, left = words[5].split(":")
    entry.timer = _TIMERS.get(int(timer, 16), "") if proto.startswith("tcp") else ""
    if entry.timer:
        entry.timer_due = int(left, 16) * JIFFY
        entry.retries = int(words[6], 16)
    return entry


def _end(word: str) -> tuple[bytes, int]:
    """Addresses are hexadecimal words in the machine's own byte order."""
    digits, _, port = word.partition(":")
    words = [int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(digits), 8)]
    packed = b"".join(words)
    return packed if any(packed) else b"", int(port, 16)
