"""What if segments overtake each other?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted
from netglass.experiments.scene import RTT
from netglass.experiments.talk import START, Talk
from netglass.network.faults import delay
from netglass.network.match import data
from netglass.times import human


def run(rtt: str, overtake: int, by: str) -> Outcome:
    few = Talk(rtt, overtake + 1, [delay(data.from_("client"), by=by)])
    many = Talk(rtt, 6, [delay(data.from_("client"), by=by)])
    dsacks = [
        each
        for each in many.acks()
        if each.segment is not None and each.segment.sack and is_dsack(each.segment.sack, each.segment.ack)
    ]
    figures: dict[str, Any] = {
        "duplicate_acks": few.duplicate_acks(),
        "retransmissions": len(few.retransmitted_after()),
        "intact": few.intact,
        "first_read_after": few.reads[0][0] - START,
        "duplicate_acks_of_six": many.duplicate_acks(),
        "retransmissions_of_six": len(many.retransmitted_after()),
        "needless": many.scene.server.core.counters.counts.get("duplicate-data", 0),
        "dsacks_of_six": len(dsacks),
        "intact_of_six": many.intact,
    }
    repeated = figures["retransmissions_of_six"]
    if repeated:
        many_words = (
            f"With five segments overtaking there are {figures['duplicate_acks_of_six']}, and A is sent again: "
            f"{counted(repeated, 'needless retransmission')}, which the server throws away and reports with a duplicate SACK "
            f"({figures['dsacks_of_six']}, RFC 2883), so that the sender may learn to be more patient."
        )
    else:
        many_words = (
            f"With five segments behind it there {'is' if figures['duplicate_acks_of_six'] == 1 else 'are'} "
            f"{counted(figures['duplicate_acks_of_six'], 'duplicate ACK')}: A is only {by} late, and nothing is sent again."
        )
    answer = (
        f"Every byte has a number, so order on the way does not matter. Here A is {by} late and {overtake} "
        f"{'segment overtakes' if overtake == 1 else 'segments overtake'} it: the server keeps what came early, sends "
        f"{counted(figures['duplicate_acks'], 'duplicate ACK')}, and hands everything to its application in order once A is there, after "
        f"{human(figures['first_read_after'])}. Retransmissions: {figures['retransmissions']}. The sender cannot know whether A is late or "
        f"lost, so it waits for three duplicate ACKs.\n"
        f"{many_words} Reordering never harms the data, only the speed."
    )
    parts = [
        Part(f"{overtake} overtake A", few.trace, start=START),
        Part("5 overtake A", many.trace, start=START),
    ]
    return Outcome(answer, figures, parts)


def is_dsack(blocks: tuple[tuple[int, int], ...], ack: int) -> bool:
    """RFC 2883 §4: the first block lies below the acknowledgement."""
    return (ack - blocks[0][1]) & 0xFFFFFFFF < 1 << 31


EXPERIMENT = Experiment(
    "reordering",
    "reliable",
    "What if segments overtake each other on the way?",
    run,
    (
        RTT,
        Parameter("overtake", 2, "how many segments overtake the first", 1, 9),
        Parameter("by", "5ms", "how late the first one is", most="1h"),
    ),
)
