"""Why can a server not be started again at once?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import spoken
from netglass.experiments.scene import RTT, Scene, error_name, noted
from netglass.lab.io import Io, Options
from netglass.lab.process import Steps
from netglass.sockets.constants import SO_REUSEADDR, SOL_SOCKET
from netglass.times import SECOND, duration, human
from netglass.trace.recorder import Recorder

REUSE: Options = ((SOL_SOCKET, SO_REUSEADDR, 1),)


class Restart:
    """A server that closes first, ends, and is started again; before and after with SO_REUSEADDR or without."""

    def __init__(self, rtt: str, pause: str, before: bool, after: bool) -> None:
        self.before = before
        self.after = after
        self.pause = duration(pause)
        self.results: list[str] = []
        scene = Scene(rtt)
        scene.server.spawn(self.serve)
        scene.client.spawn(self.call)
        scene.net.run(until=2 * SECOND + self.pause)
        self.trace: Recorder = scene.trace
        self.left_over = [each.state for each in scene.server.netstat()].count("TIME-WAIT")

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80, options=REUSE if self.before else ())
        stream = yield from listener.accept()
        yield from io.sleep("100 ms")
        io.note("server ends")
        stream.close()
        listener.close()
        yield from io.sleep(self.pause)
        try:
            io.listen(80, options=REUSE if self.after else ())
            self.results.append("works")
        except OSError as error:
            self.results.append(error_name(error))
        io.note(f"bind(): {self.results[-1]}")

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80)
        yield from stream.receive_all()
        stream.close()

    def row(self) -> tuple[str, ...]:
        return yes(self.before), yes(self.after), self.results[0], str(self.left_over)


def yes(value: bool) -> str:
    return "yes" if value else "no"


def run(rtt: str, pause: str) -> Outcome:
    restarts = [Restart(rtt, pause, *case) for case in ((False, False), (False, True), (True, False), (True, True))]
    without, only_after, _, both = restarts
    figures: dict[str, Any] = {
        "neither": without.results[0],
        "only_new": only_after.results[0],
        "only_old": restarts[2].results[0],
        "both": both.results[0],
        "time_wait_left": [each.left_over for each in restarts],
    }
    table = Table(
        ("old has SO_REUSEADDR", "new has it", "bind() and listen()", "TIME-WAIT left"),
        [each.row() for each in restarts],
    )
    parts = [
        Part("without SO_REUSEADDR", without.trace, start=noted(without.trace, "server", "server ends")),
        Part("with SO_REUSEADDR", both.trace, start=noted(both.trace, "server", "server ends")),
    ]
    if not without.left_over:
        answer = (
            f"The server closed its connection first, but {spoken(duration(pause))} later TIME-WAIT is over, and bind() of a new server gives: "
            f"{without.results[0]}. Nobody needs SO_REUSEADDR for that. Try a shorter --pause."
        )
        return Outcome(answer, figures, parts, table)
    answer = (
        f"The server closed its connection first, so its port is still held by that connection in TIME-WAIT. {human(duration(pause))} "
        f"later bind() of a new server gives: {without.results[0]}. With SO_REUSEADDR on both the old and the new socket it gives: "
        f"{both.results[0]}. Both must have set it (with only the new one: {only_after.results[0]}), which is why every server sets it always "
        f"and before bind(). It does not shorten TIME-WAIT: {both.left_over} such connection is still there, and goes on protecting its own "
        f"pair of ports. On Linux SO_REUSEADDR never lets two servers listen on one port at the same time; that is SO_REUSEPORT."
    )
    return Outcome(answer, figures, parts, table)


EXPERIMENT = Experiment(
    "reuseaddr",
    "closing",
    "Why can a server not be started again at once (address already in use)?",
    run,
    (
        RTT,
        Parameter("pause", "2s", "when it is started again; after 2 MSL nothing is in the way", "1s", "10min"),
    ),
)
