"""What docs/testing.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugin.inner import LOOPS

pytest_plugins = "pytester"

DOCS = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
FIRST, COROUTINE = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
BACKEND = "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    # In a process of its own: programs change what the interpreter's modules hold while they run.
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *LOOPS, *options)


def test_the_first_example_passes_and_survives_the_sweep(pytester):
    result = run(pytester, FIRST, "--netglass-sweep")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*: sweep, all * faults survived"])


def test_a_coroutine_calls_run(pytester):
    pytest.importorskip("anyio")
    run(pytester, COROUTINE + BACKEND).assert_outcomes(passed=1)


def test_every_option_is_told(pytester):
    options = set(re.findall(r"--netglass-[a-z-]+", run(pytester, "", "--help").stdout.str()))
    assert options
    assert options == set(re.findall(r"--netglass-[a-z-]+", DOCS))


@pytest.mark.parametrize("name", ["again.txt", "capture.pcapng", "ladder.html", "ladder.txt"])
def test_the_artefacts_are_told(pytester, name):
    run(pytester, "def test_it(net): assert False\n")
    assert list((pytester.path / ".netglass").glob(f"*/{name}"))
    assert f"`{name}`" in DOCS
