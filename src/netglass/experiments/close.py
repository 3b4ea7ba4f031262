"""How does a connection close?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import lasting, states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, call_and_close, noted, serve_until_closed
from netglass.times import human


def run(rtt: str, work: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(serve_until_closed, work)
    scene.client.spawn(call_and_close)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "close()")
    segments = [each for each in trace.transmissions() if each.time >= start]
    fin, fin_back = trace.transmissions("client", flags="FA")[0], trace.transmissions("server", flags="FA")[0]
    acknowledged = trace.transmissions("server", flags="A")[-1].ack
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    figures: dict[str, Any] = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "client_fin": fin.seq,
        "client_fin_acknowledged": acknowledged,
        "server_fin": fin_back.seq,
        "server_fin_acknowledged": segments[-1].ack,
        "close_wait": stayed(trace, "server", "CLOSE-WAIT"),
        "time_wait": stayed(trace, "client", "TIME-WAIT"),
    }
    answer = (
        f"{len(segments)} segments: each end says once that it will send no more (FIN), and each FIN is acknowledged. The client goes "
        f"{way(client)}, the server {way(server)}. A FIN takes one sequence number: the client's is number {fin.seq}, and the server "
        f"acknowledges {acknowledged} (RFC 9293 §3.6). Why four? The kernel of the server can acknowledge the FIN at once, but only its "
        f"application knows when it has nothing more to send: here it stayed in CLOSE-WAIT {lasting(figures['close_wait'])}. "
        f"A server that forgets close() stays there for ever. Who closes first waits in TIME-WAIT, {human(figures['time_wait'])} on Linux."
    )
    return Outcome(answer, figures, [Part("four-way close", trace, start=start)])


EXPERIMENT = Experiment(
    "close",
    "closing",
    "How does a connection close, and why does it take four segments?",
    run,
    (
        RTT,
        Parameter("work", "100ms", "what the server still has to do before it closes too", most="50s"),
    ),
)
