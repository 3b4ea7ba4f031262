"""Quiet at the end of a run. Who is stopped only because the run is over has nothing to say about that.

Programs are told first, and end in order: what they print is theirs, except that a library logs `Stopped` as if it
were their error. The threads that are left then would not have run any more, had this been a process: they are mute.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, Final

from netglass.programs import current
from netglass.programs.kernel import Stopped

_DESTROYED: Final = "Task was destroyed but it is pending"  # as asyncio says it of a task whose loop was stopped


class Hush:
    """From the end of a run's main program on."""

    __slots__ = ("_handle", "_hook", "_logger", "_mute", "_stderr", "_warnings")

    def __init__(self) -> None:
        self._mute: bool = False
        self._hook: Any = sys.unraisablehook
        self._stderr: Any = sys.stderr
        self._warnings: Any = None
        self._logger: Any = getattr(sys.modules.get("logging"), "Logger", None)
        self._handle: Any = None
        sys.unraisablehook = _say_nothing
        if self._logger is not None:
            self._handle = self._logger.handle
            self._logger.handle = self._sieve()

    def _sieve(self) -> Any:
        handle, hush = self._handle, self

        def sieve(logger: Any, record: Any) -> None:
            if current.task() is None or not (hush._mute or _of_the_end(record)):
                handle(logger, record)

        return sieve

    def mute(self) -> None:
        """From now on nobody is heard."""
        self._mute = True
        if self._stderr is not None:
            sys.stderr = Mute(self._stderr)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def leave(self) -> None:
        sys.unraisablehook = self._hook
        if self._logger is not None:
            self._logger.handle = self._handle
        if self._mute:
            sys.stderr = self._stderr
            self._warnings.__exit__(None, None, None)


def _say_nothing(unraisable: object) -> None:
    """sys.unraisablehook: processes that are killed say nothing either."""


def _of_the_end(record: Any) -> bool:
    kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    if isinstance(kind, type) and issubclass(kind, Stopped):
        return True
    return record.name == "asyncio" and str(record.msg).startswith(_DESTROYED)


class Mute(io.TextIOBase):
    """sys.stderr, of which tasks of the run see nothing but that it takes what they write."""

    def __init__(self, heard: Any) -> None:
        super().__init__()
        self._heard: Any = heard

    def write(self, text: str, /) -> int:
        if current.task() is None:
            self._heard.write(text)
        return len(text)

    def flush(self) -> None:
        self._heard.flush()

    def fileno(self) -> int:
        return int(self._heard.fileno())

    def isatty(self) -> bool:
        return bool(self._heard.isatty())
