"""What does SO_LINGER do?"""

from __future__ import annotations

from struct import pack
from typing import Any

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import after, states_from
from netglass.experiments.scene import RTT, Scene, error_name, noted
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps, Wait
from netglass.network.fault import Fault
from netglass.network.faults import blackhole
from netglass.sockets.constants import SO_LINGER, SOL_SOCKET
from netglass.times import SECOND, duration, human

DATA = bytes(5000)
OFF = -1


class Run:
    """The client sends and closes at once; `linger` in seconds, or OFF."""

    def __init__(self, title: str, rtt: str, linger: int, peer_gone: bool = False) -> None:
        self.title = title
        self.linger = linger
        self.close_took = 0
        self.received = 0
        self.ending = "nothing"
        config = HostConfig()
        config.tcp.initial_cwnd = 2  # so that some of the data is still waiting when the application closes
        faults: list[Fault] = [blackhole(SECOND)] if peer_gone else []
        scene = Scene(rtt, faults, client=config)
        scene.server.spawn(self.serve)
        scene.client.spawn(self.call)
        scene.net.run(until=10 * SECOND + max(linger, 0) * SECOND)
        self.trace = scene.trace

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        try:
            while data := (yield from stream.receive()):
                self.received += len(data)
            self.ending = "end of stream"
        except OSError as error:
            self.ending = error_name(error)
        io.note(f"recv(): {self.ending}")
        stream.close()

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80)
        if self.linger != OFF:
            stream.set_option(SOL_SOCKET, SO_LINGER, pack("<ii", 1, self.linger))
        yield from io.sleep(2 * SECOND - io.now())
        yield from stream.send(DATA)
        io.note("send(), close()")
        self.close_took = yield from close(io, stream)
        io.note("close() returns")

    def row(self) -> tuple[str, ...]:
        return self.title, after(self.close_took), f"{self.received} of {len(DATA)} bytes", self.ending

    def part(self) -> Part:
        return Part(self.title, self.trace, start=noted(self.trace, "client", "send(), close()"))


def close(io: Io, stream: Stream) -> Steps:
    """close(2) of a blocking socket, which waits as SO_LINGER says. Returns how long it took."""
    start = io.now()
    limit = start + io.machine.sockets.lingering(stream.fd)
    description = io.machine.sockets.description(stream.fd)
    assert description is not None
    stream.close()
    while description.draining() and io.now() < limit:
        yield Wait("close", stream.name, description, deadline=limit)
    return io.now() - start


def run(rtt: str, time: str) -> Outcome:
    seconds, rest = divmod(duration(time), SECOND)
    if rest:
        raise MisuseError(f"--time: SO_LINGER counts whole seconds, such as {seconds}s; not {time}")
    off = Run("off (the default)", rtt, OFF)
    zero = Run("on, 0 s", rtt, 0)
    some = Run(f"on, {seconds} s", rtt, seconds)
    gone = Run(f"on, {seconds} s, and the server is gone", rtt, seconds, peer_gone=True)
    runs = [off, zero, some, gone]
    figures: dict[str, Any] = {
        "close_took": [each.close_took for each in runs],
        "received": [each.received for each in runs],
        "ending": [each.ending for each in runs],
        "client_states": [states_from(each.trace, "client", "ESTABLISHED") for each in runs],
        "resets": len(zero.trace.sent("client", "RA")),
    }
    answer = (
        f"Without it close() returns {after(off.close_took)}, and the kernel goes on: all {off.received} bytes and the FIN arrive, "
        f"though perhaps nobody is there any more. With a time of 0 close() throws away what was not sent yet, here "
        f"{len(DATA) - zero.received} of {len(DATA)} bytes, and sends a RST: no TIME-WAIT, but the server's application gets {zero.ending}. "
        f"With a time of {seconds} s close() waits until the FIN is acknowledged, here {human(some.close_took)}, but no longer than that: when the "
        f"server was gone it returned {after(gone.close_took)}. It tells that the other kernel has the data, never that the other application "
        f"read it: for that the application must answer."
    )
    table = Table(("SO_LINGER", "close() returned", "the server got", "and then"), [each.row() for each in runs])
    return Outcome(answer, figures, [each.part() for each in (zero, some)], table)


EXPERIMENT = Experiment(
    "linger",
    "closing",
    "What happens to data that is not sent yet when I close()?",
    run,
    (
        RTT,
        Parameter("time", "5s", "for how long close() may wait, in whole seconds", "1s", "60s"),
    ),
)
