"""How does a switch know where to send a frame, and what if its table is full?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted
from netglass.experiments.office import SECRET, Office, answer_words, say
from netglass.experiments.scene import payload
from netglass.wire.ethernet import BROADCAST_MAC, EthernetFrame
from netglass.wire.ip import IpPacket

LOCAL_EXPERIMENT = 0x88B5
"""An Ethernet type for private use (IEEE 802)."""


def conversation(flooded: bool, table: int) -> tuple[Office, str]:
    """A client asks a server, an eavesdropper is at the same switch; if `flooded`, it fills the switch's table first."""
    office = Office("client", "server", "eavesdropper", table_limit=table)
    eavesdropper = office.hosts["eavesdropper"]
    if flooded:
        for number in range(table):
            mac = b"\x02\xbb" + number.to_bytes(4, "big")
            eavesdropper.inject_frame(EthernetFrame(BROADCAST_MAC, mac, b"fill", LOCAL_EXPERIMENT))
        office.net.run(until="10ms")
    office.hosts["server"].spawn(answer_words)
    asking = office.hosts["client"].spawn(say, "server")
    office.net.run_until(lambda: asking.done)
    office.net.run(until="500ms")
    return office, asking.result


def says(office: Office, answer: str) -> dict[str, Any]:
    heard = office.trace.transmissions("switch", "eavesdropper")
    packets = [each for each in heard if isinstance(each.packet, IpPacket)]
    return {
        "answer": answer,
        "known": len(office.switch.table()),
        "flooded": office.switch.core.flooded,
        "forwarded": office.switch.core.forwarded,
        "heard": len(heard),
        "packets_heard": len(packets),
        "secret_heard": any(SECRET in payload(each.packet) for each in packets),
        "not_learned": office.switch.core.counters.counts.get("switch-table-full", 0),
    }


def run(table: int) -> Outcome:
    quiet, told = conversation(False, table)
    full, told_full = conversation(True, table)
    one, two = says(quiet, told), says(full, told_full)
    figures = {"learned": one, "full": two}
    answer = (
        f"It learns from where frames come. The client's first frame, a question to all, goes everywhere, and the switch has learned where the client "
        f"is; the answer goes there alone, and it has learned the server. From then on every frame takes one way: of "
        f"{one['forwarded'] + one['flooded']} frames {one['flooded']} went to everybody, and the eavesdropper heard {one['heard']}, no word among them.\n"
        f"The table has room for {table} MACs. The eavesdropper sent {counted(table, 'frame')} with invented ones, and then the switch could learn nobody else "
        f"({counted(two['not_learned'], 'time')} it had no room): what it does not know it sends everywhere, so {two['flooded']} frames went to all, the eavesdropper heard "
        f"{counted(two['packets_heard'], 'packet')}, {'and the secret was among them' if two['secret_heard'] else 'but not the secret'}. Real switches limit how many MACs one port may have."
    )
    rows = [
        (
            name,
            str(each["known"]),
            str(each["forwarded"]),
            str(each["flooded"]),
            "heard" if each["secret_heard"] else "safe",
        )
        for name, each in (("as it is", one), ("its table filled", two))
    ]
    parts = [
        Part("The switch learns", quiet.trace, ("client", "switch", "server", "eavesdropper"), end="100ms"),
        Part(
            "Its table is full", full.trace, ("client", "switch", "server", "eavesdropper"), start="10ms", end="110ms"
        ),
    ]
    heads = ("the switch", "MACs known", "frames one way", "frames everywhere", "the secret")
    return Outcome(answer, figures, parts, Table(heads, rows))


EXPERIMENT = Experiment(
    "mac-learning",
    "below",
    "How does a switch know where to send a frame, and what if its table is full?",
    run,
    (Parameter("table", 64, "how many MACs the switch can know", 3, 5000),),
)
