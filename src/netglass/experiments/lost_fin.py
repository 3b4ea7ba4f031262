"""What if the FIN is lost?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import durations, states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, call_and_close, noted, serve_until_closed
from netglass.network.faults import drop
from netglass.network.match import fin
from netglass.times import human


def run(rtt: str, losses: int) -> Outcome:
    faults = [drop(fin.from_("client"), times=losses)]
    scene = Scene(rtt, faults)
    scene.server.spawn(serve_until_closed)
    scene.client.spawn(call_and_close)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "close()")
    gaps = trace.gaps("client", "FA")
    client = states_from(trace, "client", "ESTABLISHED")
    figures: dict[str, Any] = {
        "fins_sent": len(trace.sent("client", "FA")),
        "fins_lost": len(trace.losses()),
        "gaps": gaps,
        "client_states": client,
        "server_states": states_from(trace, "server", "ESTABLISHED"),
        "fin_wait_1": stayed(trace, "client", "FIN-WAIT-1"),
    }
    answer = (
        f"The FIN has a sequence number, so it is as reliable as data: nobody acknowledged it, and the client's kernel sent it again after {durations(gaps)} "
        f"(the retransmission timeout, doubled each time: RFC 6298 §5.5). The application noticed nothing, its close() had returned long ago. "
        f"The client was in FIN-WAIT-1 for {human(figures['fin_wait_1'])} and then went on as always: {way(client)}. "
        f"If every FIN were lost, Linux would give up after tcp_orphan_retries."
    )
    return Outcome(answer, figures, [Part("the FIN is lost", trace, start=start)])


EXPERIMENT = Experiment(
    "lost-fin",
    "closing",
    "What if the FIN is lost?",
    run,
    (
        RTT,
        Parameter("losses", 1, "how many times in a row it is lost", 1, 7),
    ),
)
