"""`netglass show` as its user sees it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from netglass.cli.app import app
from netglass.cli.show import own_options
from netglass.experiments import NAMES


def show(*words):
    return CliRunner().invoke(app, ["show", *words])


def test_without_a_name_it_lists_all_questions():
    result = show()
    assert result.exit_code == 0
    assert all(name in result.stdout for name in NAMES)


def test_it_draws_and_answers():
    result = show("handshake", "--width", "100")
    assert result.exit_code == 0
    assert "SYN,ACK seq=0 ack=1" in result.stdout
    assert "3 segments." in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_options_of_the_experiment_change_the_answer():
    assert "connect() returns after 3.04 s" in show("lost-syn", "--losses", "2", "--width", "100").stdout
    assert "7.04" in show("--losses=3", "lost-syn", "--width", "100").stdout


def test_a_switch_needs_no_value():
    assert own_options(["a", "--gone", "--rtt", "1s", "b", "--late=2s"]) == (
        ["a", "b"],
        {"gone": "yes", "rtt": "1s", "late": "2s"},
        False,
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["handshak"], "did you mean handshake"),
        (["lost-syn", "--foo", "1"], "lost-syn has no --foo; it has --rtt, --losses"),
        (["lost-syn", "--losses"], "--losses takes a whole number"),
        (["handshake", "refused", "--pcapng", "x.pcapng"], "one experiment at a time"),
    ],
)
def test_what_is_wrong_is_told(words, told):
    result = show(*words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_the_options_of_an_experiment_are_listed():
    result = show("synack-backoff", "--help-options")
    assert "--retries" in result.stdout
    assert "default 5" in result.stdout


def test_a_table_is_drawn_and_written_as_json(tmp_path):
    path = tmp_path / "flood.json"
    result = show("syn-flood", "--seconds", "5", "--json", str(path))
    assert result.exit_code == 0
    assert "cookies always" in result.stdout
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["figures"]["40"]["none"]["syns"] == 200
    assert len(written["table"]["rows"]) == 7


def test_a_capture_is_written(tmp_path):
    path = tmp_path / "handshake.pcapng"
    assert show("handshake", "--pcapng", str(path)).exit_code == 0
    assert path.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
