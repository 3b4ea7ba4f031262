"""`netglass show` as its user sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import netglass
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
        {"gone": True, "rtt": "1s", "late": "2s"},
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


def test_the_list_of_questions_fits_a_narrow_terminal():
    result = show("--width", "40")
    assert all(name in result.stdout for name in NAMES)
    assert max(len(line) for line in result.stdout.splitlines()) <= 40


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rtt", "10ms"], "--rtt is an experiment's option: name one"),
        (["handshake", "--rtt"], "--rtt takes a time, such as 40ms; there is none"),
        (["handshake", "-x", "100"], "there is no option -x; netglass show handshake --help lists them"),
        (["slow-start", "--kilobytes", "30", "--lost", "40"], "--lost is one of the segments, 1 to 21"),
    ],
)
def test_options_that_cannot_be_are_told(words, told):
    result = show(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_the_name_of_an_experiment_is_no_value_of_a_switch():
    assert own_options(["--gone", "handshake"]) == (["handshake"], {"gone": True}, False)


def test_width_has_a_short_name():
    assert show("handshake", "-w", "100").stdout == show("handshake", "--width", "100").stdout


def test_help_tells_the_options_of_the_experiment_that_is_named():
    assert "Options of" not in show("--help").stdout
    told = show("synack-backoff", "--help").stdout
    assert "Options of synack-backoff:" in told
    assert "--retries" in told
    assert "nothing to vary" in show("states", "--help").stdout


def test_the_options_of_every_experiment_can_be_listed():
    told = show("--help-options").stdout
    assert "handshake: " in told
    assert "--retries" in told


def completions(line):
    """What bash offers for `line`, whose last word is being typed."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_NETGLASS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return subprocess.run([*MODULE], env=environment, capture_output=True, text=True, check=False).stdout.split()


MODULE = (sys.executable, "-m", "netglass")


def test_the_shell_completes_names_and_options_of_experiments():
    assert "lost-syn" in completions("netglass show lost")
    assert completions("netglass show synack-backoff --ret") == ["--retries"]
    assert "--rtt" in completions("netglass show handshake --")
    assert completions("netglass show --ret") == []


def test_the_module_is_the_command():
    told = subprocess.run([*MODULE, "-V"], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"netglass {netglass.__version__} (")


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="pipes that break are Unix's")
def test_a_reader_who_has_seen_enough_is_no_error():
    writer = subprocess.Popen([*MODULE, "show", "close"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait() == -signal.SIGPIPE
