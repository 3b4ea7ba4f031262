"""What if a segment is lost, and others behind it arrive?"""

from __future__ import annotations

from typing import Any

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted, durations
from netglass.experiments.scene import RTT
from netglass.experiments.talk import START, Talk
from netglass.network.faults import drop
from netglass.network.match import data
from netglass.times import human


def run(rtt: str, segments: int, lost: int) -> Outcome:
    if lost > segments:
        raise MisuseError(f"--lost is one of the segments, 1 to {segments}; this is {lost}")
    talk = Talk(rtt, segments, [drop(data.from_("client"), nth=lost)])
    timeouts = [each for each in talk.trace.timers("client", "retransmission") if each.time > START]
    blocks = [each for each in talk.acks() if each.segment is not None and each.segment.sack]
    behind = segments - lost
    figures: dict[str, Any] = {
        "duplicate_acks": talk.duplicate_acks(),
        "acks_with_sack": len(blocks),
        "timeouts": len(timeouts),
        "retransmitted_after": talk.retransmitted_after(),
        "retransmissions": len(talk.retransmitted_after()),
        "complete_after": talk.complete_after,
        "intact": talk.intact,
        "reads": [size for _, size in talk.reads],
    }
    letter = chr(64 + lost)
    if timeouts:
        what = (
            f"{'Only ' + str(behind) if behind else 'Nothing'} arrived behind it{', too few' if behind else ''}: fewer than three duplicate ACKs may be mere reordering. So the timer had to expire, "
            f"and {letter} was sent again after {durations(talk.retransmitted_after())}."
        )
    else:
        what = (
            f"The third one is proof enough of a loss (RFC 5681 §3.2), and {letter} was sent again after "
            f"{durations(talk.retransmitted_after())}: one round trip instead of a timeout."
        )
    told = (
        f"What arrives behind it makes the server say again, segment by segment, what it is still waiting for: "
        f"{counted(figures['duplicate_acks'], 'duplicate ACK')}, of which {len(blocks)} also {'names' if len(blocks) == 1 else 'name'} what "
        f"came already (SACK, RFC 2018). "
        if behind
        else ""
    )
    answer = (
        f"{counted(segments, 'segment')} {'goes' if segments == 1 else 'go'} out at once, {letter} is lost. {told}{what} "
        f"Only {counted(figures['retransmissions'], 'segment')} {'was' if figures['retransmissions'] == 1 else 'were'} repeated, since the server keeps what came early; its application got nothing "
        f"beyond the gap until the gap was filled, and had everything, in order, after {human(talk.complete_after)}. Linux goes on from here "
        f"with RACK-TLP (RFC 8985), which counts time instead of ACKs."
    )
    return Outcome(answer, figures, [Part("fast retransmit", talk.trace, start=START)])


EXPERIMENT = Experiment(
    "fast-retransmit",
    "reliable",
    "How does TCP notice a loss without waiting for a timeout?",
    run,
    (
        RTT,
        Parameter("segments", 5, "how many are sent at once", 1, 10),
        Parameter("lost", 2, "which of them is lost", 1, 10),
    ),
)
