"""Blocking, non-blocking, multiplexed, asynchronous: what waits where?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.lanes import Lane, Lanes, lane
from netglass.experiments.measure import counted, durations
from netglass.lab.network import Network
from netglass.programs.call_log import Call, CallLog
from netglass.times import SECOND, duration, human
from netglass.trace.items import NOTE, STATE
from netglass.trace.recorder import Recorder

KINDS: Final = {
    "blocking": "blocking, one after the other",
    "threads": "blocking, a thread for each",
    "non-blocking": "non-blocking (O_NONBLOCK), asked again and again",
    "multiplexed": "multiplexed (select)",
    "asyncio": "asynchronous (asyncio)",
}
READY: Final = ("select", "epoll.poll")


class Errand:
    """A client asks a slow and a quick server, by one kind of I/O."""

    def __init__(self, kind: str, slow: str, quick: str) -> None:
        from netglass.experiments.programs.io_kinds import answer, ask
        from netglass.programs.run import run, spawn

        self.kind = kind
        self.trace = Recorder()
        self.log = CallLog(notes=["client"])
        net = Network(seed=1)
        net.observe(self.trace)
        client = net.host("client")
        for name, think in (("slow", slow), ("quick", quick)):
            server = net.host(name)
            net.cable(client, server, delay="5 ms")
            spawn(server, answer, duration(think) / SECOND, daemon=True)
        self.answers: list[tuple[str, float]] = run(client, ask, kind, ["slow", "quick"], calls=self.log)
        calls = self.log.of(host="client")
        self.asked: int = max([each.ended for each in calls if each.name == "sendall"])
        self.done: int = max([each.ended for each in calls if each.name == "recv" and each.who])
        self.calls: list[Call] = [each for each in calls if self.asked <= each.began and each.ended <= self.done]

    def figures(self) -> dict[str, Any]:
        receives = [each for each in self.calls if each.name == "recv" and each.who]
        return {
            "answers": {name: round(seconds * SECOND) for name, seconds in self.answers},
            "order": [name for name, _ in self.answers],
            "receives": len(receives),
            "again": len([each for each in receives if each.error == "EAGAIN"]),
            "asks_who": len([each for each in self.calls if each.name in READY]),
            "sleeps_in": sorted({each.name for each in self.calls if each.slept and each.name != "lock"}),
            "copied_by": sorted({each.task for each in receives if each.amount > 0}),
            "threads": len(self.sleepers()),
        }

    def sleepers(self) -> dict[str, list[Call]]:
        """Thread -> calls that it slept in."""
        found: dict[str, list[Call]] = {}
        for each in self.calls:
            if each.slept:
                found.setdefault(each.task, []).append(each)
        return found

    def lanes(self) -> list[Lane]:
        """Time 0 is when all questions had been asked."""
        several = len(self.sleepers()) > 1
        return [
            lane(f"{self.kind}: {task}" if several else self.kind, calls, self.asked)
            for task, calls in self.sleepers().items()
        ]

    def part(self) -> Part:
        return Part(
            KINDS[self.kind], self.trace, ("slow", "client", "quick"), self.asked, self.done, remarks=(STATE, NOTE)
        )


def run(slow: str, quick: str) -> Outcome:
    errands = [Errand(kind, slow, quick) for kind in KINDS]
    figures = {each.kind: each.figures() for each in errands}
    end = max([each.done - each.asked for each in errands])
    lanes = Lanes([lane for each in errands for lane in each.lanes()], end)
    return Outcome(answer(figures), figures, [each.part() for each in errands], table(figures), lanes)


def answer(figures: dict[str, dict[str, Any]]) -> str:
    blocking, threads, polling = figures["blocking"], figures["threads"], figures["non-blocking"]
    multiplexed, loop = figures["multiplexed"], figures["asyncio"]
    late = "when slow's had come, too, though it may have lain in the socket's buffer for long"
    if blocking["answers"]["quick"] > blocking["answers"]["slow"]:
        late = "after slow's, which here came first"
    copiers = sorted({f"'{task}'" for each in figures.values() for task in each["copied_by"]})
    return (
        f"One client asks two servers at the same moment, slow first. Blocking, it sleeps in the first recv(), and has quick's answer after {human(blocking['answers']['quick'])}, {late}. A thread for each can wait in {threads['threads'] - 1} calls at once, and has it after {human(threads['answers']['quick'])}. "
        f"Non-blocking, recv() never sleeps: it said EAGAIN {polling['again']} times, which costs a call each, and still an answer may be found a look late, after {durations(sorted(polling['answers'].values()))}. "
        f"select() sleeps for both ({counted(multiplexed['asks_who'], 'call')}, {multiplexed['again'] or 'no'} EAGAIN), and then recv() finds something. asyncio does the same inside, with epoll and O_NONBLOCK: the thread sleeps in {' and '.join(loop['sleeps_in'])} alone, "
        f"and each coroutine looks as if it waited. It tries before it waits ({loop['again']} EAGAIN), and its loop asks epoll at each turn, {loop['asks_who']} times, mostly without sleeping.\n"
        f"In all of them it is recv() that copies the data out of the kernel's buffer, in the thread that calls it ({', '.join(copiers)} here). Kinds differ in where a thread "
        f"waits for the data to come, not in who copies it. (With POSIX's aio and io_uring the kernel copies first and tells afterwards; Python has neither.)"
    )


def table(figures: dict[str, dict[str, Any]]) -> Table:
    rows = [
        (
            kind,
            ", ".join(found["sleeps_in"]),
            str(found["receives"]),
            str(found["again"]),
            str(found["asks_who"]),
            human(found["answers"]["quick"]),
            human(found["answers"]["slow"]),
        )
        for kind, found in figures.items()
    ]
    return Table(("kind", "sleeps in", "recv()", "of them EAGAIN", "select, epoll", "quick's answer", "slow's"), rows)


EXPERIMENT = Experiment(
    "io-kinds",
    "programs",
    "Blocking, non-blocking, multiplexed, asynchronous: what waits where?",
    run,
    (
        Parameter("slow", "200ms", "how long the slow server thinks", "1ms", "10s"),
        Parameter("quick", "50ms", "how long the quick server thinks", "1ms", "10s"),
    ),
)
