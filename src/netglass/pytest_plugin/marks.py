"""What `@pytest.mark.netglass(...)` says, and which seed counts."""

from __future__ import annotations

from typing import Any, Final

import pytest

CABLE_OPTIONS: Final = ("delay", "rate", "queue", "mtu", "jitter", "loss", "reorder", "faults", "offload", "ethernet")
"""Those of `Network.cable`, in its order."""
MARK_OPTIONS: Final = ("seed", "serialise", *[each for each in CABLE_OPTIONS if each != "faults"])


def mark_options(item: pytest.Item) -> dict[str, Any]:
    """What `@pytest.mark.netglass(...)` says, on the test, its class and its module; the nearest wins."""
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("netglass"))):
        unknown = [name for name in mark.kwargs if name not in MARK_OPTIONS]
        if unknown or mark.args:
            wrong = ", ".join([*unknown, *[repr(each) for each in mark.args]])
            message = f"{item.nodeid}: @pytest.mark.netglass takes {', '.join(MARK_OPTIONS)}, by name; not {wrong}"
            raise pytest.UsageError(message)
        seed = mark.kwargs.get("seed", 1)
        if type(seed) is not int:
            raise pytest.UsageError(f"{item.nodeid}: the seed of @pytest.mark.netglass is a whole number, not {seed!r}")
        options.update(mark.kwargs)
    return options


def first_seed(item: pytest.Item) -> int:
    """The command line's seed, else the mark's, else 1."""
    given = item.config.getoption("netglass_seed")
    return int(mark_options(item).get("seed", 1) if given is None else given)
