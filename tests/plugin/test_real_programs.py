"""The plugin with ordinary programs: what a failure shows, and sweeps over threads and asyncio."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytest_plugins = "pytester"

HTTP = """
from http.server import HTTPServer, SimpleHTTPRequestHandler
from urllib.request import urlopen

import netglass
from netglass import faults, match


def serve():
    HTTPServer(("", 80), SimpleHTTPRequestHandler).serve_forever()


def test_urllib_survives_a_lost_third_ack(net):
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="20 ms", faults=[faults.drop(match.third_ack)])
    netglass.spawn(server, serve, daemon=True)
    assert netglass.run(client, urlopen, "http://server/").status == 200
    assert net.trace.losses("drop third ACK")
"""

ASYNCIO = """
import asyncio
import netglass

async def handle(reader, writer):
    writer.write(b"you said " + await reader.readline())
    await writer.drain()
    writer.close()

async def serve():
    await (await asyncio.start_server(handle, "0.0.0.0", 80)).serve_forever()

async def ask(patience):
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection("server", 80)
        writer.write(b"hello\\n")
        answer = await reader.read()
        writer.close()
        return answer

def answer(net, patience):
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="20 ms")
    netglass.spawn(server, lambda: asyncio.run(serve()), daemon=True)
    return netglass.run(client, lambda: asyncio.run(ask(patience)))

def test_patient(net):
    assert answer(net, 10) == b"you said hello\\n"

def test_impatient(net):
    assert answer(net, 0.2) == b"you said hello\\n"
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    # In a process of its own: programs change what the interpreter's modules hold while they run.
    pytester.makepyfile(dedent(source))
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_a_real_client_that_loses_its_third_ack(pytester):
    result = run(pytester, HTTP, "--netglass-sweep")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*: sweep, all * faults survived"])


def test_a_real_client_fails_as_it_would_and_the_ladder_shows_why(pytester):
    result = run(pytester, HTTP, "--netglass-fault=faults.reset(match.data.from_('server'))")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ConnectionResetError*", "*- netglass -*", "*lost: drop third ACK*", "*RST*"])
    assert "netglass/programs" not in result.stdout.str(), "what is below a call of ours is left out of the traceback"


BUG = """
import socket
import netglass
from netglass.programs import transfer

def test_it(net, monkeypatch):
    monkeypatch.setattr(transfer, "receive", None)
    netglass.run(net.host("a"), lambda: socket.socketpair()[0].recv(1))
"""


def test_a_bug_of_ours_is_shown_to_its_line(pytester):
    run(pytester, BUG).stdout.fnmatch_lines(["*netglass/programs/socket.py:*TypeError"])


def test_a_sweep_over_asyncio(pytester):
    result = run(pytester, ASYNCIO, "--netglass-sweep")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "netglass sweep: 5 of 9 faults not survived: drop segment 1, *2, *4, *6, drop segment 7",
            "--- drop segment 4: client -> server PSH,ACK seq=1 ack=1 len=6",
            "*TimeoutError*",
            "*::test_patient: sweep, all 9 faults survived",
        ]
    )
