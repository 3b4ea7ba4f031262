"""The scripts in examples/ do what they say."""

from __future__ import annotations

import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netglass import Network, run, spawn
from netglass.experiments.programs import file_server

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="epoll, sendfile and writev as Linux has them")


@LINUX
@pytest.mark.parametrize("loss", ["0%", "2%"])
def test_a_file_server_with_epoll_and_threads_serves_in_four_ways(loss):
    found = example("file_server")["serve_and_fetch"](1000, "10 ms", "100 Mbit/s", loss, 1)
    assert [(method, size) for method, size, _ in found] == [
        ("read", 1_000_000),
        ("sendfile", 1_000_000),
        ("mmap", 1_000_000),
        ("writev", 1_000_000),
    ]
    assert all(0.08 < seconds < 30 for _, _, seconds in found)  # 80 ms on the wire alone


@LINUX
def test_a_file_server_sends_what_is_in_the_file(tmp_path):
    body = bytes(range(256)) * 1000
    (tmp_path / "some").write_bytes(body)
    for method in file_server.METHODS:
        net = Network(seed=2)
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="1 ms", loss="2%")
        spawn(server, file_server.serve, tmp_path, daemon=True)
        assert run(client, file_server.fetch, method, "some") == body


@LINUX
def test_a_file_server_serves_on_the_real_machine_too(tmp_path):
    (tmp_path / "some").write_bytes(b"text")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = (
        f"import pathlib; from {file_server.__name__} import serve; serve(pathlib.Path({str(tmp_path)!r}), {port})"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as server:
        try:
            for method in file_server.METHODS:
                assert patiently(lambda method=method: file_server.fetch(method, "some", "127.0.0.1", port)) == b"text"
        finally:
            server.kill()


def patiently(call):
    """Until somebody listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return call()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("poll", [False, True])
def test_a_chat_outlives_a_partition(poll):
    heard = example("chat")["chat"](poll)
    assert [line for _, line in heard["ann"]] == ["ben: hello Ann", "ben: can you hear me?"]
    assert [line for _, line in heard["ben"]] == ["ann: hello", "ann: is Ben there?"]
    assert heard["eve"][:3] == [(1.205, "ann: hello"), (1.51, "ben: hello Ann"), (3.205, "ann: is Ben there?")]
    assert heard["ben"][1][0] > 5  # after the network was well again


@pytest.mark.filterwarnings("ignore:The asyn.* module is deprecated:DeprecationWarning")  # pyftpdlib imports them
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_says_what_it_does_and_runs(path, monkeypatch, capsys):
    if path.stem == "ftp_firewall":
        pytest.importorskip("pyftpdlib")
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert f"python examples/{path.name}" in told
    assert "options:" in told
    assert len(told.splitlines()) > 12


@LINUX
@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("chat", ["--poll", "--healed", "4 s"], "eve hears\n   1.205 s  ann: hello\n"),
        ("file_server", ["--kilobytes", "20", "--loss", "0%"], "writev   20,000 bytes in 0.0"),
    ],
)
def test_an_example_prints_what_came_of_it(name, words, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert told in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:The asyn.* module is deprecated:DeprecationWarning")  # pyftpdlib imports them
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # ftplib forgets its listening socket when PORT fails
def test_active_ftp_ends_at_a_firewall_and_passive_does_not():
    pytest.importorskip("pyftpdlib")
    across = example("ftp_firewall")["across_a_firewall"]
    outcome, seconds, recorder = across(passive=True)
    assert (outcome, seconds < 1) == ("50000 bytes", True)
    assert not recorder.losses("drop SYN to client")
    outcome, seconds, recorder = across(passive=False)
    assert outcome == "error_temp: 421 Active data channel timed out."
    assert 30 < seconds < 31
    assert len(recorder.losses("drop SYN to client")) == 5  # at once, after 1, 3, 7 and 15 seconds
