"""What if both ends connect at once?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, Steps, error_name
from netglass.lab.io import Io
from netglass.times import duration, human

PORT = 5000


def connect_to(io: Io, peer: str, pause: int) -> Steps:
    yield from io.sleep(pause)
    io.note("connect()")
    stream = yield from io.connect(peer, PORT, source_port=PORT)
    io.note("connect() returns")
    return stream


def run(rtt: str, apart: str) -> Outcome:
    scene = Scene(rtt)
    one = scene.client.spawn(connect_to, "server", 0)
    other = scene.server.spawn(connect_to, "client", duration(apart))
    scene.net.run(until="1 min", expect_errors=True)
    trace = scene.trace
    connections = [
        each for host in (scene.client, scene.server) for each in host.netstat() if each.state == "ESTABLISHED"
    ]
    errors = [each.error for each in (one, other) if isinstance(each.error, OSError)]
    figures: dict[str, Any] = {
        "crossed": duration(apart) < duration(rtt) // 2,
        "errors": [error_name(error) for error in errors],
        "segments": len(trace.transmissions()),
        "client_states": trace.states("client"),
        "server_states": trace.states("server"),
        "ends_established": len(connections),
        "established_after": max(
            [each.time for each in trace.state_changes() if each.new == "ESTABLISHED"], default=-1
        ),
    }
    if figures["ends_established"] == 2:
        answer = (
            f"Then nobody listens, and it works all the same. Two SYNs cross; each end goes {' -> '.join(figures['client_states'])}, and each answers the other's SYN "
            f"with a SYN-ACK of its own: {figures['segments']} segments, and one connection, not two, for both ends name the same addresses and ports. It is open "
            f"after {human(figures['established_after'])} (RFC 9293 §3.5). It takes both ends to bind their port first, and to "
            f"begin within half a round trip of each other; programs that punch holes into address translators do this on purpose."
        )
    else:
        failed = f" ({error_name(errors[0])} for {'both ends' if len(errors) == 2 else 'one end'})" if errors else ""
        answer = (
            f"They began {human(duration(apart))} apart, and half a round trip is {human(duration(rtt) // 2)}: the first SYN found nobody who had begun to connect, and "
            f"was answered with a RST{failed}. Only SYNs that cross make a connection."
        )
    return Outcome(answer, figures, [Part("simultaneous open", trace)])


EXPERIMENT = Experiment(
    "simultaneous-open",
    "opening",
    "What if both ends connect at the same time?",
    run,
    (
        RTT,
        Parameter("apart", "0ms", "how much later the second one begins", "0ms", "10s"),
    ),
)
