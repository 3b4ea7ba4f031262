"""What if data is lost, and nothing else is under way?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted, durations, entered, spoken
from netglass.experiments.scene import RTT
from netglass.experiments.talk import START, Talk
from netglass.network.faults import drop
from netglass.network.match import data
from netglass.times import human


def run(rtt: str, losses: int) -> Outcome:
    faults = [drop(data.from_("client"), times=losses)]
    talk = Talk(rtt, 1, faults)
    before = [tcb for time, tcb in talk.trace.snapshots("client") if time <= START][-1]
    gaps = [
        after - sent for sent, after in zip([0, *talk.retransmitted_after()], talk.retransmitted_after(), strict=False)
    ]
    figures: dict[str, Any] = {
        "lost": len(talk.trace.losses()),
        "rto": before.rto,
        "srtt": before.srtt,
        "gaps": gaps,
        "delivered_after": talk.complete_after if talk.reads else -1,
        "intact": talk.intact,
        "gave_up_after": entered(talk.trace, "client", "CLOSED") - START if not talk.reads else -1,
        "client_state": talk.trace.states("client")[-1],
    }
    if talk.reads:
        end = f"The server's application got the data {human(talk.complete_after)} after send(), and knows nothing of {counted(len(talk.trace.losses()), 'loss', 'losses')}."
    else:
        end = f"After {spoken(figures['gave_up_after'])} the client's kernel gave up: {figures['client_state']}."
    answer = (
        f"TCP keeps what it sent until it is acknowledged, and starts a timer: the round trip that it measured ({human(before.srtt)}) plus four "
        f"times its variation, at least 200 ms on Linux, which makes {human(before.rto)} (RFC 6298). When it expires, the segment is "
        f"sent again: here after {durations(gaps)}. Each timeout doubles the next one (§5.5), for a network that loses needs rest. {end} Linux tries about 15 times, over 15 minutes (tcp_retries2); an application that wants to know earlier sets "
        f"TCP_USER_TIMEOUT."
    )
    return Outcome(answer, figures, [Part("retransmission after a timeout", talk.trace, start=START)])


EXPERIMENT = Experiment(
    "retransmission-timeout",
    "reliable",
    "What if a segment is lost?",
    run,
    (
        RTT,
        Parameter("losses", 3, "how many times in a row it is lost", 1, 100),
    ),
)
