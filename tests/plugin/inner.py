"""Small test files for an inner pytest, and how to run it."""

from __future__ import annotations

import pytest

# All that the plugin imports late: what an inner pytest imports, pytester takes out of sys.modules again.
import netglass.pytest_plugin.sweep
import netglass.trace.html
import netglass.trace.pcapng
import netglass.trace.text  # noqa: F401

HELLO = """
import pytest
from netglass import faults, match

def serve(io):
    listener = io.listen(80)
    while True:
        stream = yield from listener.accept()
        question = yield from stream.receive()
        yield from stream.send(b"you said " + question)
        stream.close()

def ask(io, timeout=None):
    stream = yield from io.connect("server", 80)
    yield from stream.send(b"hello")
    answer = yield from stream.receive(timeout=timeout)
    stream.close()
    return answer

def answer_of(net, timeout=None, **cable):
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, **cable)
    server.spawn(serve)
    asking = client.spawn(ask, timeout)
    net.run()
    return asking.result
"""

PATIENT = (
    HELLO
    + """
def test_patient(net):
    assert answer_of(net, delay="20 ms") == b"you said hello"
"""
)
IMPATIENT = (
    HELLO
    + """
def test_impatient(net):
    assert answer_of(net, "200 ms", delay="20 ms") == b"you said hello"
"""
)
WRONG = (
    HELLO
    + """
def test_wrong(net):
    assert answer_of(net, delay="20 ms") == b"nonsense"
"""
)


# pytest-asyncio warns whoever does not say it.
LOOPS = ("-o", "asyncio_default_fixture_loop_scope=function")


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *LOOPS, *options)
