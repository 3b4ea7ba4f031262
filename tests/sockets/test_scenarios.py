"""Every scenario, and every value of every option, against what Linux 6.18 answered (recorded by `record_linux`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sockets.machine import NetglassMachine
from tests.sockets.option_scenarios import OPTION_SCENARIOS
from tests.sockets.scenarios import SCENARIOS

HERE = Path(__file__).parent

STALE_PORT = "Linux goes on telling the port of a dissolved connection, though it is free for others already"
NO_FAST_OPEN = "as Linux with net.ipv4.tcp_fastopen = 0; the recording is of 1"

# scenario: (number of the line, ours, why it differs)
DIFFERENCES = {
    "refused_then_connect": (4, "getsockname(3) = 0.0.0.0:0", STALE_PORT),
    "refused_when_bound": (5, "getsockname(3) = 127.0.0.1:0", STALE_PORT),
    "dissolving": (5, "getsockname(4) = 0.0.0.0:0", STALE_PORT),
    "AF_INET SOCK_STREAM IPPROTO_TCP": (17, "30: <0> any->-EOPNOTSUPP", NO_FAST_OPEN),
    "AF_INET6 SOCK_STREAM IPPROTO_TCP": (17, "30: <0> any->-EOPNOTSUPP", NO_FAST_OPEN),
}


def recorded(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in (HERE / name).read_text().strip().split("\n\n"):
        title, *lines = part.splitlines()
        found[title.strip("[]")] = lines
    return found


CALLS = recorded("linux_6_18.txt")
OPTIONS = recorded("linux_6_18_options.txt")


def expected(name: str, lines: list[str]) -> list[str]:
    if name not in DIFFERENCES:
        return lines
    number, ours, _ = DIFFERENCES[name]
    assert lines[number] != ours
    return [*lines[:number], ours, *lines[number + 1 :]]


def test_the_recordings_are_of_these_scenarios():
    assert list(CALLS) == list(SCENARIOS)
    assert list(OPTIONS) == list(OPTION_SCENARIOS)


# Known defects of the connection, not of the calls.
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_calls_answer_as_linux(name):
    machine = NetglassMachine()
    SCENARIOS[name](machine)
    assert machine.lines == expected(name, CALLS[name])


@pytest.mark.parametrize("name", OPTION_SCENARIOS)
def test_options_answer_as_linux(name):
    machine = NetglassMachine()
    # The sysctls of the machine that was recorded.
    machine.host.config.set("net.ipv4.tcp_rmem", "4096 131072 33554432")
    machine.host.config.set("net.ipv4.tcp_wmem", "4096 16384 4194304")
    OPTION_SCENARIOS[name](machine)
    assert machine.lines == expected(name, OPTIONS[name])
