"""What does a RST do?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.measure import states_from, way
from netglass.experiments.scene import RTT, Scene, error_name, noted
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.times import human


def serve(io: Io) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    errors = []
    for call in (stream.receive, stream.receive):
        try:
            data = yield from call()
            errors.append(f"{len(data)} bytes")
        except OSError as error:
            errors.append(error_name(error))
        io.note(f"recv(): {errors[-1]}")
    try:
        yield from stream.send(b"answer")
    except OSError as error:
        errors.append(error_name(error))
    io.note(f"send(): {errors[-1]}")
    return errors


def call(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from io.sleep("1 s")
    io.note("abort")
    stream.abort()


def run(rtt: str) -> Outcome:
    scene = Scene(rtt)
    program = scene.server.spawn(serve)
    scene.client.spawn(call)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "abort")
    segments = [each for each in trace.transmissions() if each.time >= start]
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    figures: dict[str, Any] = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "server_calls": program.result,
        "over_after": segments[-1].arrives - start,
    }
    answer = (
        f"A RST ends a connection at once and without an answer: {len(segments)} segment, and after {human(figures['over_after'])} both ends "
        f"are CLOSED ({way(client)} and {way(server)}). There is no TIME-WAIT, and what was under way or unread is lost. The other application "
        f"learns it from its calls: recv() gives {program.result[0]} once, then {program.result[1]} as at an end of stream; send() gives "
        f"{program.result[2]} (with the signal SIGPIPE on Linux). Only a RST with exactly the expected sequence number counts; one elsewhere "
        f"in the receive window is answered with a challenge ACK (RFC 5961 §3.2), one outside of it is dropped without a word, so that a stranger has to "
        f"guess the number. An application sends a RST with SO_LINGER of zero "
        f"seconds, by closing with unread data, or by dying half-way; a kernel for connections that it does not know."
    )
    return Outcome(answer, figures, [Part("reset", trace, start=start)])


EXPERIMENT = Experiment(
    "reset",
    "closing",
    "What does a RST do, and what does the application see of it?",
    run,
    (RTT,),
)
