"""A wrong expectation must fail, and at its own line. Otherwise a script that passes would prove little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netglass.packetdrill import parse_script
from netglass.packetdrill.profile import default_config
from netglass.packetdrill.runner import Runner
from netglass.packetdrill.script import (
    Clock,
    Command,
    Direction,
    Event,
    Script,
    ScriptError,
    Setting,
    TcpPacket,
    UdpPacket,
    When,
)
from netglass.packetdrill.settings import read_settings
from tests.packetdrill.mutants import Mutant, mutants

CASES = Path(__file__).parent.parent / "cases"
SCRIPTS = [
    "calls/blocking_read.pkt",
    "close/active_close.pkt",
    "close/half_close.pkt",
    "close/passive_close.pkt",
    "close/unread_data_resets.pkt",
    "handshake/active_open.pkt",
    "handshake/passive_open.pkt",
    "handshake/refused.pkt",
    "handshake/simultaneous_open.pkt",
    "handshake/syn_ack_retransmitted.pkt",
    "handshake/syn_retransmitted.pkt",
    "icmp/connect_unreachable.pkt",
    "receive/out_of_order.pkt",
    "retransmission/timeout.pkt",
    "udp/connected_refused.pkt",
    "window/peer_window_limits.pkt",
    "window/zero_window_probe.pkt",
]
CHECK_TIMESTAMPS = Setting("tcp_ts_tick_usecs", "1000", 0)


def comes_out(event: Event) -> bool:
    return isinstance(event.action, TcpPacket | UdpPacket) and event.action.direction is Direction.OUT


def failing_line(script: Script) -> int:
    """Where `script` fails; 0 if it passes."""
    settings = read_settings(script.settings, [CHECK_TIMESTAMPS], script.path)
    try:
        result = Runner(script, settings, default_config()).run()
    except ScriptError as error:
        return error.line
    return result.failure.line if result.failure is not None else 0


def unnoticed(script: Script) -> list[Mutant]:
    return [mutant for mutant in mutants(script) if failing_line(mutant.script) != mutant.line]


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_wrong_expectation_fails_at_its_line(name: str) -> None:
    script = parse_script((CASES / name).read_text(), name)
    assert failing_line(script) == 0
    survivors = [f"{name}:{mutant.line}: {mutant.what}" for mutant in unnoticed(script)]
    assert survivors == []


def test_the_set_is_large_enough_to_mean_something() -> None:
    total = sum(1 for name in SCRIPTS for _ in mutants(parse_script((CASES / name).read_text(), name)))
    assert total > 1000


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_packet_that_the_script_does_not_expect_fails(name: str) -> None:
    """A line that no longer expects its packet: that is one too many, and is found when the next one is expected."""
    script = parse_script((CASES / name).read_text(), name)
    out = [index for index, event in enumerate(script.events) if comes_out(event)]
    for index in out[:-1]:
        event = script.events[index]
        silent = Event(event.line, When(event.when.clock, event.when.start), Command("true"))
        shorter = replace(script, events=(*script.events[:index], silent, *script.events[index + 1 :]))
        assert failing_line(shorter) > event.line


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_packet_that_does_not_come_fails(name: str) -> None:
    """A line written twice: the second packet is missing."""
    script = parse_script((CASES / name).read_text(), name)
    for index, event in enumerate(script.events):
        if comes_out(event):
            twice = Event(event.line + 1000, When(Clock.RELATIVE, 0), event.action)
            longer = replace(script, events=(*script.events[: index + 1], twice, *script.events[index + 1 :]))
            assert failing_line(longer) == twice.line
