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
from netglass.cli.printed import outcome_text
from netglass.cli.show import own_options
from netglass.experiments import NAMES, by_name
from netglass.times import EPOCH, SECOND
from netglass.trace import read_capture


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


def test_each_command_has_a_line_in_the_list():
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"})
    commands = result.stdout.partition("Commands:")[2]
    assert "packetdrill" in commands
    assert all(line.endswith(".") and not line.endswith("...") for line in commands.strip().splitlines())


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


# -- what goes into files


def test_the_files_that_are_written_are_named(tmp_path):
    path = tmp_path / "isn.svg"
    result = show("isn-guessing", "--svg", str(path))
    assert result.stderr == f"wrote {path}, {tmp_path / 'isn-2.svg'}\n"
    assert {each.name for each in tmp_path.iterdir()} == {"isn.svg", "isn-2.svg"}
    assert ">fixed initial sequence numbers</text>" in path.read_text(encoding="utf-8")  # on a line of its own


def test_a_capture_is_one_hosts_and_says_where_the_ladder_begins(tmp_path):
    path = tmp_path / "slow.pcapng"
    told = show("slow-start", "--pcapng", str(path)).stderr
    assert told == f"wrote {path} (as client sees it; the ladder begins at its 1 s)\n"
    assert {each.interface for each in read_capture(path)} == {"client:eth0"}
    assert [each.time - EPOCH for each in read_capture(path) if each.comments] == [SECOND]
    show("slow-start", "--pcapng", str(path), "--vantage", "server")
    assert {each.interface for each in read_capture(path)} == {"server:eth0"}
    show("slow-start", "--pcapng", str(path), "--vantage", "all")
    assert {each.interface for each in read_capture(path)} == {"client:eth0", "server:eth0"}


def test_a_long_transfer_has_a_capture_too(tmp_path):
    show("window-scaling", "--megabytes", "1", "--pcapng", str(tmp_path / "scaling.pcapng"))
    for name in ("scaling.pcapng", "scaling-2.pcapng"):
        assert len(read_capture(tmp_path / name)) > 700


def test_a_dash_is_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert show("handshake", "--svg", "-").stdout.startswith("<svg ")
    assert show("handshake", "--mermaid", "-").stdout.startswith("sequenceDiagram\n")
    assert show("handshake", "--html", "-").stdout.startswith("<!DOCTYPE html>")
    assert show("handshake", "--pcapng", "-").stdout_bytes[:4] == b"\x0a\x0d\x0d\x0a"
    assert json.loads(show("handshake", "--json", "-").stdout)["name"] == "handshake"
    assert list(tmp_path.iterdir()) == []


def test_json_has_the_ladder_as_it_is_and_says_its_units(tmp_path):
    told = json.loads(show("close", "--json", "-").stdout)
    (part,) = told["parts"]
    fin = next(each for each in part["ladder"]["items"] if each["type"] == "arrow")
    assert fin["arrives_ns"] - fin["sent_ns"] == 20_000_000
    assert part["ladder"]["origin_ns"] >= 0
    assert "ns" in told["units"]


def test_the_page_has_the_table(tmp_path):
    path = tmp_path / "old.html"
    show("time-wait-old-duplicate", "--html", str(path))
    assert "<td>no TIME-WAIT</td>" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["handshake", "--svg", "nowhere/a.svg"], "nowhere/a.svg cannot be written: there is no directory nowhere"),
        (["handshake", "--html", "."], "cannot be written: it is a directory"),
        (["handshake", "--svg", "a", "--html", "a"], "two forms cannot go to the same place"),
        (["isn-guessing", "--svg", "-"], "isn-guessing has 2 parts, too many for the terminal; name a file"),
        (["syn-flood", "--svg", "a.svg"], "syn-flood is a table; there is no ladder to draw"),
        (["handshake", "--vantage", "all"], "name its file with --pcapng"),
        (["handshake", "--pcapng", "a", "--vantage", "bob"], "nothing was recorded of a host 'bob'"),
        (["handshake", "--width", "20"], "--width is 40 columns or more"),
        (["--width", "-3"], "--width is 40 columns or more"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_printed(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = show(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert list(tmp_path.iterdir()) == []


# -- how it looks


def test_a_narrow_terminal_gets_the_narrowest_ladder(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = show("isn-guessing")
    assert result.exit_code == 0
    assert 40 < max(len(line) for line in result.stdout.splitlines()) < 75
    assert show("isn-guessing", "--width", "40").exit_code == 0


@pytest.mark.parametrize("name", ["syn-queue-full", "accept-queue-full", "isn-guessing"])
def test_three_hosts_fit_into_eighty_columns(name):
    assert max(len(line) for line in show(name, "--width", "80").stdout.splitlines()) <= 80


@pytest.mark.parametrize("width", ["40", "60"])
def test_tables_are_as_narrow_as_what_they_stand_in(width):
    result = show("time-wait-old-duplicate", "--width", width)
    table = result.stdout[result.stdout.index("  set up") :]
    assert max(len(line) for line in table.splitlines()) <= int(width)
    assert "pay 200" in table


@pytest.mark.parametrize("name", ["handshake", "close", "syn-flood"])
def test_ascii_is_ascii_in_the_answer_too(name):
    result = show(name, "--ascii")
    assert result.stdout.isascii()
    assert "RFC 9293 sec. 3" in " ".join(result.stdout.split()) or name == "syn-flood"


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_no_style_where_none_is_wanted(name, value, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[" in outcome_of("handshake")
    monkeypatch.setenv(name, value)
    assert "\x1b[" not in outcome_of("handshake")


def outcome_of(name):
    experiment = by_name(name)
    return outcome_text(experiment, experiment.run(), 80, plain=False)


def test_what_lacks_a_library_is_listed_all_the_same_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr("netglass.experiments.experiment.find_spec", lambda name: None)
    listed = show("--width", "100").stdout
    assert [line.split()[1] for line in listed.splitlines() if line.startswith("* ")][:2] == [
        "ftp-active",
        "ftp-passive",
    ]
    assert "* runs servers and clients of others: pip install 'netglass[examples]'" in listed
    refused = show("smtp")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert (
        refused.stderr
        == "netglass show: smtp runs what is not installed (aiosmtpd): pip install 'netglass[examples]'\n"
    )
