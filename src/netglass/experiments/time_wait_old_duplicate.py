"""What does TIME-WAIT protect from?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.scene import Scene, error_name
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.network.faults import delay
from netglass.network.match import payload
from netglass.sockets.constants import SO_REUSEADDR, SOL_SOCKET
from netglass.times import SECOND, duration, human
from netglass.trace.recorder import Recorder

PORT = 40000
OLD = b"pay 100"
NEW = b"pay 200"
REOPEN = 2 * SECOND
STOPPED_BY = {
    "paws": "its timestamp (PAWS)",
    "sequence-outside-window": "its sequence number",
    "ack-in-listen": "no connection there",
}
"""What a counter of the server says about a segment that went no further."""
REUSE = ((SOL_SOCKET, SO_REUSEADDR, 1),)


def serve(io: Io, orders: list[bytes]) -> Steps:
    listener = io.listen(80)
    while True:
        stream = yield from listener.accept()
        io.spawn(take_order, stream, orders)


def take_order(io: Io, stream: Stream, orders: list[bytes]) -> Steps:
    order = yield from stream.receive_all()
    orders.append(order)
    io.note(f"got {order.decode()!r}")
    stream.close()


def call(io: Io, late: int) -> Steps:
    """Two connections between the same two ports."""
    stream = yield from io.connect("server", 80, options=REUSE, source_port=PORT)
    io.note(f"send {OLD.decode()!r}")
    yield from stream.send(OLD)
    yield from io.sleep("500 ms")
    stream.close()
    yield from io.sleep(REOPEN - io.now())
    try:
        stream = yield from io.connect("server", 80, options=REUSE, source_port=PORT)
    except OSError as error:
        io.note(f"connect(): {error_name(error)}")
        return error_name(error)
    yield from io.sleep(max(late + SECOND, REOPEN + SECOND) - io.now())
    io.note(f"send {NEW.decode()!r}")
    yield from stream.send(NEW)
    stream.close()
    return "connected"


class Case:
    """One way to set up both hosts, and what came of it."""

    def __init__(self, title: str, msl: int, fixed_isn: bool, timestamps: bool) -> None:
        self.title = title
        self.config = HostConfig()
        self.config.tcp.msl = msl
        self.config.tcp.fixed_isn = 1000 if fixed_isn else -1
        self.config.tcp.timestamps = timestamps
        self.orders: list[bytes] = []
        self.second = ""  # what became of the second connect
        self.stopped_by = ""
        self.trace = Recorder()

    def play(self, rtt: str, late: str) -> None:
        # The first copy of the old order is held up; its retransmission gets through.
        scene = Scene(rtt, [delay(payload(OLD), by=late)], client=self.config, server=self.config)
        scene.server.spawn(serve, self.orders)
        program = scene.client.spawn(call, duration(late))
        scene.net.run(until=duration(rtt))
        arrival = [each.arrives for each in scene.trace.transmissions("client") if each.note][0]
        scene.net.run(until=arrival - 1)
        before = dict(scene.server.core.counters.counts)
        scene.net.run(until=arrival)
        counted = dict(scene.server.core.counters.counts)
        scene.net.run(until=duration(late) + 5 * SECOND)
        self.second = str(program.result)
        self.trace = scene.trace
        found = [words for reason, words in STOPPED_BY.items() if counted.get(reason, 0) > before.get(reason, 0)]
        self.stopped_by = found[0] if found else "nothing"

    def row(self) -> tuple[str, ...]:
        orders = ", ".join([order.decode() for order in self.orders])
        return self.title, self.second, self.stopped_by, orders


def run(rtt: str, late: str) -> Outcome:
    cases = [
        Case("TIME-WAIT of 60 s", 30 * SECOND, fixed_isn=True, timestamps=False),
        Case("no TIME-WAIT", 0, fixed_isn=True, timestamps=False),
        Case("no TIME-WAIT, but ISNs of RFC 6528", 0, fixed_isn=False, timestamps=False),
        Case("no TIME-WAIT, but timestamps", 0, fixed_isn=True, timestamps=True),
    ]
    for case in cases:
        case.play(rtt, late)
    safe, broken, numbers, timestamps = cases
    figures: dict[str, Any] = {
        "orders": [[order.decode() for order in case.orders] for case in cases],
        "second_connect": [case.second for case in cases],
        "stopped_by": [case.stopped_by for case in cases],
    }
    got = " and ".join([repr(order.decode()) for order in broken.orders])
    if broken.orders.count(OLD) > 1:
        what = (
            f"The client sent {OLD.decode()!r} and, over a second connection between the same ports, {NEW.decode()!r}. Without TIME-WAIT the "
            f"server got {got}: an old copy of the first order, {human(duration(late))} late on the way, had a sequence number that fitted into "
            f"the new connection, and the real second order was then thrown away as a repetition of it. Nobody saw an error."
        )
        nets = (
            f" There are two more nets below this one, switched off here to show the first: initial sequence numbers that grow with a clock "
            f"(stopped by: {numbers.stopped_by}; RFC 6528) and timestamps (stopped by: {timestamps.stopped_by}; RFC 7323 §5). They are why "
            f"tcp_tw_reuse dares to reuse a port earlier, with RFC 6191."
        )
    else:
        what = f"The old copy came {human(duration(late))} late and met no new connection: the server got {got}."
        nets = ""
    answer = (
        f"{what}\nWith TIME-WAIT the client may not use the pair of ports again so soon ({safe.second}), until after 2 MSL every old segment is "
        f"dead (RFC 9293 §3.6.1).{nets}"
    )
    table = Table(
        ("set up", "second connect", "old duplicate stopped by", "what the server got"), [case.row() for case in cases]
    )
    parts = [
        Part("without TIME-WAIT", broken.trace),
        Part("with TIME-WAIT", safe.trace),
    ]
    return Outcome(answer, figures, parts, table)


EXPERIMENT = Experiment(
    "time-wait-old-duplicate",
    "closing",
    "What can an old duplicate do if nobody waits for it to die?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time", "1us", "200ms"),
        Parameter(
            "late",
            "3s",
            "how long the old copy is held up; less than 2 s, and it meets no new connection",
            "500ms",
            "50s",
        ),
    ),
)
