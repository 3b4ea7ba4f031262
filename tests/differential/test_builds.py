"""The pure and the compiled build do the same, byte for byte: the same labs in two processes, their captures compared.

Runs where the compiled build is installed (`python3 check.py`): its wheel holds the sources too, see `child`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from netglass.build import compiled
from tests.differential.scenario import capture

SEEDS: Final = range(1, 9)
ROOT: Final = Path(__file__).parent.parent.parent


def hashes(build: str) -> dict[str, str]:
    """{seed: hash of the capture}, made by `build` in a process of its own."""
    command = [sys.executable, "-m", "tests.differential.child", build, *map(str, SEEDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(not compiled(), reason="needs the compiled build: python3 check.py")
def test_both_builds_capture_the_same_bytes() -> None:
    pure = hashes("pure")
    # Every seed tells another story, or there would be nothing to compare.
    assert len(set(pure.values())) == len(SEEDS)
    assert hashes("compiled") == pure


def test_a_process_of_the_wrong_build_says_so() -> None:
    if compiled():
        assert hashes("compiled")
        return
    with pytest.raises(AssertionError, match="not the compiled build"):
        hashes("compiled")


def test_one_lab_twice_in_one_process_captures_the_same_bytes() -> None:
    assert capture(3) == capture(3)
