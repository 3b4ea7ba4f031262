"""What all tests share: the same examples in every run, and the tools that some of them need."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings

import netglass
from netglass.build import compiled

# The checks draw the same examples in every run and on every machine; `--hypothesis-profile=explore` looks further.
settings.register_profile(
    "checks", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", max_examples=2000, deadline=None, phases=[Phase.explicit, Phase.generate, Phase.shrink]
)
settings.load_profile("checks")

TOOLS = {"tshark": ("tshark",), "chromium": ("chromium", "chromium-browser", "google-chrome")}


def pytest_configure(config: pytest.Config) -> None:
    # check.py says which build it means to test; testing the other one by accident would prove nothing.
    kind = "compiled" if compiled() else "pure"
    wanted = os.environ.get("NETGLASS_TEST_BUILD", kind)
    if wanted != kind:
        raise pytest.UsageError(f"the tests were to run on the {wanted} build, but {netglass.__file__} is {kind}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, commands in TOOLS.items():
        if item.get_closest_marker(marker) and not any(shutil.which(each) for each in commands):
            pytest.skip(f"{marker} is not installed")
