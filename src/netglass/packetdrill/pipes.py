"""What is no socket and yet moves data to one: pipes for splice(2), files for sendfile(2)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netglass.errnos import EAGAIN, ENOENT

PIPE_SIZE: Final = 65536  # pipe(7): sixteen pages


class Pipe:
    """Bytes between its two ends."""

    def __init__(self) -> None:
        self._data = b""

    @property
    def room(self) -> int:
        return PIPE_SIZE - len(self._data)

    def put(self, data: bytes) -> None:
        self._data += data

    def look(self, size: int) -> bytes:
        return self._data[:size]

    def drop(self, size: int) -> None:
        self._data = self._data[size:]


class PlainFile:
    """A file of zeros as long as the real one: scripts do not look at what is in it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def look(self, offset: int, size: int) -> bytes:
        return bytes(max(min(size, self.size - offset), 0))


def open_file(name: str) -> PlainFile | int:
    """open(2) for reading: the file, or -ENOENT."""
    if name == "/dev/zero":
        return PlainFile(1 << 40)
    path = Path(name)
    return PlainFile(path.stat().st_size) if path.is_file() else -ENOENT


def spliced(source: Pipe, size: int) -> bytes | int:
    """What splice can take out of `source`: -EAGAIN if that is empty."""
    return source.look(size) or -EAGAIN
