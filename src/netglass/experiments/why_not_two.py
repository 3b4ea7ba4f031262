"""Why three segments, and not two?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, noted, reached, receive, resets
from netglass.host.config import HostConfig
from netglass.lab.io import Io
from netglass.network.faults import blackhole, delay
from netglass.network.match import syn
from netglass.times import HOUR, duration, human

PATIENCE = "500ms"


def serve(io: Io) -> Steps:
    stream = yield from accept_one(io)
    yield from receive(io, stream)


def play(rtt: str, late: str, gone: bool, third_segment: bool) -> Scene:
    server = HostConfig()
    server.tcp.handshake_ack_required = third_segment
    faults = [delay(syn, by=late)]
    if gone:
        unplugged = blackhole(from_=duration(PATIENCE) + 1)
        unplugged.name = "unplugged"
        faults.append(unplugged)
    scene = Scene(rtt, faults, server=server)
    scene.server.spawn(serve)
    scene.client.spawn(connect, (), PATIENCE)
    scene.net.run(until=HOUR)
    return scene


def figures_of(scene: Scene) -> dict[str, Any]:
    trace = scene.trace
    connections = [each.state for each in scene.server.netstat() if each.state != "LISTEN"]
    return {
        "client_gave_up_after": noted(trace, "client", "connect() fails"),
        "server_states": trace.states("server"),
        "syn_arrived_after": trace.transmissions("client", "server", "S")[0].arrives,
        "accepted": noted(trace, "server", "accept() returns") >= 0,
        "server_told": noted(trace, "server", "recv() fails"),
        "resets": resets(trace),
        "ghosts_after_an_hour": connections,
        "server_closed_after": reached(trace, "server", "CLOSED"),
    }


def run(rtt: str, late: str, gone: bool) -> Outcome:
    three, two = play(rtt, late, gone, True), play(rtt, late, gone, False)
    with_three, with_two = figures_of(three), figures_of(two)
    figures = {"three": with_three, "two": with_two}
    story = (
        f"A SYN went astray and arrives after {human(with_three['syn_arrived_after'])}; its sender gave up after "
        f"{human(with_three['client_gave_up_after'])} and knows nothing of it any more."
    )
    if gone:
        ends = (
            f"With three segments the server only has a half-open entry, which it drops {human(with_three['server_closed_after'] - with_three['syn_arrived_after'])} later; accept() never "
            f"returns. With two the application waits for the words of a ghost: after an hour the connection is still "
            f"{' '.join(with_two['ghosts_after_an_hour'])}."
        )
    else:
        ends = (
            f"With three segments the server asks back before it believes: {' -> '.join(with_three['server_states'])}. The client answers the SYN-ACK, "
            f"which belongs to nothing that it wants, with a RST, and accept() never returned. With two segments the SYN alone makes the connection: "
            f"{' -> '.join(with_two['server_states'])}; accept() returned, the application was already serving a ghost, and was told only "
            f"{human(with_two['server_told'] - with_two['syn_arrived_after'])} later, by that RST. (--gone: the client has left and sends no RST.)"
        )
    answer = (
        f"{story} {ends} The third segment proves that the SYN was of now: only who got the SYN-ACK can acknowledge its number "
        f"(RFC 9293 §3.5)."
    )
    parts = [Part("three segments", three.trace), Part("two segments", two.trace)]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "why-not-two",
    "opening",
    "Why does it take three segments, and not two?",
    run,
    (
        RTT,
        Parameter("late", "3s", "by how much the SYN is late", PATIENCE, "1min"),
        Parameter("gone", False, "the client has left the network by then"),
    ),
)
