"""One run of one test: what the plugin adds to it, and the network that it made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from netglass.pytest_plugin.network import ObservedNetwork


@dataclass
class Run:
    faults: tuple[str, ...] = ()
    """Texts, see `network.planned_fault`."""
    census: bool = False
    """Count what passes each cable."""
    label: str = ""
    """What sets this run apart from others of the same test."""
    net: ObservedNetwork | None = None
    """Filled in by the fixture."""


RUN: Final = pytest.StashKey[Run]()

# Names of user properties of a report, which cross to the process that tells the user.
FAULT: Final = "netglass-fault"
SWEEP: Final = "netglass-sweep"
UNPLUGGED: Final = "netglass-unplugged"
