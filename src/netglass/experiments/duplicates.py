"""What if a segment arrives twice?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.reordering import is_dsack
from netglass.experiments.scene import RTT
from netglass.experiments.talk import SIZE, START, Talk
from netglass.network.faults import duplicate
from netglass.network.match import data


def run(rtt: str, copies: int) -> Outcome:
    talk = Talk(rtt, 3, [duplicate(data.from_("client"), nth=2, copies=copies)])
    thrown_away = talk.scene.server.core.counters.counts.get("duplicate-data", 0)
    thrown_away += talk.scene.server.core.counters.counts.get("sequence-outside-window", 0)
    reports = [each.segment.sack[0] for each in talk.acks() if each.segment is not None and each.segment.sack]
    figures: dict[str, Any] = {
        "sent": len(talk.trace.sent("client", "A")) - 1,
        "arrived": len([each for each in talk.data_segments() if each.received is not None]),
        "thrown_away": thrown_away,
        "bytes_sent": len(talk.data),
        "bytes_received": len(talk.received),
        "dsacks": len(
            [
                each
                for each in talk.acks()
                if each.segment is not None and each.segment.sack and is_dsack(each.segment.sack, each.segment.ack)
            ]
        ),
        "dsack_bytes": (reports[0][1] - reports[0][0]) & 0xFFFFFFFF if reports else 0,
        "retransmissions": len(talk.retransmitted_after()),
        "intact": talk.intact,
    }
    answer = (
        f"The network may deliver a packet twice, and so may the sender's own retransmission. The client sent {figures['sent']} segments of "
        f"{SIZE} bytes, {figures['arrived']} arrived; but each byte has its number, and the server already expected a later one, so "
        f"{thrown_away} {'was' if thrown_away == 1 else 'were'} thrown away: the application got {figures['bytes_received']} of "
        f"{figures['bytes_sent']} bytes, each once. The copy is still answered, since it could mean that the last ACK was lost; the answer "
        f"names the {figures['dsack_bytes']} bytes that came twice (duplicate SACK, RFC 2883; {figures['dsacks']} of them)."
    )
    return Outcome(answer, figures, [Part("a duplicate", talk.trace, start=START)])


EXPERIMENT = Experiment(
    "duplicates",
    "reliable",
    "What if the network delivers a segment twice?",
    run,
    (
        RTT,
        Parameter("copies", 1, "how many times more the second segment arrives", 1, 20),
    ),
)
