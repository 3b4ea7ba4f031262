"""The scripts in examples/ do what they say."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from netglass import Network, run, spawn

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.mark.skipif(sys.platform != "linux", reason="epoll, sendfile and writev as Linux has them")
def test_a_file_server_with_epoll_and_threads_serves_in_three_ways():
    found = example("file_server")["main"]()
    assert [(method, size) for method, size, _ in found] == [
        ("sendfile", 1_024_000),
        ("mmap", 1_024_000),
        ("writev", 1_024_000),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="epoll, sendfile and writev as Linux has them")
def test_a_file_server_sends_what_is_in_the_file(tmp_path):
    made = example("file_server")
    body = bytes(range(256)) * 1000
    (tmp_path / "some").write_bytes(body)
    for method in made["METHODS"]:
        net = Network(seed=2)
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="1 ms", loss="2%")
        spawn(server, made["serve"], tmp_path, daemon=True)
        assert run(client, made["fetch"], method, "some") == body


def test_a_chat_outlives_a_partition():
    heard = example("chat")["main"]()
    assert [line for _, line in heard["ann"]] == ["ben: hello Ann", "ben: can you hear me?"]
    assert [line for _, line in heard["ben"]] == ["ann: hello", "ann: is Ben there?"]
    assert heard["eve"][:3] == [(1.205, "ann: hello"), (1.51, "ben: hello Ann"), (3.205, "ann: is Ben there?")]
    assert heard["ben"][1][0] > 5  # after the network was well again


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
