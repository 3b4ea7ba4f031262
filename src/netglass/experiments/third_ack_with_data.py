"""May the third segment carry data? And the first?"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, reached, receive
from netglass.lab.io import Io, Options, Stream
from netglass.sockets.constants import IPPROTO_TCP, TCP_QUICKACK
from netglass.times import human

ACK_WITH_DATA: Options = ((IPPROTO_TCP, TCP_QUICKACK, 0),)


def serve(io: Io) -> Steps:
    stream = yield from accept_one(io)
    yield from receive(io, stream)


def ask(io: Io, options: Options) -> Generator[Any, None, None]:
    stream = yield from connect(io, options)
    assert isinstance(stream, Stream)
    io.note("send()")
    yield from stream.send(b"hello")


def play(rtt: str, options: Options) -> Scene:
    scene = Scene(rtt)
    scene.server.spawn(serve)
    scene.client.spawn(ask, options)
    scene.net.run(until="10 s")
    return scene


def figures_of(scene: Scene) -> dict[str, Any]:
    from_client = scene.trace.transmissions("client", "server")
    third = from_client[1]
    return {
        "segments_from_client": len(from_client),
        "bytes_in_syn": from_client[0].length,
        "bytes_in_third": third.length,
        "third_seq": third.seq,
        "third_ack": third.ack,
        "server_established_after": reached(scene.trace, "server", "ESTABLISHED"),
    }


def run(rtt: str) -> Outcome:
    apart, together = play(rtt, ()), play(rtt, ACK_WITH_DATA)
    two, one = figures_of(apart), figures_of(together)
    answer = (
        f"It may. Usually connect() has sent the plain ACK before the application says its first word: the client sends "
        f"{two['segments_from_client']} segments. If it switches that ACK off (Linux: TCP_QUICKACK 0), its first {one['bytes_in_third']} bytes "
        f"go with the ACK: {one['segments_from_client']} segments, and the server is ESTABLISHED and has the data in the same moment, "
        f"{human(one['server_established_after'])} after the start. Both carry seq={one['third_seq']}: a plain ACK takes no sequence number, so "
        f"the data begins at the same one either way.\n"
        f"The SYN carried {one['bytes_in_syn']} bytes. RFC 9293 §3.4 permits data there, but nobody may be handed it before the handshake is "
        f"complete; TCP Fast Open (RFC 7413) is the named exception."
    )
    figures = {"apart": two, "together": one}
    parts = [Part("ACK first, then data", apart.trace), Part("data with the ACK", together.trace)]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "third-ack-with-data",
    "opening",
    "May the third segment carry data?",
    run,
    (RTT,),
)
