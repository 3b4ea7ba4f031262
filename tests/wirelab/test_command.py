"""`netglass wire-lab`: a scenario file over real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netglass.cli import lab_file

COMMAND = [sys.executable, "-c", "from netglass.cli import main; main()", "wire-lab"]

LAB = f"""
[hosts.client]
run = "{sys.executable} ask.py server"

[hosts.server]
serve = "{sys.executable} serve.py"

[[cables]]
between = ["client", "server"]
delay = "1 ms"
faults = ["drop(syn)"]
"""
SERVE = """
import socket
with socket.create_server(("", 80)) as listener:
    while True:
        with listener.accept()[0] as sock:
            sock.sendall(b"you said " + sock.recv(100))
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 80)) as sock:
    sock.sendall(b"hello")
    print(sock.recv(100).decode())
raise SystemExit(7)
"""

HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

WITHOUT_RIGHTS = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
assert libc.capset(struct.pack("=Ii", 0x20080522, 0), bytes(24)) == 0
from netglass.cli import main
main()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "lab.toml").write_text(LAB)
    (tmp_path / "serve.py").write_text(SERVE)
    (tmp_path / "ask.py").write_text(ASK)
    return tmp_path


def wire_lab(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=place, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.usefixtures("kernels")
def test_the_programs_of_a_file(place: Path):
    done = wire_lab(place, "lab.toml", "--pcapng", "lab.pcapng", "--ladder", "lab.svg")
    assert (done.stdout, done.returncode) == ("you said hello\n", 7), done
    for line in ("client -> server: ", "1 lost: drop SYN 1", "ended with status 7 after "):
        assert line in done.stderr
    capture = (place / "lab.pcapng").read_bytes()
    assert b"you said hello" in capture
    assert b"drop SYN" in capture
    assert "SYN" in (place / "lab.svg").read_text()


def test_the_file_in_the_documentation_is_a_lab(tmp_path: Path):
    pages = Path(__file__).parents[2] / "docs" / "wire.md"
    example = pages.read_text(encoding="utf-8").split("```toml\n")[1].partition("```")[0]
    (tmp_path / "lab.toml").write_text(example)
    lab = lab_file.read(tmp_path / "lab.toml")
    assert [each.words[0] for each in lab.programs] == ["curl", "python3"]
    assert [len(cable.lanes[0].faults) for cable in lab.network.cables] == [2, 0]


@pytest.mark.usefixtures("kernels")
def test_another_command_than_that_of_the_file(place: Path):
    done = wire_lab(place, "--quiet", "lab.toml", "--on", "client", "--", sys.executable, "-c", "print('another')")
    assert (done.stdout, done.stderr, done.returncode) == ("another\n", "", 0)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_servers_alone_run_until_they_are_told_to_end(place: Path, number: signal.Signals):
    (place / "lab.toml").write_text("\n".join([line for line in LAB.splitlines() if not line.startswith("run")]))
    # As from a shell in the foreground: in a background one Ctrl-C is ignored, and children inherit that.
    words = [sys.executable, "-c", f"{HEARING}; from netglass.cli import main; main()", "wire-lab", "lab.toml"]
    with subprocess.Popen(words, cwd=place, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stderr is not None
        said = ""
        while "Ctrl-C ends it" not in said:
            line = running.stderr.readline()
            assert line, said
            said += line
        if number == signal.SIGINT:
            os.killpg(running.pid, number)  # a terminal tells all in the foreground
        else:
            running.send_signal(number)
        rest = running.stderr.read()  # to the end: the programs, which have the same standard error, have ended
        assert running.wait(timeout=60) == 130
        assert "client -> server: " in rest


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no host has a program"),
        ("[hosts.a]\nrun = 'true'", "a: a kernel needs a cable"),
        ("[hosts.a]\nwalk = 'true'", "host a has no walk"),
        (LAB.replace("drop(syn)", "drop(nonsense)"), "is no fault"),
    ],
)
def test_mistakes_are_told_in_a_line(place: Path, text: str, complaint: str):
    (place / "lab.toml").write_text(text)
    done = wire_lab(place, "lab.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("netglass wire-lab: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_right_that_is_missing_is_named(place: Path):
    words = [sys.executable, "-c", WITHOUT_RIGHTS, "wire-lab", "lab.toml"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "(CAP_SYS_ADMIN): run it below unshare -Urn" in done.stderr
    assert done.stderr.count("\n") == 1
