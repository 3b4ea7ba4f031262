"""Is it the same every time? A command that writes a capture, run in two fresh processes, and the captures compared."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from netglass.errors import MisuseError

PLACE: Final = "{capture}"
ENHANCED_PACKET: Final = (6).to_bytes(4, "little")  # the type of its blocks


class Trial(NamedTuple):
    """What came of one run."""

    status: int  # as a shell says it
    capture: bytes
    output: bytes
    errors: bytes


def twice(command: Sequence[str]) -> str:
    """Runs `command` twice, PLACE in it replaced by a file that it writes. "" if both did the same, else in what they
    differ."""
    return differ(*trials(command))


def trials(command: Sequence[str]) -> tuple[Trial, Trial]:
    """Two runs of `command`. The processes have different hash seeds, so an order of a set shows."""
    if not any(PLACE in word for word in command):
        raise MisuseError(f"the command must say {PLACE} where it is to write its capture")
    return _trial(command, 1), _trial(command, 2)


def _trial(command: Sequence[str], number: int) -> Trial:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "capture"
        words = [word.replace(PLACE, str(file)) for word in command]
        done = subprocess.run(
            words, env={**os.environ, "PYTHONHASHSEED": str(number)}, capture_output=True, check=False
        )
        if done.returncode == 0 and not file.exists():
            raise MisuseError(f"no capture came of: {' '.join(words)}")
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Trial(status, file.read_bytes() if file.exists() else b"", done.stdout, done.stderr)


def differ(first: Trial, second: Trial) -> str:
    """In words; "" if both sent the same bytes, or if nothing was sent and they said the same."""
    if first.status != second.status:
        return f"two runs differ: the first has exit status {first.status}, the second {second.status}"
    found = difference(first.capture, second.capture)
    if found or packets(first.capture):
        return found
    if (first.output, first.errors) != (second.output, second.errors):
        return "two runs differ: nothing was sent, but they print different things"
    return ""


def difference(first: bytes, second: bytes) -> str:
    """Where two captures differ, in words; "" if they are the same."""
    if first == second:
        return ""
    shorter = min(len(first), len(second))
    same = next((place for place in range(shorter) if first[place] != second[place]), shorter)
    return (
        f"two runs differ: {len(first)} and {len(second)} bytes, the same up to byte {same}, which is in block "
        f"{block_at(first, same)} of the capture"
    )


def block_at(capture: bytes, offset: int) -> int:
    """The number, from 0, of the pcapng block that byte `offset` is in."""
    blocks = _blocks(capture)
    return next((number for number, (at, length) in enumerate(blocks) if offset < at + length), len(blocks))


def packets(capture: bytes) -> int:
    """How many packets a pcapng capture has."""
    return sum(capture[at : at + 4] == ENHANCED_PACKET for at, _ in _blocks(capture))


def _blocks(capture: bytes) -> list[tuple[int, int]]:
    """Where each begins, and its length."""
    found: list[tuple[int, int]] = []
    at = 0
    while at + 8 <= len(capture):
        length = int.from_bytes(capture[at + 4 : at + 8], "little")
        if length < 12:
            break
        found.append((at, length))
        at += length
    return found
