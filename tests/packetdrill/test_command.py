"""`netglass packetdrill`, as the command line mounts it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

typer = pytest.importorskip("typer")
from typer.testing import CliRunner, Result  # noqa: E402

from netglass.packetdrill.command import CONTEXT, packetdrill  # noqa: E402

GOOD = "0 socket(..., SOCK_STREAM, 0) = 3\n+0 close(3) = SIZE\n"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.pkt"
    path.write_text(GOOD)
    return str(path)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command(context_settings=CONTEXT)(packetdrill)
    return CliRunner().invoke(app, list(arguments))


def test_all_pass(good: str) -> None:
    result = run("-D", "SIZE=0", good)
    assert result.exit_code == 0
    assert result.stdout == "1 script: 1 passed, 0 failed, in 0 ns of virtual time\n"


def test_one_fails(good: str) -> None:
    result = run("--define=SIZE=1", good, good)
    assert result.exit_code == 1
    assert f"{good}:2: the result of close is 0, not 1\n  expected  1\n  got       0\n" in result.stdout
    assert "2 scripts: 0 passed, 2 failed" in result.stdout


def test_quiet(good: str) -> None:
    assert run("-q", "-D", "SIZE=0", good).stdout == ""
    assert run("-q", "-D", "SIZE=1", good).exit_code == 1


def test_json(good: str) -> None:
    (line,) = run("--json", "-D", "SIZE=0", good).stdout.splitlines()
    assert json.loads(line) == {"path": good, "passed": True, "duration_ns": 0, "warnings": []}


def test_verbose(good: str) -> None:
    assert "0.000000 socket(..., SOCK_STREAM, 0) = 3\n" in run("-v", "-D", "SIZE=0", good).stdout


def test_options_of_the_language_pass_through(good: str) -> None:
    assert run("--mtu=1400", "--non_fatal=syscall", "-D", "SIZE=1", good).stdout.startswith("warning: ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--frobnicate=7"], "--frobnicate=7: there is no such option"),
        (["--mtu=many"], "--mtu=many: "),
        (["-D", "SIZE"], "write -D NAME=value"),
    ],
)
def test_a_wrong_option_is_no_failed_script(good: str, words: list[str], told: str) -> None:
    result = run(*words, good)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("netglass packetdrill: --")
    assert told in result.stderr


def test_the_help_tells_the_tolerance() -> None:
    told = run("--help").stdout
    assert "12.5 %" in told
    assert "FILE..." not in told


def test_nothing_to_play(tmp_path: Path) -> None:
    assert run(str(tmp_path)).exit_code == 2
    assert run(str(tmp_path / "missing.pkt")).exit_code == 2


def test_the_packets_can_be_drawn_and_kept(tmp_path: Path) -> None:
    script = tmp_path / "syn.pkt"
    script.write_text(
        """0 socket(..., SOCK_STREAM, 0) = 3
        +0 bind(3, ..., ...) = 0
        +0 listen(3, 1) = 0
        +0 < S 0:0(0) win 1000 <mss 1000>
        +0 > S. 0:0(0) ack 1 <...>
        """
    )
    capture = tmp_path / "syn.pcapng"
    result = run("--ladder", "--pcapng", str(capture), str(script))
    assert result.exit_code == 0
    assert "SYN,ACK" in result.stdout
    assert "SYN-RECEIVED" in result.stdout
    assert capture.read_bytes().startswith(bytes.fromhex("0a0d0d0a"))
    assert run("--pcapng", str(capture), str(script), str(script)).exit_code == 2
