"""What if both ends close at the same time?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, noted
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.times import SECOND, duration, human


def serve(io: Io, at: int) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from close_at(io, stream, at)


def call(io: Io, at: int) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from close_at(io, stream, at)


def close_at(io: Io, stream: Stream, at: int) -> Steps:
    yield from io.sleep(at - io.now())
    io.note("close()")
    stream.close()


def run(rtt: str, later: str) -> Outcome:
    scene = Scene(rtt)
    close_time = SECOND + 2 * duration(rtt)
    scene.server.spawn(serve, close_time + duration(later))
    scene.client.spawn(call, close_time)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "close()")
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    waits = [host for host in ("client", "server") if "TIME-WAIT" in trace.states(host)]
    figures: dict[str, Any] = {
        "client_states": client,
        "server_states": server,
        "segments": len([each for each in trace.transmissions() if each.time >= start]),
        "closing": stayed(trace, "client", "CLOSING") if "CLOSING" in client else 0,
        "in_time_wait": waits,
    }
    if "CLOSING" in client:
        what = (
            f"The two FINs cross on the way. Each end is in FIN-WAIT-1, expects an ACK, and gets a FIN instead: that is the state CLOSING. "
            f"It ends when the ACK of the own FIN comes, here after {human(figures['closing'])} (RFC 9293 §3.6)."
        )
    else:
        what = f"{human(duration(later))} is not simultaneous: the server had the client's FIN before it closed, so this is an ordinary close."
    waiting = "Both ends are" if len(waits) == 2 else f"Of the two ends only the {waits[0]} is"
    answer = (
        f"{what} The client goes {way(client)}, the server {way(server)}. {waiting} "
        f"in TIME-WAIT afterwards. Whoever sent a FIN before it got one has to wait."
    )
    return Outcome(answer, figures, [Part("simultaneous close", trace, start=start)])


EXPERIMENT = Experiment(
    "simultaneous-close",
    "closing",
    "What if both ends close at the same time?",
    run,
    (
        RTT,
        Parameter(
            "later",
            "0ms",
            "how much later the server closes; from half a round trip on it is no longer simultaneous",
            most="10s",
        ),
    ),
)
