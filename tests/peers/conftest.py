"""Each test has a network namespace of its own; all that it captured is read by tshark when it ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from netglass.errors import LinkError
from netglass.link.tun import Tun
from tests.peers.machine import Machine, faults_in


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra wire)")
    try:
        made = Machine(tmp_path)
    except LinkError as error:
        pytest.skip(str(error))
    try:
        made.call(Tun, "ng9").close()
    except LinkError as error:
        made.close()
        pytest.skip(str(error))
    yield made
    made.close()
    if shutil.which("tshark"):
        assert [fault for capture in made.captures for fault in faults_in(capture)] == []


@pytest.fixture(autouse=True)
def tools(request: pytest.FixtureRequest) -> None:
    """@pytest.mark.tools("curl"): skipped where one is missing."""
    for mark in request.node.iter_markers("tools"):
        for each in mark.args:
            if shutil.which(each) is None:
                pytest.skip(f"{each} is not installed")
