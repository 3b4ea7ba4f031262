"""The plugin beside others that run tests in their own way."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.plugin.inner import HELLO, IMPATIENT, PATIENT, run

pytest_plugins = "pytester"

ASYNC = """
    async def test_patient(net):
        await asyncio.sleep(0)
        assert answer_of(net, delay="20 ms") == b"you said hello"

    async def test_impatient(net):
        await asyncio.sleep(0)
        assert answer_of(net, "200 ms", delay="20 ms") == b"you said hello"
"""


def swept(pytester: pytest.Pytester, source: str, *options: str) -> None:
    result = run(pytester, source, "--netglass-sweep", *options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "netglass sweep: 2 of 11 faults not survived: drop segment 4, drop segment 6",
            "*::test_patient*: sweep, all 11 faults survived",
        ]
    )


def test_with_pytest_asyncio(pytester):
    pytest.importorskip("pytest_asyncio")
    swept(pytester, "import asyncio\n" + HELLO + dedent(ASYNC), "-o", "asyncio_mode=auto")


def test_with_anyio(pytester):
    pytest.importorskip("anyio")
    head = "import asyncio\nimport pytest\npytestmark = pytest.mark.anyio\n"
    backend = "\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    swept(pytester, head + HELLO + backend + dedent(ASYNC))


def test_with_xdist(pytester):
    pytest.importorskip("xdist")
    both = PATIENT + IMPATIENT.removeprefix(HELLO)
    swept(pytester, both, "-n2")
    assert len(list((pytester.path / ".netglass").glob("*/drop-segment-*/capture.pcapng"))) == 2


def test_many_seeds_with_xdist(pytester):
    pytest.importorskip("xdist")
    run(pytester, PATIENT, "-n2", "--netglass-runs=6").assert_outcomes(passed=6)
