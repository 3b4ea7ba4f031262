"""How often does epoll wake me: level, edge, one-shot, exclusive?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted, so_often
from netglass.lab.network import Network
from netglass.programs.call_log import CallLog
from netglass.trace.items import NOTE, STATE
from netglass.trace.recorder import Recorder

MODES: Final = ("level", "edge", "edge, until EAGAIN", "one-shot", "one-shot, armed again")
PIECES: Final = 2
PAUSE: Final = "100ms"
CALLS: Final = 3


class Stage:
    def __init__(self) -> None:
        self.net = Network(seed=1)
        self.trace = Recorder()
        self.net.observe(self.trace)
        self.client, self.server = self.net.host("client"), self.net.host("server")
        self.net.cable(self.client, self.server, delay="5 ms")
        self.log = CallLog(notes=["server"])

    def told(self) -> int:
        """How often epoll said that there is something."""
        return len([each for each in self.log.of("epoll.poll", host="server") if each.ready])

    def part(self, title: str) -> Part:
        """From the first bytes to the last thing that epoll told of."""
        first = self.log.of("sendall", host="client")[0].began
        last = max([each.ended for each in self.log.of("recv", host="server")], default=0)
        return Part(title, self.trace, start=first, end=last, remarks=(STATE, NOTE))


def read(mode: str, size: int) -> tuple[Stage, dict[str, int]]:
    from netglass.experiments.programs.epoll_modes import read_slowly, send_in_pieces
    from netglass.programs.run import run, spawn

    stage = Stage()
    spawn(stage.client, send_in_pieces, [bytes(size)] * PIECES, 0.1)
    taken = run(stage.server, read_slowly, mode, calls=stage.log)
    again = len(stage.log.of("recv", host="server", error="EAGAIN"))
    return stage, {"told": stage.told(), "taken": taken, "left": PIECES * size - taken, "again": again}


def wait_together(threads: int, exclusive: bool) -> dict[str, int]:
    from netglass.experiments.programs.epoll_modes import call_often, crowd
    from netglass.programs.epoll import EPOLLEXCLUSIVE
    from netglass.programs.run import run, spawn

    stage = Stage()
    spawn(stage.client, call_often, CALLS, 0.1)
    taken = run(stage.server, crowd, threads, EPOLLEXCLUSIVE if exclusive else 0, calls=stage.log)
    waits = stage.log.of("epoll.poll", host="server")
    # A wait ends with the news or with its time; every nap before the last one ended for nothing.
    return {"told": stage.told(), "taken": taken, "in_vain": sum([max(each.naps - 1, 0) for each in waits])}


def run(size: int, threads: int) -> Outcome:
    runs = {mode: read(mode, size) for mode in MODES}
    figures: dict[str, Any] = {mode: found for mode, (_, found) in runs.items()}
    figures["together"] = {"shared": wait_together(threads, False), "exclusive": wait_together(threads, True)}
    parts = [runs[mode][0].part(mode) for mode in ("level", "edge", "edge, until EAGAIN")]
    return Outcome(answer(figures, size, threads), figures, parts, table(figures))


def answer(figures: dict[str, Any], size: int, threads: int) -> str:
    level, edge, drained = figures["level"], figures["edge"], figures["edge, until EAGAIN"]
    once, armed = figures["one-shot"], figures["one-shot, armed again"]
    shared, exclusive = figures["together"]["shared"], figures["together"]["exclusive"]
    return (
        f"The client sends {size} bytes, and {size} more a little later; whenever epoll tells of them, the server reads 2. Level-triggered (the default) epoll tells as long as there is something: {so_often(level['told'])}, until all "
        f"{level['taken']} bytes are read. Edge-triggered (EPOLLET) it tells when something new comes: {so_often(edge['told'])}, and {counted(edge['left'], 'byte')} stay unread until something new comes, if ever. Who uses it reads until "
        f"EAGAIN ({so_often(drained['again'])} here), and then has all {drained['taken']} after being told {so_often(drained['told'])}. With EPOLLONESHOT it tells {so_often(once['told'])} and then is silent until one arms it again with EPOLL_CTL_MOD; "
        f"so armed it told {so_often(armed['told'])}, and no two threads can ever have been told of the same socket.\n"
        f"{counted(threads, 'thread')} wait for the same listener, each with an epoll of its own, and {CALLS} clients connect. {shared['told'] + shared['in_vain']} times a thread was woken, of which {shared['in_vain']} for nothing: another had been faster, and there was no connection left (the thundering herd; "
        f"on several processors such threads may even be told, and hear EAGAIN from accept()). With EPOLLEXCLUSIVE it was {exclusive['told'] + exclusive['in_vain']} times, {exclusive['in_vain']} for nothing."
    )


def table(figures: dict[str, Any]) -> Table:
    rows = [(mode, *[str(figures[mode][key]) for key in ("told", "taken", "left", "again")], "") for mode in MODES]
    together = figures["together"]
    rows += [
        (f"listener, {name}", str(found["told"]), f"{found['taken']} connections", "", "", str(found["in_vain"]))
        for name, found in together.items()
    ]
    return Table(("", "told", "taken", "left", "EAGAIN", "woken for nothing"), rows)


EXPERIMENT = Experiment(
    "epoll-edge-level",
    "programs",
    "How often does epoll wake me: level, edge, one-shot, exclusive?",
    run,
    (
        Parameter("size", 6, "bytes that come at once", 1, 1000),
        Parameter("threads", 4, "threads that wait for the same listener", 2, 50),
    ),
)
