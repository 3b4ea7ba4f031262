"""The plugin beside others that run tests in their own way."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.plugin.inner import HELLO, IMPATIENT, LOOPS, PATIENT, run

pytest_plugins = "pytester"

ASYNC = """
    async def test_patient(net):
        await asyncio.sleep(0)
        assert answer_of(net, delay="20 ms") == b"you said hello"

    async def test_impatient(net):
        await asyncio.sleep(0)
        assert answer_of(net, "200 ms", delay="20 ms") == b"you said hello"
"""

PROGRAMS = """
    import asyncio
    import netglass
    import pytest

    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    async def serve():
        await (await asyncio.start_server(answer, "", 80)).serve_forever()

    async def ask():
        reader, writer = await asyncio.open_connection("server", 80)
        writer.write(b"hello\\n")
        line = await reader.read()
        writer.close()
        return line

    @pytest.mark.netglass(delay="20 ms", loss="5%")
    async def test_programs(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server)
        netglass.spawn(server, lambda: asyncio.run(serve()), daemon=True)
        assert netglass.run(client, lambda: asyncio.run(ask())) == b"HELLO\\n"
        await asyncio.sleep(0)  # the test's own loop is as it was
        assert asyncio.get_running_loop().is_running()
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


def test_an_async_test_runs_programs_with_loops_of_their_own(pytester):
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(dedent(PROGRAMS))
    # In a process of its own: programs change what the interpreter's modules hold while they run.
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *LOOPS, "-o", "asyncio_mode=auto")
    result.assert_outcomes(passed=1)


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
    run(pytester, PATIENT, "-n1", "--netglass-runs=6").assert_outcomes(passed=6)
