"""Can one end stop sending and still receive?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, error_name, noted
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.times import human
from netglass.trace.recorder import Recorder

LINE = b"x" * 100
START = "send()"


def serve(io: Io, answers: int) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from stream.receive_all()
    io.note("recv() returns 0")
    try:
        yield from answer(io, stream, answers)
    except OSError as error:
        io.note(error_name(error))
    io.note("close()")
    stream.close()


def answer(io: Io, stream: Stream, answers: int) -> Steps:
    for _ in range(answers):
        yield from io.sleep("100 ms")
        yield from stream.send(LINE)
    yield from io.sleep("100 ms")


def call(io: Io, half: bool) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from io.sleep("1 s")
    io.note(START)
    yield from stream.send(b"sort these: c b a")
    if not half:
        io.note("close()")
        stream.close()
        return 0
    io.note("shutdown()")
    stream.shutdown("write")
    data = yield from stream.receive_all()
    io.note("recv() returns 0")
    stream.close()
    return len(data)


def play(rtt: str, answers: int, half: bool) -> tuple[Recorder, int]:
    """The recording, and how many bytes the client's application got."""
    scene = Scene(rtt)
    scene.server.spawn(serve, answers)
    program = scene.client.spawn(call, half)
    scene.net.run(until="50 s")
    return scene.trace, int(program.result)


def run(rtt: str, answers: int) -> Outcome:
    trace, received = play(rtt, answers, half=True)
    other, nothing = play(rtt, answers, half=False)
    fin = trace.transmissions("client", flags="FA")[0]
    after = [each for each in trace.transmissions("server") if each.length and each.time > fin.arrives]
    client = states_from(trace, "client", "ESTABLISHED")
    errors = [each.text for each in other.notes("server") if each.text.startswith("E")]
    figures: dict[str, Any] = {
        "client_states": client,
        "server_states": states_from(trace, "server", "ESTABLISHED"),
        "segments_after_fin": len(after),
        "bytes_received": received,
        "fin_wait_2": stayed(trace, "client", "FIN-WAIT-2"),
        "bytes_received_after_close": nothing,
        "resets_after_close": len(other.sent("client", "R")) + len(other.sent("client", "RA")),
        "server_errors_after_close": errors,
    }
    answer = (
        f"Yes. A FIN closes one direction only. After shutdown(SHUT_WR) the client could send no more, but {len(after)} more segments with "
        f"{received} bytes reached it: it was in FIN-WAIT-2 for {human(figures['fin_wait_2'])}, the server in CLOSE-WAIT, where data may "
        f"flow on. That is why a close takes four segments and not two (RFC 9293 §3.6): {way(client)} on the client. The FIN is "
        f"also how the server learned that the question was complete. close() is another thing: its FIN looks the same, but nobody will "
        f"read any more, so the first data was answered with a RST ({figures['resets_after_close']} of them), and the server's application "
        f"heard {errors[0] if errors else 'nothing of it'}."
    )
    parts = [
        Part("shutdown(SHUT_WR): half-close", trace, start=noted(trace, "client", START)),
        Part("close() instead", other, start=noted(other, "client", START)),
    ]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "half-close",
    "closing",
    "Can one end stop sending and still receive?",
    run,
    (
        RTT,
        Parameter("answers", 2, "segments that the server still sends", 1, 100),
    ),
)
