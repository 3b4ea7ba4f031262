"""The kernel as the peer, over a TUN device in a namespace of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ip.kernel_peer import SIZES

NAMESPACE = ["unshare", "-Urn"]


def why_not() -> str:
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "needs unshare and ip"
    code = "import os; os.close(os.open('/dev/net/tun', os.O_RDWR))"
    tried = subprocess.run([*NAMESPACE, sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    return "" if tried.returncode == 0 else f"no namespace with a TUN device: {tried.stderr.strip()[-100:]}"


def test_long_pings_and_datagrams_between_the_kernel_and_us():
    if reason := why_not():
        pytest.skip(reason)
    command = [*NAMESPACE, sys.executable, "-m", "tests.ip.kernel_peer"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.endswith("True")] == ["refused 10.9.0.2", "refused fd09::2"]
    assert len(lines) == 2 * (2 * len(SIZES) + 1)
