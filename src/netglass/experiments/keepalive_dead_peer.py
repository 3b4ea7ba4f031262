"""How does an idle connection notice that the other end is gone?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import spoken
from netglass.experiments.scene import Scene, Steps, error_name
from netglass.lab.io import Io, Options
from netglass.network.faults import blackhole
from netglass.sockets.constants import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL
from netglass.times import HOUR, SECOND, duration

GONE = SECOND
ON = (SOL_SOCKET, SO_KEEPALIVE, 1)


class Watch:
    """A client that only waits, while the server has vanished."""

    def __init__(self, title: str, rtt: str, options: Options) -> None:
        self.title = title
        self.options = options
        self.error = ""
        self.noticed_after = -1
        scene = Scene(rtt, [blackhole(GONE)])
        scene.server.spawn(self.serve)
        scene.client.spawn(self.call)
        scene.net.run(until=24 * HOUR)
        self.trace = scene.trace
        self.state = self.trace.states("client")[-1]
        self.probes = [each.time for each in self.trace.transmissions("client") if each.probe]

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        yield from listener.accept()
        yield from io.sleep(GONE - io.now())
        io.note("power cut")

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80, options=self.options)
        established = io.now()
        io.note("recv() waits")
        try:
            yield from stream.receive()
        except OSError as error:
            self.error = error_name(error)
            self.noticed_after = io.now() - established
            io.note(f"recv(): {self.error}")

    def row(self) -> tuple[str, ...]:
        noticed = f"after {spoken(self.noticed_after)}" if self.error else "not in 24 hours"
        return self.title, str(len(self.probes)), noticed, self.error or "-", self.state


def run(rtt: str, idle: str, interval: str, count: int) -> Outcome:
    seconds, between = duration(idle) // SECOND, duration(interval) // SECOND
    own: Options = (
        ON,
        (IPPROTO_TCP, TCP_KEEPIDLE, seconds),
        (IPPROTO_TCP, TCP_KEEPINTVL, between),
        (IPPROTO_TCP, TCP_KEEPCNT, count),
    )
    off, default, quick = (
        Watch("off", rtt, ()),
        Watch("on, Linux's times", rtt, (ON,)),
        Watch(f"on, {seconds} s, {between} s, {count}", rtt, own),
    )
    figures: dict[str, Any] = {
        "noticed_after": [each.noticed_after for each in (off, default, quick)],
        "probes": [len(each.probes) for each in (off, default, quick)],
        "errors": [each.error for each in (off, default, quick)],
        "states": [each.state for each in (off, default, quick)],
        "probe_times": [time - quick.probes[0] for time in quick.probes],
    }
    answer = (
        f"It does not. An idle connection sends nothing, so nothing can fail: 24 hours after the server lost its power the client is "
        f"{off.state} and waits in recv(). SO_KEEPALIVE makes the kernel ask: after {seconds} s of silence it sends a probe (an empty segment "
        f"with an old sequence number, which any living peer must answer with an ACK; RFC 9293 §3.8.4), {len(quick.probes)} in all, {between} s apart, then a "
        f"RST, and recv() gives {quick.error or 'nothing'} after {spoken(quick.noticed_after)}. With Linux's own times (tcp_keepalive_time, _intvl, "
        f"_probes) it takes {spoken(default.noticed_after)}. A protocol of your own can do the same better, with a ping that only a "
        f"living application answers."
    )
    table = Table(("keep-alive", "probes", "noticed", "error", "state"), [each.row() for each in (off, default, quick)])
    part = Part("keep-alive finds a dead peer", quick.trace)
    return Outcome(answer, figures, [part], table)


EXPERIMENT = Experiment(
    "keepalive-dead-peer",
    "reliable",
    "How does an idle connection notice that the other end is gone?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time", "1us", "600ms"),
        Parameter("idle", "60s", "silence before the first probe (TCP_KEEPIDLE)", "1s", "5h"),
        Parameter("interval", "10s", "between two probes (TCP_KEEPINTVL)", "1s", "1h"),
        Parameter("count", 3, "probes without an answer (TCP_KEEPCNT)", 1, 10),
    ),
)
