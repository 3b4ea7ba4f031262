"""All scenarios, by name."""

from __future__ import annotations

from tests.compatibility import loops, mail, shells, standard, stores, web
from tests.compatibility.scene import SCENARIOS

SCENARIOS.sort(key=lambda each: each.name)

__all__ = ["SCENARIOS", "loops", "mail", "shells", "standard", "stores", "web"]
