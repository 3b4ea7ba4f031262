"""What if the very last ACK is lost?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import durations, entered, states_from, stayed
from netglass.experiments.scene import RTT, Scene, call_and_close, noted, serve_until_closed
from netglass.network.faults import drop
from netglass.network.match import pure_ack
from netglass.times import human


def run(rtt: str, losses: int) -> Outcome:
    # The client sends pure ACKs twice: the third segment of the handshake, and the one that answers the server's FIN.
    faults = [drop(pure_ack.from_("client"), nth=2, times=losses)]
    scene = Scene(rtt, faults)
    scene.server.spawn(serve_until_closed, "100 ms")
    scene.client.spawn(call_and_close)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "close()")
    last_answer = [each.time for each in trace.sent("client", "A")][-1]
    end = [each.time for each in trace.timers("client", "time-wait")][0]
    figures: dict[str, Any] = {
        "acks_lost": len(trace.losses()),
        "server_fins": len(trace.sent("server", "FA")),
        "gaps": trace.gaps("server", "FA"),
        "client_states": states_from(trace, "client", "ESTABLISHED"),
        "server_states": states_from(trace, "server", "ESTABLISHED"),
        "last_ack": stayed(trace, "server", "LAST-ACK"),
        "time_wait": stayed(trace, "client", "TIME-WAIT"),
        "time_wait_after_last_fin": end - last_answer,
        "time_wait_restarted_after": last_answer - entered(trace, "client", "TIME-WAIT"),
    }
    answer = (
        f"Nobody acknowledges an ACK, so the client cannot know. The server can: its FIN stayed unanswered, and in LAST-ACK it sent it again after {durations(figures['gaps'])}. "
        f"That is what TIME-WAIT is for: the client still remembers the connection, answers again, and the server closes, after "
        f"{human(figures['last_ack'])} in LAST-ACK. Each such FIN starts the wait anew (RFC 9293 §3.10.7.4): the client "
        f"was in TIME-WAIT for {human(figures['time_wait'])}, of which {human(figures['time_wait_after_last_fin'])} after the last FIN. "
        f"Without the wait it would have answered with a RST: see without-2msl."
    )
    return Outcome(answer, figures, [Part("the last ACK is lost", trace, start=start)])


EXPERIMENT = Experiment(
    "lost-last-ack",
    "closing",
    "What if the last ACK of a close is lost?",
    run,
    (
        RTT,
        Parameter("losses", 1, "how many times in a row it is lost", 1, 5),
    ),
)
