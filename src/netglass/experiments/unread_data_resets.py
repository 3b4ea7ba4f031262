"""Why does my close() send a RST?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted, states_from, way
from netglass.experiments.scene import RTT, Scene, error_name, noted
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.network.faults import drop
from netglass.network.match import payload
from netglass.trace.recorder import Recorder

HEADER = b"POST / HTTP/1.0\r\n\r\n"
ANSWER = b"HTTP/1.0 413 Content Too Large\r\n\r\n"


def serve(io: Io, body: int) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from io.sleep("1 s")
    io.note("recv() header")
    yield from stream.receive_exactly(len(HEADER))
    if body:
        io.note("recv() body")
        yield from stream.receive_exactly(body)
    yield from stream.send(ANSWER)
    io.note("send(), close()")
    stream.close()


def call(io: Io, body: int) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from stream.send(HEADER + bytes(body))
    received = 0
    try:
        piece = yield from stream.receive()
        while piece:
            received += len(piece)
            io.note(f"recv() {len(piece)} bytes")
            piece = yield from stream.receive()
        ending = "end of stream"
    except OSError as error:
        ending = error_name(error)
    io.note(f"recv(): {ending}")
    stream.close()
    return received, ending


def play(rtt: str, body: int, reads_all: bool, answer_lost: bool = False) -> tuple[Recorder, int, str, int]:
    """The recording; what the client's application got, and how it ended; how often the server closed with unread
    data."""
    scene = Scene(rtt, [drop(payload(ANSWER))] if answer_lost else [])
    scene.server.spawn(serve, body if reads_all else 0)
    program = scene.client.spawn(call, body)
    scene.net.run(until="30 s")
    received, ending = program.result
    return scene.trace, received, ending, scene.server.core.counters.counts.get("close-with-unread-data", 0)


def run(rtt: str, body: int) -> Outcome:
    trace, received, ending, unread = play(rtt, body, reads_all=False)
    polite, received_politely, polite_ending, _ = play(rtt, body, reads_all=True)
    _, after_loss, ending_after_loss, _ = play(rtt, body, reads_all=False, answer_lost=True)
    _, politely_after_loss, _, _ = play(rtt, body, reads_all=True, answer_lost=True)
    figures: dict[str, Any] = {
        "resets": len(trace.sent("server", "RA")) + len(trace.sent("server", "R")),
        "fins": len(trace.sent("server", "FA")),
        "closed_with_unread_data": unread,
        "received": received,
        "ending": ending,
        "received_if_all_was_read": received_politely,
        "ending_if_all_was_read": polite_ending,
        "received_if_answer_lost": after_loss,
        "ending_if_answer_lost": ending_after_loss,
        "received_if_answer_lost_and_all_was_read": politely_after_loss,
        "server_states": states_from(trace, "server", "ESTABLISHED"),
        "server_states_if_all_was_read": states_from(polite, "server", "ESTABLISHED"),
    }
    if unread:
        what = (
            f"The server closed while {counted(body, 'byte')} lay unread in its socket. A FIN would say that all went well, so Linux sends a RST "
            f"(RFC 2525 §2.17): {way(figures['server_states'])}. The client's application got {received} bytes and then {ending}."
        )
    else:
        what = f"Nothing was left unread here, so there is no RST: the client's application got {received} bytes and then {ending}."
    answer = (
        f"{what} When the network lost the answer, the client got {after_loss} bytes and {ending_after_loss}"
        f"{': after a RST nobody sends anything again, and this is how error pages of web servers disappear' if unread else ', for it was sent again'}. "
        f"The cure is to read until the end of the stream before close(), or shutdown(SHUT_WR) "
        f"first and then read on: when the body was read, the server went {way(figures['server_states_if_all_was_read'])}, and the client "
        f"got {received_politely} bytes and {polite_ending}, and still {politely_after_loss} when the answer was lost once."
    )
    parts = [
        Part("the body was not read", trace, start=noted(trace, "server", "recv() header")),
        Part("the body was read", polite, start=noted(polite, "server", "recv() header")),
    ]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "unread-data-resets",
    "closing",
    "Why does my close() send a RST?",
    run,
    (
        RTT,
        Parameter("body", 500, "bytes that the server does not read", 0, 10_000),
    ),
)
