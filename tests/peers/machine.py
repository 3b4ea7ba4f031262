"""A kernel of the test's own, with netglass on a TUN device of it: what the tests of real peers stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from netglass.link.machine import Namespace

P = ParamSpec("P")
T = TypeVar("T")

DEVICE = "ng0"
OURS = {4: "10.83.0.2", 6: "fd83::2"}
KERNEL = {4: "10.83.0.1", 6: "fd83::1"}
PREFIX = {4: 24, 6: 64}
BULK = 8_000_000
PROGRAMS = Path(__file__).parent / "programs"
LIMIT = 60  # seconds that any command may take, on a machine that is busy with other things
TERMINATED = 128 + signal.SIGTERM


class Running:
    """A process in the namespace. Its standard error goes to a file, so that it never waits for us."""

    def __init__(self, command: list[str], directory: Path, errors: Path, keep: Sequence[int] = ()) -> None:
        self.command = command
        self._errors = errors
        with errors.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                cwd=directory,
                pass_fds=keep,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def line(self) -> str:
        """The next line that it says; fails if it ends instead."""
        line = self.stdout.readline()
        assert line, f"{self.command} ended: {self.errors()}"
        return line.decode().rstrip("\n")

    def say(self, text: str) -> None:
        self.stdin.write(text.encode() + b"\n")
        self.stdin.flush()

    def finish(self) -> bytes:
        """The rest of what it says, when it has ended well."""
        rest, _ = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0, f"{self.command}: {self.errors()}"
        return rest

    def terminate(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=LIMIT)
        finally:
            self.kill()
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def errors(self) -> str:
        return self._errors.read_text(errors="replace")


class Machine:
    """`namespace` is the kernel's side. `close` ends every process and fails if one of netglass's did not end in order,
    or left something behind."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.namespace = Namespace()
        self.captures: list[Path] = []
        self._started: list[Running] = []
        self._netglass: list[Running] = []
        # Else the kernel looks for duplicates of its IPv6 address first, and speaks from ::1 meanwhile.
        self.call(Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text, "0")

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.namespace.call(function, *args, **kwargs)

    def start(self, *command: str | Path, keep: Sequence[int] = ()) -> Running:
        """`keep`: descriptors that the process inherits."""
        errors = self.directory / f"stderr-{len(self._started)}"
        process = self.call(Running, [str(each) for each in command], self.directory, errors, keep)
        self._started.append(process)
        return process

    def run(self, *command: str, stdin: bytes = b"", status: int = 0) -> bytes:
        """What a command of the kernel's side writes to standard output; it must end with `status`."""
        done = self.call(self._complete, command, stdin)
        assert done.returncode == status, f"{command}: {done.returncode}: {done.stderr.decode(errors='replace')}"
        return done.stdout

    def _complete(self, command: Sequence[str], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, input=stdin, capture_output=True, timeout=LIMIT, cwd=self.directory, check=False)

    def netglass(self, *words: str | Path) -> Running:
        """`netglass run --tun` of a program, with a capture."""
        capture = self.directory / f"capture-{len(self.captures)}.pcapng"
        where = [word for version in (4, 6) for word in ("--address", f"{OURS[version]}/{PREFIX[version]}")]
        command = [sys.executable, "-m", "netglass", "run", "--tun", DEVICE, *where, "--pcapng", capture, *words]
        process = self.start(*command)
        self.captures.append(capture)
        self._netglass.append(process)
        return process

    def serve(self, *words: str | Path) -> Running:
        """The same for a server; it runs when the server has said its first line."""
        process = self.netglass(*words)
        process.line()
        return process

    def close(self) -> None:
        try:
            for process in self._netglass:
                if process.process.poll() is None:
                    assert process.terminate() == TERMINATED, process.errors()
            assert DEVICE not in self.call(os.listdir, "/proc/sys/net/ipv4/conf")
        finally:
            for process in self._started:
                process.kill()
            for number in self.namespace.processes():  # what they started and did not end
                os.kill(number, signal.SIGKILL)
            self.namespace.close()


# -- the captures, as tshark reads them

CHECKS = ("ip", "tcp", "udp", "icmp", "icmpv6", "igmp")
BAD = "0"


def faults_in(capture: Path, checked: Iterable[str] = CHECKS) -> list[str]:
    """Packets that tshark calls malformed, and those with a bad checksum; that the capture is empty, if it is."""
    options = [word for each in ("ip", "tcp", "udp") for word in ("-o", f"{each}.check_checksum:TRUE")]
    fields = ["frame.number", "_ws.malformed", *[f"{each}.checksum.status" for each in checked]]
    command = ["tshark", "-n", "-r", str(capture), *options, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    command += [word for each in fields for word in ("-e", each)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    lines = done.stdout.splitlines()
    if not lines:
        return [f"{capture.name}: no packets: {done.stderr}"]
    found = []
    for line in lines:
        values = dict(zip(fields, line.split("|"), strict=True))
        number = values.pop("frame.number")
        if values.pop("_ws.malformed"):
            found.append(f"{capture.name}, packet {number}: malformed")
        found += [
            f"{capture.name}, packet {number}: {name}" for name, value in values.items() if BAD in value.split(",")
        ]
    return found
