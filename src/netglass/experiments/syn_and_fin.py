"""What does a segment with SYN and FIN do?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, noted, receive, resets
from netglass.lab.io import Io, Stream
from netglass.network.fault import Verdict
from netglass.network.faults import ExactFault
from netglass.network.match import Matcher, data, syn, syn_ack
from netglass.rng import Rng
from netglass.times import human
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.tcp import FIN, SYN, TcpSegment, flag_text


class AddSynAndFin(ExactFault):
    """Sets SYN and FIN in the first segment that matches."""

    def __init__(self, matcher: Matcher) -> None:
        super().__init__("set SYN and FIN in", matcher, 1, 1)

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        old = packet.payload
        assert isinstance(old, TcpSegment)
        new = TcpSegment(
            old.source_port,
            old.destination_port,
            old.seq,
            old.ack,
            old.flags | SYN | FIN,
            old.window,
            old.chunks,
            old.length,
            old.ts_val,
            old.ts_ecr,
            old.sack,
            old.options,
        )
        return Verdict(packet=IpPacket(packet.source, packet.destination, TCP, new, packet.ttl))


def serve(io: Io) -> Steps:
    stream = yield from accept_one(io)
    yield from receive(io, stream)


def speak(io: Io) -> Steps:
    stream = yield from connect(io)
    assert isinstance(stream, Stream)
    yield from io.sleep("100ms")
    io.note("send()")
    yield from stream.send(b"hello")


def play(rtt: str, matcher: Matcher) -> Scene:
    scene = Scene(rtt, faults=[AddSynAndFin(matcher)])
    scene.server.spawn(serve)
    scene.client.spawn(speak)
    scene.net.run(until="10 s")
    return scene


def figures_of(scene: Scene) -> dict[str, Any]:
    trace = scene.trace
    touched = [each for each in trace.transmissions() if each.note][0]
    answers = [each.segment for each in trace.transmissions(touched.destination) if each.sent == touched.arrives]
    return {
        "at": touched.destination,
        "state_before": trace.state_at(touched.destination, touched.arrives - 1),
        "state_after": trace.state_at(touched.destination, touched.arrives),
        "drops": touched.drops,
        "answers": [flag_text(each.flags) for each in answers if each is not None],
        "client_states": trace.states("client"),
        "server_states": trace.states("server"),
        "counters": dict(scene.server.core.counters.counts),
        "resets": resets(trace),
        "heard_after": noted(trace, "server", "recv() returns 'hello'"),
    }


def run(rtt: str) -> Outcome:
    listen, sent, open_ = play(rtt, syn), play(rtt, syn_ack), play(rtt, data)
    in_listen, in_syn_sent, in_established = figures_of(listen), figures_of(sent), figures_of(open_)
    answer = (
        f"Never together, says common sense: one opens, the other closes. No stack sends it, scanners do, and Linux has three answers.\n"
        f"In LISTEN it is dropped ({', '.join(in_listen['drops'])}) and gets {len(in_listen['answers'])} answers. That is a policy of Linux: RFC 9293 "
        f"§3.10.7.2 would take the SYN. The client's next SYN is plain, and the connection opens.\n"
        f"In {in_syn_sent['state_before']} the SYN counts and the FIN is ignored: the client goes to {in_syn_sent['state_after']}, and not to CLOSE-WAIT.\n"
        f"In {in_established['state_before']} it gets a challenge ACK (RFC 5961 §4.2), {' '.join(in_established['answers'])}, and stays {in_established['state_after']}: whoever really "
        f"is at the other end sees from it that something is wrong. Nothing of the segment is used, its data neither: the server has 'hello' after "
        f"{human(in_established['heard_after'])}, by the retransmission. There were {in_established['resets']} RSTs."
    )
    parts = [Part("in LISTEN", listen.trace), Part("in SYN-SENT", sent.trace), Part("in ESTABLISHED", open_.trace)]
    figures = {"listen": in_listen, "syn_sent": in_syn_sent, "established": in_established}
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "syn-and-fin",
    "opening",
    "What does a segment with SYN and FIN together do?",
    run,
    (RTT,),
)
