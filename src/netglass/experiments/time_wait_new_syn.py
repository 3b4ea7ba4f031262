"""A SYN for a connection that is in TIME-WAIT."""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import entered
from netglass.experiments.scene import RTT, Scene
from netglass.host.config import HostConfig
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.lab.segments import forge
from netglass.times import MINUTE, SECOND, duration, human
from netglass.trace.recorder import Recorder

PORT = 40000


def serve(io: Io) -> Steps:
    listener = io.listen(80)
    while True:
        stream = yield from listener.accept()
        yield from io.sleep("500 ms")
        stream.close()


def call(io: Io, again_at: int) -> Steps:
    """The server closes first, so that TIME-WAIT is there and the client's port is free."""
    stream = yield from io.connect("server", 80, source_port=PORT)
    yield from stream.receive_all()
    stream.close()
    if again_at:
        yield from io.sleep(again_at - io.now())
        io.note("connect()")
        yield from io.connect("server", 80, source_port=PORT)
        io.note("connect() returns")


def play(rtt: str, at: int, old: bool, rfc1337: bool = False) -> Recorder:
    """A SYN between the same ports at the time `at`: the client's own, or an `old` one that turns up again."""
    config = HostConfig()
    config.tcp.rfc1337 = rfc1337
    scene = Scene(rtt, server=config)
    scene.server.spawn(serve)
    scene.client.spawn(call, 0 if old else at)
    if old:
        scene.net.at(at, lambda: send_old_syn(scene.client, scene.server, scene.trace))
    scene.net.run(until=at + 3 * MINUTE)
    return scene.trace


def send_old_syn(client: LabHost, server: LabHost, trace: Recorder) -> None:
    first = trace.sent("client", "S")[0].segment
    assert first is not None
    client.inject(forge(client.address, PORT, server.address, 80, "S", seq=first.seq, mss=1460))


def time_wait(trace: Recorder, at: int) -> int:
    """How long the server was in TIME-WAIT: until it left, or until a new connection took its place."""
    changes = [each.time for each in trace.state_changes("server") if each.time > at]
    return changes[0] - entered(trace, "server", "TIME-WAIT")


def run(rtt: str, after: str) -> Outcome:
    at = SECOND + duration(after)
    newer, older, assassinated = (
        play(rtt, at, old=False),
        play(rtt, at, old=True, rfc1337=True),
        play(rtt, at, old=True),
    )
    answers = [each for each in newer.sent("server", "SA") if each.time > at]
    challenges = [each for each in older.sent("server", "A") if each.time > at]
    resets = assassinated.sent("client", "R")
    figures: dict[str, Any] = {
        "newer_syn_accepted": len(answers),
        "time_wait_newer": time_wait(newer, at),
        "older_syn_acks": len(challenges),
        "older_syn_syn_acks": len([each for each in older.sent("server", "SA") if each.time > at]),
        "time_wait_older": time_wait(older, at),
        "resets": len(resets),
        "time_wait_assassinated": time_wait(assassinated, at),
    }
    accepted = "is answered with a SYN-ACK" if answers else "finds the wait over"
    answer = (
        f"It depends on the number that it brings. The client's own new SYN begins beyond everything that the old connection sent (the clock "
        f"of RFC 6528), so no old segment can be mistaken for a new one: it {accepted} at once, and TIME-WAIT ends after "
        f"{human(figures['time_wait_newer'])} of it (RFC 9293 §3.6.1; with timestamps RFC 6191). That is why a busy client rarely notices the "
        f"server's TIME-WAIT.\n"
        f"An old SYN that turns up again gets an ACK of the old connection and no SYN-ACK ({figures['older_syn_acks']} and "
        f"{figures['older_syn_syn_acks']} sent). But whoever gets that ACK knows no such connection, and answers with a RST, which on Linux "
        f"ends the wait: after {human(figures['time_wait_assassinated'])} here, called TIME-WAIT assassination. With the switch tcp_rfc1337 "
        f"the RST is ignored, and the wait lasts {human(figures['time_wait_older'])}."
    )
    start = at - duration("100 ms")
    parts = [
        Part("a new SYN", newer, start=start, end=at + SECOND // 2),
        Part("an old SYN: the answer to the answer ends TIME-WAIT", assassinated, start=start),
        Part("an old SYN, tcp_rfc1337 = 1", older, start=start),
    ]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "time-wait-new-syn",
    "closing",
    "What if a SYN comes for a connection that is in TIME-WAIT?",
    run,
    (
        RTT,
        Parameter("after", "5s", "when the SYN comes", "3s", "50s"),
    ),
)
