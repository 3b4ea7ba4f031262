"""What a scenario is: a server and a client of libraries as they are, on two hosts, 10 ms apart."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from netglass import Network, run, spawn
from netglass.times import SECOND

LOSSES: Final = (0, 0.05)

VIRTUAL_LIMIT: Final = 300 * SECOND
REAL_LIMIT: Final = 40.0
"""Seconds. The scenarios take one or two; a busy machine may be slower, a hanging one must end."""

HEAD_START: Final = 1
"""Seconds that a server has before the client begins: some look whether they are reachable first."""

CERTIFICATE: Final = Path(__file__).parent.parent / "programs" / "certificate.pem"

BLOB: Final = bytes(range(256)) * 160
"""40 KiB: more than a window at the start, so that loss meets data and not only handshakes."""


class Scene:
    """Two hosts, and what a scenario does with them."""

    def __init__(self, loss: float) -> None:
        self.net = Network(seed=7)
        self.client, self.server = self.net.host("client"), self.net.host("server")
        self.net.cable(self.client, self.server, delay="10 ms", loss=loss)
        self.address = str(self.server.address)
        self.took = 0
        """Virtual nanoseconds that the client needed."""

    def serve(self, main: Callable[[], Any]) -> None:
        """`main`, a function or a coroutine function, on the host "server"; it may go on for ever."""
        spawn(self.server, _plain(main), daemon=True)

    def ask(self, main: Callable[[], Any]) -> Any:
        """What `main` returns on the host "client"."""
        began = HEAD_START * SECOND

        def begin() -> Any:
            nonlocal began
            time.sleep(HEAD_START)
            began = self.net.now()
            result = _plain(main)()
            self.took = self.net.now() - began
            return result

        result = run(self.client, begin, limit=REAL_LIMIT)
        assert self.took <= VIRTUAL_LIMIT, f"the client needed {self.took / SECOND:.0f} s of virtual time"
        return result


def _plain(main: Callable[[], Any]) -> Callable[[], Any]:
    if inspect.iscoroutinefunction(main):
        return lambda: asyncio.run(main())
    return main


class Scenario(NamedTuple):
    name: str
    packages: tuple[str, ...]
    """Distributions that it needs; none: the standard library."""
    play: Callable[[Scene], None]

    @property
    def text(self) -> str:
        """What it does, in a sentence."""
        return " ".join((self.play.__doc__ or "").split())

    def missing(self) -> list[str]:
        return [each for each in self.packages if not version_of(each)]


def version_of(package: str) -> str:
    """Empty: it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


SCENARIOS: Final[list[Scenario]] = []
"""Filled by the modules that `tests.compatibility.everything` imports."""


def scenario(name: str, *packages: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Registers a function that plays a scenario; its docstring tells what it does. It imports its libraries itself,
    for they may be missing."""

    def register(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        SCENARIOS.append(Scenario(name, packages, play))
        return play

    return register
