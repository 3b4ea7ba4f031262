"""What would leave the lab is refused, in one line that names the call and what to do instead."""

import _socket
import asyncio
import importlib
import multiprocessing
import os
import pty
import socket
import subprocess
import sys

import pytest

import netglass
from netglass import Network, Refused


def lab():
    return Network(seed=1).host("a")


def refused(main, allow=()):
    """What it is told."""
    with pytest.raises(Refused) as caught:
        netglass.run(lab(), main, allow=allow)
    text = str(caught.value)
    assert "\n" not in text
    assert "was refused: " in text
    assert "allow=(" in text
    return text


def begin(method):
    return lambda: multiprocessing.get_context(method).Process(target=print).start()


def spawn_by_asyncio():
    async def main():
        await asyncio.create_subprocess_exec("true")

    asyncio.run(main())


USED_BEFORE = socket.socket()  # a real one


@pytest.mark.parametrize(
    ("call", "name", "advice"),
    [
        (lambda: _socket.socket(), "socket.__new__", "use the socket module inside the run"),
        (lambda: USED_BEFORE.connect(("127.0.0.1", 9)), "socket.connect(('127.0.0.1', 9))", "socket module"),
        (lambda: _socket.getaddrinfo("localhost", 80), "socket.getaddrinfo('localhost', 80", "socket module"),
        (lambda: subprocess.Popen(["true"]), "subprocess.Popen('true', ['true']", "netglass.spawn"),
        (lambda: subprocess.check_output("true", shell=True), "subprocess.Popen(", "netglass.spawn"),
        (os.fork, "os.fork()", "netglass.spawn"),
        (os.forkpty, "os.forkpty()", "netglass.spawn"),
        (lambda: pty.spawn("true"), "pty.spawn(", "netglass.spawn"),
        (lambda: os.system("true"), "os.system(b'true')", "netglass.spawn"),
        (lambda: os.popen("true"), "subprocess.Popen(", "netglass.spawn"),
        (lambda: os.posix_spawn("/bin/true", ["true"], {}), "os.posix_spawn(", "netglass.spawn"),
        (lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]), "os.fork()", "netglass.spawn"),
        (lambda: os.execv("/bin/true", ["true"]), "os.exec(", "netglass.spawn"),
        (begin("fork"), "os.fork()", "netglass.spawn"),
        (begin("spawn"), "fork_exec(", "netglass.spawn"),
        (begin("forkserver"), "fork_exec(", "netglass.spawn"),
        (spawn_by_asyncio, "subprocess.Popen('true', ['true']", "netglass.spawn"),
    ],
)
def test_a_call_that_leaves_the_lab(call, name, advice):
    text = refused(call)
    assert text.startswith(name)
    assert advice in text


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A stand-in for uvloop: its name is all that is looked at."""
    (tmp_path / "uvloop.py").write_text("def new_event_loop():\n    return 'a loop'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "uvloop", raising=False)
    yield
    sys.modules.pop("uvloop", None)


def test_a_loop_in_c_that_is_imported_in_the_run(foreign):
    text = refused(lambda: importlib.import_module("uvloop"))
    assert text.startswith("import uvloop was refused: ")
    assert "asyncio's own loop" in text


def test_whoever_can_do_without_it_does(foreign):
    def main():
        try:
            importlib.import_module("uvloop")
        except ImportError:
            return "asyncio"

    assert netglass.run(lab(), main) == "asyncio"


def test_a_loop_in_c_that_was_imported_before(foreign):
    uvloop = importlib.import_module("uvloop")
    assert refused(lambda: uvloop.new_event_loop()).startswith("uvloop.new_event_loop was refused: ")
    assert uvloop.new_event_loop() == "a loop"
    assert netglass.run(lab(), lambda: uvloop.new_event_loop(), allow=["uvloop"]) == "a loop"


def test_what_is_allowed_may_leave():
    assert netglass.run(lab(), lambda: os.system("true"), allow=["os.system"]) == 0
    assert "os.fork" in refused(os.fork, allow=["os.system"])


def test_allowing_subprocesses_takes_one_name():
    def main():
        return subprocess.run(["echo", "hello"], stdout=subprocess.PIPE, check=True).stdout

    assert netglass.run(lab(), main, allow=["subprocess.Popen"]) == b"hello\n"


def test_outside_a_run_nothing_is_refused():
    netglass.run(lab(), lambda: None)
    subprocess.run([sys.executable, "-c", ""], check=True)
    USED_BEFORE.close()
