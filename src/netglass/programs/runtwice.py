"""Is it the same every time? A command that writes a capture, run in two fresh processes, and the captures compared."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from netglass.errors import MisuseError

PLACE = "{capture}"


def twice(command: Sequence[str]) -> str:
    """Runs `command` twice, PLACE in it replaced by a file that it writes. "" if both wrote the same bytes, else where
    they differ. The processes have different hash seeds, so an order of a set shows."""
    if not any(PLACE in word for word in command):
        raise MisuseError(f"the command must say {PLACE} where it is to write its capture")
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory) / name for name in ("first", "second")]
        for number, file in enumerate(files):
            environment = {**os.environ, "PYTHONHASHSEED": str(number + 1)}
            words = [word.replace(PLACE, str(file)) for word in command]
            subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=False)
            if not file.exists():
                raise MisuseError(f"no capture came of: {' '.join(words)}")
        return difference(files[0].read_bytes(), files[1].read_bytes())


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
    at, number = 0, 0
    while at + 8 <= len(capture):
        length = int.from_bytes(capture[at + 4 : at + 8], "little")
        if length < 12 or offset < at + length:
            break
        at += length
        number += 1
    return number
