"""A moment's rest after a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def then_rest(ask: Callable[..., Any], *args: Any) -> Any:
    """What `ask(*args)` returns, a second later: what is under way arrives, and servers notice who has left."""
    result = ask(*args)
    time.sleep(1)
    return result
