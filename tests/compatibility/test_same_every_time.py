"""The same seed, two fresh processes with different hash seeds: the same capture, byte for byte."""

import sys
from importlib.util import find_spec

import pytest

from netglass.programs.runtwice import PLACE, twice

missing = [name for name in ("aiohttp", "requests") if find_spec(name) is None]


@pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed: pip install 'netglass[compat]'")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_threads_with_requests_beside_aiohttp(tls):
    assert twice([sys.executable, "-m", "tests.compatibility.same_story", PLACE, *["tls"] * tls]) == ""
