"""What if nobody listens?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.scene import RTT, Scene, connect, noted, resets
from netglass.times import human


def run(rtt: str) -> Outcome:
    scene = Scene(rtt)
    client = scene.client.spawn(connect)
    scene.net.run(until="10 s")
    trace = scene.trace
    figures: dict[str, Any] = {
        "error": client.result,
        "after": noted(trace, "client", "connect() fails"),
        "segments": len(trace.transmissions()),
        "resets": resets(trace),
        "client_states": trace.states("client"),
    }
    answer = (
        f"The server's host answers for the program that is not there: a RST (RFC 9293 §3.10.7.1). connect() fails with {figures['error']} after "
        f"{human(figures['after'])}, one round trip and {figures['segments']} segments; the client goes {' -> '.join(figures['client_states'])}. "
        f"That is good news of a kind: the host is up, the path works in both directions, and only the port is closed. A firewall that "
        f"drops tells much less (experiment filtered)."
    )
    return Outcome(answer, figures, [Part("refused", trace)])


EXPERIMENT = Experiment(
    "refused",
    "opening",
    "What if nobody listens on the port?",
    run,
    (RTT,),
)
