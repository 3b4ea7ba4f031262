"""What if bits flip on the way?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import durations
from netglass.experiments.scene import RTT
from netglass.experiments.talk import SIZE, START, Talk
from netglass.network.fault import Verdict
from netglass.network.faults import ExactFault, corrupt
from netglass.network.match import data
from netglass.rng import Rng
from netglass.times import human
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_bytes

HEADERS = 20 + 32  # bytes before the payload: IPv4, TCP with timestamps


class AddAndTake(ExactFault):
    """Adds one to a 16-bit word of the payload and takes one from the next: the sum of all words stays the same."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("corrupt two words of", data.from_("client"), 2, 1)

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        frame = bytearray(packet_bytes(packet))
        frame[HEADERS + 1] += 1
        frame[HEADERS + 3] -= 1
        return Verdict(frame=bytes(frame))


def run(rtt: str, bit: int) -> Outcome:
    talk = Talk(rtt, 3, [corrupt(data.from_("client"), bit=bit, nth=2)])
    unlucky = Talk(rtt, 3, [AddAndTake()])
    drops = talk.trace.drop_counts("server")
    wrong = [place for place, byte in enumerate(unlucky.received) if byte != unlucky.data[place]]
    figures: dict[str, Any] = {
        "drops": drops,
        "retransmitted_after": talk.retransmitted_after(),
        "complete_after": talk.complete_after,
        "intact": talk.intact,
        "unlucky_drops": unlucky.trace.drop_counts("server"),
        "unlucky_intact": unlucky.intact,
        "unlucky_wrong_bytes": len(wrong),
    }
    why = " and ".join(drops) or "nothing"
    answer = (
        f"Bit {bit} of the second packet flips. The server's kernel checks header and data, finds that something does not fit, "
        f"and drops the segment without a word ({why}): it cannot even trust the sender's address in it. For the client that is a loss like any other: "
        f"it sent again after {durations(talk.retransmitted_after()) or 'nothing'}, and the application got everything "
        f"{'intact' if talk.intact else 'damaged'} after {human(talk.complete_after)}.\n"
        f"But the checksum is a sum of 16-bit words (RFC 9293 §3.1), and weak: when one word grew by 1 and the next one shrank by 1, nobody "
        f"noticed, and the application got {len(wrong)} wrong bytes. Ethernet's CRC catches most of what cables do; against what "
        f"memory and routers do, or an attacker, only a check of the application's own helps, such as TLS."
    )
    parts = [
        Part("one bit flips", talk.trace, start=START),
        Part("two words change, and their sum does not", unlucky.trace, start=START),
    ]
    return Outcome(answer, figures, parts)


EXPERIMENT = Experiment(
    "corruption",
    "reliable",
    "What if bits flip on the way?",
    run,
    (
        RTT,
        Parameter(
            "bit",
            800,
            "which bit of the packet flips; 0 is the first of the IP header, the data begins at 416",
            0,
            8 * (HEADERS + SIZE) - 1,
        ),
    ),
)
