"""Descriptors that travel through AF_UNIX sockets (SCM_RIGHTS): on their way they have no number, and stay open."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from typing import Final

from netglass.errnos import EINVAL
from netglass.programs.descriptors import FIRST, Descriptors, fail
from netglass.sockets.description import Description

SOL_SOCKET: Final = 1
SCM_RIGHTS: Final = 1
SCM_MAX_FD: Final = 253
_HEADER: Final = 16  # CMSG_LEN(0)
_NUMBER: Final = struct.Struct("i")

_real_dup: Final = os.dup
_real_close: Final = os.close


class Traveller:
    """One descriptor on its way: of the run, or of a real file."""

    __slots__ = ("_description", "_file")

    def __init__(self, description: Description | None, file: int = -1) -> None:
        self._description: Description | None = description
        self._file: int = file
        if description is not None:
            description.references += 1

    def twin(self) -> Traveller:
        """For whoever only peeks."""
        return Traveller(self._description, _real_dup(self._file) if self._description is None else -1)

    def arrive(self, run: Descriptors, beside: int) -> int:
        """Its number on the host of the descriptor `beside`."""
        description = self._description
        if description is None:
            return self._file
        number = run.adopt_beside(beside, description)
        description.references -= 1
        return number

    def drop(self, now: int) -> None:
        """Nobody wanted it."""
        description = self._description
        if description is None:
            _real_close(self._file)
            return
        description.references -= 1
        if description.references == 0:
            description.close(now)


def pack(run: Descriptors, data: bytes) -> list[Traveller]:
    """The descriptors whose numbers are in a control message; OSError EBADF, EINVAL."""
    numbers = [number for (number,) in _NUMBER.iter_unpack(data[: len(data) // 4 * 4])]
    if len(numbers) > SCM_MAX_FD:
        fail(-EINVAL)
    packed: list[Traveller] = []
    try:
        for number in numbers:
            ours = number >= FIRST
            packed.append(Traveller(run.require(number).description) if ours else Traveller(None, _real_dup(number)))
    except OSError:
        drop(packed, run.now())
        raise
    return packed


def unpack(run: Descriptors, travellers: list[Traveller], room: int, beside: int) -> bytes:
    """The numbers of as many as a control buffer of `room` bytes takes; the others are closed."""
    fitting = max(room - _HEADER, 0) // _NUMBER.size
    drop(travellers[fitting:], run.now())
    return b"".join([_NUMBER.pack(each.arrive(run, beside)) for each in travellers[:fitting]])


def drop(travellers: Iterable[Traveller], now: int) -> None:
    for each in travellers:
        each.drop(now)
