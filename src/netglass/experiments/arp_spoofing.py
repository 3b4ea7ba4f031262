"""What if somebody lies in ARP, and what helps?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part, Table
from netglass.experiments.measure import counted, so_often
from netglass.experiments.office import SECRET, Office, answer_words, say
from netglass.experiments.scene import payload
from netglass.lab.host import LabHost
from netglass.trace.transmissions import Transmission
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, ArpMessage
from netglass.wire.ethernet import EthernetFrame, parse_mac
from netglass.wire.ip import IpPacket


@dataclass
class Run:
    office: Office
    answer: str
    passed: int  # packets that went over the attacker
    read: bool  # the secret was among them
    lies: int
    refused: int  # lies that somebody counted

    def says(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "over_the_attacker": self.passed,
            "secret_read": self.read,
            "lies": self.lies,
            "refused": self.refused,
        }


def lie(attacker: LabHost, victim: LabHost, claimed: str) -> None:
    """Tells `victim` that the address `claimed` is at the attacker's MAC."""
    mac, theirs = parse_mac(attacker.mac), parse_mac(victim.mac)
    message = ArpMessage(REPLY, mac, parse(claimed), theirs, parse(victim.address))
    attacker.inject_frame(EthernetFrame(theirs, mac, message))


def attacked(cure: str) -> Run:
    """A conversation that somebody wants to hear. `cure`: "", "binding" or "switch"."""
    office = Office("client", "server", "attacker")
    client, server, attacker = office.hosts["client"], office.hosts["server"], office.hosts["attacker"]
    # What is sent to it by mistake it passes on, so that nobody notices.
    attacker.config.forwarding = True
    attacker.config.send_redirects = False
    if cure == "binding":
        client.bind_mac(server.address, server.mac)
        server.bind_mac(client.address, client.mac)
    elif cure == "switch":
        for host in (client, server):
            office.switch.bind(host.address, host.mac)
    server.spawn(answer_words)
    first = client.spawn(say, "server", b"good morning")
    office.net.run_until(lambda: first.done)
    office.net.run(until="1s")
    lie(attacker, client, server.address)
    lie(attacker, server, client.address)
    office.net.run(until="1010ms")
    second = client.spawn(say, "server")
    office.net.run_until(lambda: second.done)
    office.net.run(until="1200ms")
    heard = [each for each in office.trace.transmissions(destination="attacker") if is_for(each, attacker)]
    counts = [host.core.counters.counts for host in (client, server)]
    refused = sum([each.get("arp-binding", 0) for each in counts])
    refused += office.switch.core.counters.counts.get("switch-arp-binding", 0)
    read = any(SECRET in payload(each.packet) for each in heard)
    return Run(office, second.result, len(heard), read, len(office.frames(REPLY, "attacker")), refused)


def is_for(transmission: Transmission, host: LabHost) -> bool:
    """True if it is an IP packet in a frame to the host's own MAC."""
    frame = transmission.carried.ethernet
    if frame is None or not isinstance(frame.payload, IpPacket):
        return False
    return frame.destination == parse_mac(host.mac)


def run() -> Outcome:
    runs = {cure: attacked(cure) for cure in ("", "binding", "switch")}
    bare, bound, inspected = runs.values()
    figures: dict[str, Any] = {cure or "none": each.says() for cure, each in runs.items()}
    answer = (
        f"ARP believes whoever speaks. {counted(bare.lies, 'forged reply', 'forged replies')}, nobody asked for them, and the conversation goes over the attacker: "
        f"{counted(bare.passed, 'packet')} came to it, and {'the secret was among them' if bare.read else 'the secret was not among them'}. It passes "
        f"everything on, so the client gets its answer as ever ({bare.answer!r}) and notices nothing.\n"
        f"With a static binding of the address to the MAC, on both machines, the same lies are refused ({so_often(bound.refused)}, counted as "
        f"arp-binding and marked in the picture), and {counted(bound.passed, 'packet')} went over the attacker. A switch that knows the bindings does the same for "
        f"everybody behind it: {counted(inspected.refused, 'lie')} refused, {counted(inspected.passed, 'packet')} over the attacker. Encryption does not stop the "
        f"detour, but makes it worthless."
    )
    rows = [
        (name, str(each.lies), str(each.refused), str(each.passed), "read" if each.read else "safe")
        for name, each in zip(
            ("none", "static bindings on the hosts", "bindings in the switch"), runs.values(), strict=True
        )
    ]
    parts = [
        Part(title, each.office.trace, ("client", "attacker", "server"), start="1s", end="1100ms")
        for title, each in (("Without a cure", bare), ("With static bindings on the hosts", bound))
    ]
    table = Table(("cure", "lies", "refused", "packets over the attacker", "the secret"), rows)
    return Outcome(answer, figures, parts, table)


EXPERIMENT = Experiment("arp-spoofing", "below", "What if somebody lies in ARP, and what helps?", run)
