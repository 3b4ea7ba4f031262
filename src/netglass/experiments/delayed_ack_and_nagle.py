"""Why does a small request take 40 ms?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import durations
from netglass.experiments.scene import Scene, Steps
from netglass.lab.io import Io, Options
from netglass.sockets.constants import IPPROTO_TCP, TCP_NODELAY
from netglass.times import human

HEADER = b"h" * 20
BODY = b"b" * 30
ANSWER = b"a" * 10


class Requests:
    """Requests one after another over one connection, each written in `writes`."""

    def __init__(self, title: str, rtt: str, count: int, writes: Sequence[bytes], options: Options = ()) -> None:
        self.title = title
        self.writes = writes
        self.count = count
        self.options = options
        self.began: list[int] = []
        self.took: list[int] = []
        scene = Scene(rtt)
        scene.server.spawn(self.serve)
        scene.client.spawn(self.call)
        scene.net.run(until="60 s")
        self.trace = scene.trace
        self.delayed_ack = scene.server.config.tcp.delayed_ack
        self.delayed_acks = len(self.trace.timers("server", "delayed-ack"))

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        for _ in range(self.count):
            yield from stream.receive_exactly(len(HEADER) + len(BODY))
            yield from stream.send(ANSWER)

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80, options=self.options)
        for number in range(self.count):
            yield from io.sleep("200 ms")
            self.began.append(io.now())
            io.note(f"request {number + 1}")
            for piece in self.writes:
                yield from stream.send(piece)
            yield from stream.receive_exactly(len(ANSWER))
            io.note("answer")
            self.took.append(io.now() - self.began[-1])

    def row(self) -> tuple[str, ...]:
        return self.title, *[human(time) for time in self.took]


def run(rtt: str, requests: int) -> Outcome:
    two = Requests("two writes", rtt, requests, (HEADER, BODY))
    nodelay = Requests("two writes, TCP_NODELAY", rtt, requests, (HEADER, BODY), ((IPPROTO_TCP, TCP_NODELAY, 1),))
    one = Requests("one write", rtt, requests, (HEADER + BODY,))
    runs = (two, nodelay, one)
    figures: dict[str, Any] = {
        "two_writes": two.took,
        "nodelay": nodelay.took,
        "one_write": one.took,
        "delayed_acks": [each.delayed_acks for each in runs],
        "segments": [len([each for each in run.trace.transmissions("client") if each.length]) for run in runs],
    }
    lost = two.took[-1] - one.took[-1]
    answer = (
        f"The program writes a header, then a body, then waits for the answer: {durations(two.took)} for its requests, where a round trip would do "
        f"({human(one.took[-1])}). Two good ideas wait for each other. Nagle's algorithm at the client holds the second small segment back until the "
        f"first is acknowledged (RFC 9293 §3.7.4); delayed ACK at the server holds that ACK back for up to {human(two.delayed_ack)}, in the hope of "
        f"an answer to put it on (§3.8.6.3), and the answer cannot come before the body. So {human(lost)} are lost in the last request. "
        f"The first one shows less of it: Linux acknowledges the beginning of a connection at once.\n"
        f"Best cure: one write (or writev) for one message: {figures['segments'][2]} segments instead of {figures['segments'][0]}, "
        f"{human(one.took[-1])}. Or TCP_NODELAY, which switches Nagle off: {human(nodelay.took[-1])}."
    )
    table = Table(("", *[f"request {number + 1}" for number in range(requests)]), [each.row() for each in runs])
    parts = [
        Part("two writes: the last request", two.trace, start=two.began[-1]),
        Part("TCP_NODELAY: the last request", nodelay.trace, start=nodelay.began[-1]),
        Part("one write: the last request", one.trace, start=one.began[-1]),
    ]
    return Outcome(answer, figures, parts, table)


EXPERIMENT = Experiment(
    "delayed-ack-and-nagle",
    "reliable",
    "Why does a small request take so much longer than a round trip?",
    run,
    (
        Parameter("rtt", "10ms", "round-trip time", "1us", "900ms"),
        Parameter("requests", 3, "how many, one after another", 2, 9),
    ),
)
