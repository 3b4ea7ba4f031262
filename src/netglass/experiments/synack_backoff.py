"""How long does a server wait for the third segment?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, accept_one, connect, listed, noted, reached
from netglass.network.faults import blackhole
from netglass.sockets.constants import IPPROTO_TCP, TCP_SYNCNT
from netglass.times import duration, human


def run(rtt: str, retries: int) -> Outcome:
    unplugged = blackhole(from_=duration(rtt) // 4)
    unplugged.name = "unplugged"
    scene = Scene(rtt, faults=[unplugged])
    scene.server.spawn(accept_one, 128, ((IPPROTO_TCP, TCP_SYNCNT, retries),))
    scene.client.spawn(connect, (), "500ms")
    scene.net.run(until=f"{300 + 120 * retries} s")
    trace = scene.trace
    times = trace.times("server", "SA")
    begun, given_up = reached(trace, "server", "SYN-RECEIVED"), reached(trace, "server", "CLOSED")
    figures: dict[str, Any] = {
        "syn_ack_after": [each - begun for each in times],
        "waits": [after - before for before, after in pairwise([*times, given_up])],
        "given_up_after": given_up - begun,
        "server_states": trace.states("server"),
        "timers": len(trace.timers("server", "syn-ack")),
        "accepted": noted(trace, "server", "accept() returns") >= 0,
        "half_open_at_the_end": trace.queues("server")[-1].half_open,
    }
    answer = (
        f"The client sent a SYN and vanished. The server sends its SYN-ACK {len(times)} times, {listed(figures['syn_ack_after'])} after the SYN: "
        f"each wait is twice the one before (and two minutes at most). {human(figures['given_up_after'])} after the SYN it drops the entry; accept() never returned, and no "
        f"application ever heard of it. So long one forged SYN occupies a place in the SYN queue: that is what a SYN flood lives on. The number of "
        f"retries is TCP_SYNCNT of the listener (here {retries}), else net.ipv4.tcp_synack_retries (5); Linux gives up old entries "
        f"earlier when the queue is more than half full."
    )
    return Outcome(answer, figures, [Part("SYN-ACKs without an answer", trace)])


EXPERIMENT = Experiment(
    "synack-backoff",
    "opening",
    "How long does a server wait for the third segment?",
    run,
    (RTT, Parameter("retries", 5, "how often the SYN-ACK is repeated", 1, 127)),
)
