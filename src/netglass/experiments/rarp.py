"""How does a machine without a disk learn its own address?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.office import DELAY, Office, answer_words, say
from netglass.times import human
from netglass.wire.arp import REVERSE_REPLY, REVERSE_REQUEST
from netglass.wire.ethernet import mac_text


def run() -> Outcome:
    office = Office("server", "other")
    server = office.hosts["server"]
    diskless = office.net.host("diskless", "rarp")
    mac = "02:00:00:00:03:00"
    server.serve_rarp({mac: "10.0.0.77"})
    office.net.cable(diskless, office.switch, delay=DELAY)
    office.net.run_until(lambda: any("." in each for each in diskless.addresses), limit="5s")
    known_after = office.net.now()
    server.spawn(answer_words)
    asking = diskless.spawn(say, "server", b"good morning")
    office.net.run_until(lambda: asking.done)
    asked, told = office.frames(REVERSE_REQUEST, "diskless"), office.frames(REVERSE_REPLY, "server")
    figures: dict[str, Any] = {
        "mac": mac_text(told[0].packet.payload.target_mac) if hasattr(told[0].packet.payload, "target_mac") else "",
        "address": diskless.address,
        "after": known_after,
        "requests": len(asked),
        "replies": len(told),
        "refused": office.hosts["other"].core.counters.counts.get("rarp-no-server", 0),
        "answer": asking.result,
    }
    answer = (
        f"It knows one thing, the MAC in its card, and asks everybody what address belongs to {figures['mac']}. A server with a table answers: "
        f"{figures['address']}, {human(known_after)} later, and the machine can speak IP ({figures['answer']!r}). The other machine heard the question and has no "
        f"table (rarp-no-server: {figures['refused']}).\n"
        f"The frames are those of ARP with other numbers ({REVERSE_REQUEST} and {REVERSE_REPLY}), and that is RARP's trouble: it does not cross a router, so each link needs a "
        f"server, and it tells the address and nothing else, no mask, no router. BOOTP and then DHCP (experiment dhcp) took its place."
    )
    return Outcome(answer, figures, [Part("rarp", office.trace, ("diskless", "server", "other"))])


EXPERIMENT = Experiment("rarp", "below", "How does a machine without a disk learn its own address?", run)
