"""Why does the end that closes first wait for 2 MSL?"""

from __future__ import annotations

from typing import Any

from netglass import errnos
from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import durations, lasting, states_from, stayed
from netglass.experiments.scene import RTT, Scene, call_and_close, noted
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.network.faults import drop
from netglass.network.match import pure_ack
from netglass.sockets.constants import SO_ERROR, SOL_SOCKET
from netglass.times import duration, human
from netglass.trace.recorder import Recorder


def serve(io: Io) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from stream.receive_all()
    io.note("recv() returns 0")
    yield from io.sleep("100 ms")
    io.note("shutdown()")
    stream.shutdown("write")
    yield from io.sleep("10 s")
    error = pending_error(io, stream)
    io.note(f"SO_ERROR: {error or 'none'}")
    stream.close()
    return error


def pending_error(io: Io, stream: Stream) -> str:
    value = stream.sockets.getsockopt(stream.fd, SOL_SOCKET, SO_ERROR, io.now())
    number = int.from_bytes(value, "little") if isinstance(value, bytes) else -value
    return errnos.name(number) if number else ""


def play(rtt: str, msl: str) -> tuple[Recorder, str]:
    """The recording, and the error that the server's application found in the end."""
    config = HostConfig()
    config.tcp.msl = duration(msl)
    scene = Scene(rtt, [drop(pure_ack.from_("client"), nth=2)], client=config)
    program = scene.server.spawn(serve)
    scene.client.spawn(call_and_close)
    scene.net.run()
    return scene.trace, str(program.result)


def run(rtt: str, msl: str) -> Outcome:
    short, error = play(rtt, msl)
    normal, no_error = play(rtt, "30 s")
    resets = short.sent("client", "R") + short.sent("client", "RA")
    figures: dict[str, Any] = {
        "time_wait": stayed(short, "client", "TIME-WAIT"),
        "time_wait_normally": stayed(normal, "client", "TIME-WAIT"),
        "resets": len(resets),
        "resets_normally": len(normal.sent("client", "R") + normal.sent("client", "RA")),
        "server_error": error,
        "server_error_normally": no_error,
        "server_gaps": short.gaps("server", "FA"),
        "client_states": states_from(short, "client", "ESTABLISHED"),
    }
    if resets:
        what = (
            f"When the server sent its FIN again ({durations(figures['server_gaps'])} later), nobody at the client knew the connection any "
            f"more, and its kernel answered with a RST (RFC 9293 §3.5.2). The server cannot tell whether its last words were read: "
            f"its socket reports {error or 'nothing'}."
        )
    else:
        what = "It was long enough: the repeated FIN was answered with an ACK."
    answer = (
        f"Here the last ACK is lost. With an MSL of {msl} the client stayed in TIME-WAIT {lasting(figures['time_wait'])}. {what} "
        f"With Linux's 2 * 30 s the client still knew, acknowledged the FIN a second time, and the server's socket reports "
        f"{no_error or 'no error'}: every byte and the FIN arrived. "
        f"The other reason for the wait, old duplicates, is time-wait-old-duplicate."
    )
    parts = [
        Part(f"2 MSL = {human(2 * duration(msl))}", short, start=noted(short, "client", "close()")),
        Part("2 MSL = 60 s", normal, start=noted(normal, "client", "close()")),
    ]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "without-2msl",
    "closing",
    "Why does the end that closes first have to wait for 2 MSL?",
    run,
    (
        RTT,
        Parameter("msl", "0ms", "maximum segment lifetime that the client believes in", most="10min"),
    ),
)
