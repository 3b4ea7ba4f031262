"""What each program believes to have for itself, though the process has it once: its arguments and its main module."""

from __future__ import annotations

import sys
from types import ModuleType


class Context:
    """One program's. Changes hands with the baton."""

    __slots__ = ("_argv", "_main", "daemon")

    def __init__(self, daemon: bool = False) -> None:
        self.daemon: bool = daemon  # the run waits neither for the program nor for its threads
        self._argv: list[str] = sys.argv
        self._main: ModuleType = sys.modules["__main__"]

    def enter(self) -> None:
        sys.argv = self._argv
        sys.modules["__main__"] = self._main

    def leave(self) -> None:
        self._argv = sys.argv
        self._main = sys.modules["__main__"]
