"""The same seed gives the same capture, byte for byte, in whatever process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.properties.hostile import capture, drawn

SEEDS = range(8)
ROOT = Path(__file__).parent.parent.parent


def hashes(hash_seed: str) -> dict[str, str]:
    """Those of a process of its own, in which sets and dictionaries of text lie in another order."""
    command = [sys.executable, "-m", "tests.properties.captures", *map(str, SEEDS)]
    variables = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_two_processes_capture_the_same_bytes():
    one, other = hashes("1"), hashes("4242")
    assert one == other
    # Every story is another, or there would be nothing to compare.
    assert len(set(one.values())) == len(SEEDS) + 2


def test_a_process_that_has_done_other_things_captures_the_same_bytes():
    before = capture(drawn(0))
    capture(drawn(1))
    assert capture(drawn(0)) == before
