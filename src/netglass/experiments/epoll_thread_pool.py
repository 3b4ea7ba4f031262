"""How does one server serve many clients, and does a slow one stop it?"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.lanes import Lanes, lane
from netglass.experiments.measure import counted
from netglass.lab.network import Network
from netglass.programs.call_log import Call, CallLog
from netglass.times import human
from netglass.trace.items import STATE
from netglass.trace.recorder import Recorder

WAYS: Final = ("read", "sendfile", "mmap", "writev")
NOT_SENDING: Final = ("lock", "recv", "close")


class Hall:
    """A file server with a slow client and quick ones."""

    def __init__(self, threads: int, kilobytes: int, rate: str) -> None:
        self.net = Network(seed=1)
        self.trace = Recorder()
        self.net.observe(self.trace)
        self.slow, self.server, self.quick = [self.net.host(name) for name in ("slow", "server", "quick")]
        self.net.cable(self.slow, self.server, delay="1 ms", rate=rate, mtu=9000)
        self.net.cable(self.quick, self.server, delay="10 ms", mtu=9000)
        self.log = CallLog()
        self.threads = threads
        self.size = kilobytes * 1000

    def play(self, slow: str, quick: list[str]) -> tuple[list[int], list[int]]:
        """Each name is a way to be served; all ask at once, the slow client first. How long each took, in ns."""
        from netglass.experiments.programs.file_server import serve, timed_fetch
        from netglass.programs.run import run, spawn

        with TemporaryDirectory() as folder:
            Path(folder, "file").write_bytes(bytes(self.size))
            spawn(self.server, serve, Path(folder), 7000, self.threads, 16384, daemon=True)
            tasks = [spawn(self.slow, timed_fetch, slow, "file")] if slow else []
            tasks += [
                spawn(self.quick, timed_fetch, way, "file", name=f"{way} {number}") for number, way in enumerate(quick)
            ]
            times = run(self.server, lambda: [round(task.wait()[1] * 1e9) for task in tasks], calls=self.log)
        return times[: len(times) - len(quick)], times[len(times) - len(quick) :]


def cost(kilobytes: int, way: str) -> dict[str, int]:
    """What the server's thread asked for to send the file to one quick client."""
    hall = Hall(1, kilobytes, "1 Mbit/s")
    hall.play("", [way])
    calls = [each for each in hall.log.of(host="server", task="worker_0") if each.name not in NOT_SENDING]
    return {
        "calls": len(calls),
        "read": moved(calls, "read"),
        "written": moved(calls, "sendall", "writev"),
        "inside": moved(calls, "sendfile"),
    }


def moved(calls: list[Call], *names: str) -> int:
    return sum([each.amount for each in calls if each.name in names])


def run(threads: int, clients: int, kilobytes: int, rate: int) -> Outcome:
    costs = {way: cost(kilobytes, way) for way in WAYS}
    hall = Hall(threads, kilobytes, f"{rate} kbit/s")
    slow, quick = hall.play("sendfile", [WAYS[number % len(WAYS)] for number in range(clients)])
    alone = Hall(threads, kilobytes, f"{rate} kbit/s").play("", ["sendfile"])[1][0]
    held = max(hall.log.of("sendfile", host="server"), key=lambda each: each.slept)
    acceptor = [each for each in hall.log.of(host="server", task="serve") if each.slept]
    figures: dict[str, Any] = {
        "cost": costs,
        "slow": slow[0],
        "quick": quick,
        "alone": alone,
        "held": held.slept,
        "held_by": held.task,
        "acceptor_sleeps_in": sorted({each.name for each in acceptor}),
        "accepted": len(hall.log.of("accept", host="server")),
        "waits": len(hall.log.of("epoll.poll", host="server")),
    }
    flow = hall.trace.sent("slow", "S")[0].flow
    parts = [Part("", hall.trace, ("slow", "server"), flow=flow, remarks=(STATE,))]
    return Outcome(answer(threads, figures), figures, parts, table(costs), lanes(hall.log, slow[0]))


def lanes(log: CallLog, end: int) -> Lanes:
    """Of the server's threads; for work they wait at a lock, which is left out."""
    calls = [each for each in log.of(host="server") if each.name != "lock"]
    threads = sorted({each.task for each in calls})
    return Lanes([lane(name, [each for each in calls if each.task == name]) for name in threads], end)


def answer(threads: int, figures: dict[str, Any]) -> str:
    costs, quick = figures["cost"], figures["quick"]
    worst = max(quick)
    others = (
        f"There is no other thread: {counted(len(quick), 'quick client')} had to wait for it, {human(worst)} in the worst case instead of {human(figures['alone'])} (try --threads 4)."
        if threads == 1
        else f"Nobody else had to wait for that: the other threads served the quick clients, who had their file after {human(min(quick))} to {human(worst)}, and a quick one alone has it after {human(figures['alone'])} (try --threads 1)."
    )
    return (
        f"One thread accepts connections ({figures['accepted']} here) and sleeps in nothing but {' and '.join(figures['acceptor_sleeps_in'])}: one call that says who has asked something. What they ask is "
        f"done by {counted(threads, 'thread')} of a pool, with plain blocking calls. The slow client had its file after {human(figures['slow'])}, and for {human(figures['held'])} of that {figures['held_by']} slept in sendfile(): "
        f"the send buffer was full. {others}\n"
        f"Four ways to send a file, in calls and in bytes that cross the border between program and kernel: read() and send() carry each byte across twice "
        f"({costs['read']['read']:,} in and {costs['read']['written']:,} out, in {costs['read']['calls']} calls). writev() saves calls ({costs['writev']['calls']}), since head and body go together, but no byte. With mmap() "
        f"nothing is read ({costs['mmap']['read']} bytes): the file's pages are the program's memory, and only sending copies them. With sendfile() the program touches no more than the head, "
        f"{costs['sendfile']['written']} bytes; the other {costs['sendfile']['inside']:,} stay in the kernel. (Counted: the program's calls. What the kernel copies below them, and page faults, are not.)"
    )


def table(costs: dict[str, dict[str, int]]) -> Table:
    return Table(
        ("the file goes by", "calls", "bytes read", "bytes written", "bytes inside the kernel"),
        [(way, *[f"{costs[way][key]:,}" for key in ("calls", "read", "written", "inside")]) for way in WAYS],
    )


EXPERIMENT = Experiment(
    "epoll-thread-pool",
    "programs",
    "How does one server serve many clients, and does a slow one stop it?",
    run,
    (
        Parameter("threads", 4, "threads in the server's pool", 1, 50),
        Parameter("clients", 5, "quick clients, besides the slow one", 1, 50),
        Parameter("kilobytes", 60, "size of the file", 20, 1000),
        Parameter("rate", 1000, "kbit/s of the slow client's cable", 10, 100_000),
    ),
)
