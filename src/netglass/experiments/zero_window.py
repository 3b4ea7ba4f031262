"""What if the receiver does not read?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import durations
from netglass.experiments.scene import Scene, Steps, noted
from netglass.host.config import HostConfig
from netglass.lab.io import Io
from netglass.network.fault import Fault
from netglass.network.faults import drop
from netglass.network.match import pure_ack, where
from netglass.times import SECOND, duration, human
from netglass.wire.tcp import TcpSegment

BUFFER = 3 * 1460  # three full segments
DATA = bytes(6000)


class Run:
    """The server lets its buffer fill up, and reads after a pause; the segment that then opens the window may be
    lost."""

    def __init__(self, rtt: str, pause: str, update_lost: bool) -> None:
        self.pause = pause
        self.received = 0
        self.read_at = 0
        self.done_at = 0
        server = HostConfig()
        server.tcp.rmem = (BUFFER, BUFFER, BUFFER)
        server.tcp.window_scaling = False
        client = HostConfig()
        client.tcp.timestamps = server.tcp.timestamps = False
        faults: list[Fault] = []
        if update_lost:
            self.seen_zero = False
            faults.append(
                drop(pure_ack.from_("server") & where(lambda packet: self.opens(packet.payload), "window update"))
            )
        scene = Scene(rtt, faults, client=client, server=server)
        scene.server.spawn(self.serve)
        scene.client.spawn(self.call)
        scene.net.run(until="300 s")
        self.trace = scene.trace

    def opens(self, segment: object) -> bool:
        """True for the server's window after it was zero."""
        if not isinstance(segment, TcpSegment):
            return False
        if segment.window == 0:
            self.seen_zero = True
        return self.seen_zero and segment.window > 0

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        yield from io.sleep(SECOND + duration(self.pause) - io.now())
        self.read_at = io.now()
        io.note("recv() at last")
        while self.received < len(DATA):
            self.received += len((yield from stream.receive()))
        self.done_at = io.now()
        io.note("has everything")

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80)
        yield from io.sleep(SECOND - io.now())
        io.note(f"send() {len(DATA)} bytes")
        yield from stream.send(DATA)

    # -- readings

    def probes(self) -> list[int]:
        """When the client asked whether the window is still closed, from send() on."""
        return [each.time - SECOND for each in self.trace.transmissions("client") if each.probe and each.time > SECOND]

    def windows(self) -> list[int]:
        """What the server told, as it changed."""
        told = [each.window for each in self.trace.transmissions("server") if each.time > SECOND]
        return [window for place, window in enumerate(told) if place == 0 or window != told[place - 1]]

    def part(self, title: str) -> Part:
        return Part(title, self.trace, start=noted(self.trace, "client", "send()"))


def run(rtt: str, pause: str) -> Outcome:
    plain, lost = Run(rtt, pause, update_lost=False), Run(rtt, pause, update_lost=True)
    probes = plain.probes()
    gaps = [after - before for before, after in pairwise(probes)]
    beyond = [
        each for each in plain.trace.transmissions("client") if each.length and each.seq + each.length > BUFFER + 1
    ]
    figures: dict[str, Any] = {
        "windows": plain.windows(),
        "probes": probes,
        "probe_gaps": gaps,
        "sent_while_closed": len([each for each in beyond if each.time < plain.read_at]),
        "received": plain.received,
        "done_after_reading": plain.done_at - plain.read_at,
        "updates_lost": len(lost.trace.losses()),
        "received_if_lost": lost.received,
        "done_after_reading_if_lost": lost.done_at - lost.read_at,
    }
    answer = (
        f"Each ACK says how many bytes there is room for: the window, here {', '.join([str(each) for each in plain.windows()])}. The server's "
        f"application did not read for {pause}, its buffer of {BUFFER} bytes filled up, and at 0 the client stopped: that is flow control (RFC "
        f"9293 §3.8.6). It asked {len(probes)} times whether the window is still closed (zero-window probes, the pauses between them double: "
        f"{durations(gaps) or 'none yet'}). When the application read, the server told its window at once, and the rest was there "
        f"{human(figures['done_after_reading'])} later.\n"
        f"Why ask, if the server tells? Nobody acknowledges an ACK: when the news of the open window was lost, both would have waited for each "
        f"other for ever. A probe found out: {lost.received} of {len(DATA)} bytes, {human(figures['done_after_reading_if_lost'])} after "
        f"reading began. A receiver may keep the window closed for as long as it likes; a peer that answers probes is alive."
    )
    parts = [plain.part("a slow reader"), lost.part("the window update is lost")]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "zero-window",
    "reliable",
    "What if the receiver's application does not read?",
    run,
    (
        Parameter("rtt", "100ms", "round-trip time", "1us", "300ms"),
        Parameter("pause", "3s", "how long it does not read", "1s", "2min"),
    ),
)
