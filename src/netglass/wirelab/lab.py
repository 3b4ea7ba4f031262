"""The lab in real time: its clock is this machine's, and some of its hosts are kernels.

    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="20 ms", faults=[faults.loss("1%")])
    with WireLab(net, [client, server]) as lab:
        lab.serve("server", ["python3", "-m", "http.server", "80"])
        fetch = lab.start("client", ["curl", "-sO", "http://server/"])
        lab.wait_for(fetch)

Everything of a lab works: cables with their faults, routers between hosts, hosts of netglass's own with small
programs, observers. The same seed loses the same packets of each cable, by their number; which packet has which
number is up to the kernels. What happens, happens a little late, by as much as the machine is busy: `late` says how
much at most.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from netglass.errors import MisuseError
from netglass.lab.host import LabHost
from netglass.lab.network import Network
from netglass.times import NEVER, SECOND, duration, human
from netglass.wirelab.gate import Gate
from netglass.wirelab.kernel import Kernel
from netglass.wirelab.names import hosts_text
from netglass.wirelab.process import Process, launch, waiting_sockets

PATIENCE: Final = 5 * SECOND
"""How long a server may take until somebody can connect to it."""

QUIET: Final = SECOND // 50
"""How long a kernel may take to answer what reached it."""

LEAVE: Final = 1  # seconds; how long a process may take to end when it is told to

TICK: Final = SECOND // 4  # between two times that a predicate is asked though nothing happens


class WireLab:
    """`kernels` names the hosts of `net` that shall be kernels. Needs the right to make network namespaces, and
    pyroute2: LinkError says so in one line. `tell` hears, in one line each, what goes on."""

    __slots__ = (
        "_began",
        "_gates",
        "_hosts_file",
        "_kernels",
        "_nameless",
        "_running",
        "late",
        "net",
        "processes",
        "tell",
    )

    def __init__(
        self, net: Network, kernels: Iterable[LabHost | str], tell: Callable[[str], object] | None = None
    ) -> None:
        self.net: Network = net
        self.tell: Callable[[str], object] = tell or (lambda line: None)
        self.processes: list[Process] = []
        self.late: int = 0  # ns, the most that anything happened too late
        self._kernels: dict[str, Kernel] = {}
        self._gates: dict[int, Gate] = {}
        self._running: dict[int, Process] = {}  # by the descriptor that tells their end
        self._hosts_file: Path | None = None
        self._nameless: str = ""  # why processes do not know the names of hosts
        net.catch_up()
        try:
            for each in kernels:
                self._add(each if isinstance(each, str) else each.name)
            self._write_hosts()
        except BaseException:
            self.close()
            raise
        self._began: int = time.monotonic_ns() - net.now()

    def _add(self, name: str) -> None:
        found = [host for host in self.net.hosts if host.name == name]
        if not found:
            raise MisuseError(f"no host is called {name!r}; there are {', '.join([x.name for x in self.net.hosts])}")
        if name not in self._kernels:
            kernel = self._kernels[name] = Kernel(found[0])
            self._gates |= {gate.tun.fileno(): gate for gate in kernel.gates}

    def _write_hosts(self) -> None:
        descriptor, path = tempfile.mkstemp(prefix="hosts-")
        self._hosts_file = Path(path)
        with open(descriptor, "w", encoding="utf-8") as file:
            missing = [address for kernel in self._kernels.values() for address in kernel.missing]
            file.write(hosts_text(self.net, missing))
        self._hosts_file.chmod(0o644)

    # -- processes

    def start(
        self,
        host: str,
        words: Sequence[str],
        directory: Path | str = ".",
        stdin: int | None = None,
        output: int | None = None,
    ) -> Process:
        """Starts a process on `host`, a kernel: `words` are its program and arguments; no shell reads them. It sees the
        lab's hosts by their names. `stdin` and `output` (standard output and error) are as for subprocess: a
        descriptor, PIPE, DEVNULL; None are those of this process."""
        kernel = self._kernels.get(host)
        if kernel is None or self._hosts_file is None:
            raise MisuseError(f"{host!r} is no kernel of this lab; there are {', '.join(self._kernels) or 'none'}")
        where = Path(directory).resolve()
        process, complaint = kernel.namespace.call(launch, host, words, where, self._hosts_file, stdin, output)
        if complaint and not self._nameless:
            self._nameless = complaint
            self.tell(f"programs do not know the hosts by name, only by address: {complaint}")
        self.processes.append(process)
        self._running[process.end] = process
        self.tell(f"{host}: {process.title}")
        return process

    def serve(self, host: str, words: Sequence[str], directory: Path | str = ".", output: int | None = None) -> Process:
        """Starts a server and waits, for a while, until it can be connected to (or has a UDP socket)."""
        before = waiting_sockets(self._witness(host))
        process = self.start(host, words, directory, subprocess.DEVNULL, output)
        limit = self.now() + PATIENCE
        while process.status is None and waiting_sockets(process.popen.pid) <= before:
            if self.now() >= limit:
                self.tell(f"{host}: {process.words[0]} has opened no port so far")
                break
            self.turn(self.now() + SECOND // 50)
        return process

    def _witness(self, host: str) -> int:
        """A process on this host, 0 if there is none yet."""
        alive = [each.popen.pid for each in self.processes if each.host == host and each.status is None]
        return alive[0] if alive else 0

    def wait_for(self, *processes: Process, limit: int | str = NEVER) -> bool:
        """Lets things happen until all of these have ended; False if that takes longer than `limit`."""
        last = NEVER if limit == NEVER else self.now() + duration(limit)
        return self.run_until(lambda: not any(each.status is None for each in processes), last)

    # -- time

    def now(self) -> int:
        """Nanoseconds since the beginning."""
        return time.monotonic_ns() - self._began

    def run_until(self, predicate: Callable[[], bool], last: int = NEVER) -> bool:
        """Lets things happen until `predicate()` is true, asked after each turn; False if it is not by `last`."""
        while not predicate():
            if self.now() >= last:
                return False
            self.turn(min(last, self.now() + TICK))
        return True

    def settle(self, limit: int | str = SECOND) -> None:
        """Lets happen what is still under way, such as the end of a connection whose program has ended already."""
        last = self.now() + duration(limit)
        while self.now() < last:
            self.turn(last if self.net.deadline() != NEVER else min(last, self.now() + QUIET))
            if self.net.deadline() == NEVER:
                return

    def turn(self, deadline: int) -> None:
        """What is due; then waits until a kernel sends, something is due or a process ends, at most until `deadline`;
        and does that."""
        now = self._advance()
        left = max(0, min(self.net.deadline(), deadline) - now)
        # select, not epoll: that one counts whole milliseconds, in which a fast cable delivers hundreds of packets.
        readable, _, _ = select.select([*self._gates, *self._running], [], [], left / SECOND)
        now = self._advance()
        for descriptor in readable:
            gate = self._gates.get(descriptor)
            if gate is not None:
                gate.read(now)
            else:
                self._ended(self._running.pop(descriptor), now)

    def _ended(self, process: Process, now: int) -> None:
        process.reap()
        self.tell(f"{process.host}: {process.words[0]} ended with status {process.status} after {human(now)}")

    def _advance(self) -> int:
        now = self.now()
        due = self.net.deadline()
        if now - due > self.late:
            self.late = now - due
        self.net.run(until=now)
        return now

    # -- the end

    def unread(self) -> int:
        """Packets that kernels lost because this machine was too busy to read them: no fault of a cable."""
        return sum([kernel.unread() for kernel in self._kernels.values()])

    def refused(self) -> dict[str, int]:
        """What is no packet to a cable, and what kernels did not take, by the reason."""
        counts: dict[str, int] = {}
        for gate in self._gates.values():
            for name, count in gate.counters.counts.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def close(self) -> None:
        """Ends every process on every kernel, then lets pipes, devices and namespaces go. A second call does
        nothing."""
        self._end_processes()
        for process in self.processes:
            process.close()
        for kernel in self._kernels.values():
            kernel.close()
        self._kernels.clear()
        self._gates.clear()
        if self._hosts_file is not None:
            self._hosts_file.unlink(missing_ok=True)
            self._hosts_file = None

    def _end_processes(self) -> None:
        """Politely those that were started here; then all that are on the kernels, whoever started them."""
        for process in self._running.values():
            process.popen.terminate()
        patience = time.monotonic_ns() + LEAVE * SECOND
        with suppress(KeyboardInterrupt):  # a second Ctrl-C: no more patience
            while self._running and time.monotonic_ns() < patience:
                for descriptor in select.select([*self._running], [], [], LEAVE / 10)[0]:
                    self._running.pop(descriptor).reap()
        while left := [each for kernel in self._kernels.values() for each in kernel.namespace.processes()]:
            for each in left:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            for process in self._running.values():
                process.reap()
            self._running.clear()

    def __enter__(self) -> WireLab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
