"""How does a host find the machine that has an address?"""

from __future__ import annotations

from typing import Any

from netglass import errnos
from netglass.experiments.experiment import Experiment, Outcome, Part, Table
from netglass.experiments.measure import counted
from netglass.experiments.office import Office, answer_words, say
from netglass.experiments.scene import Steps
from netglass.lab.io import Io
from netglass.times import SECOND, human
from netglass.trace.transmissions import Transmission
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, REQUEST
from netglass.wire.ethernet import mac_text
from netglass.wire.ip import IpPacket


def run() -> Outcome:
    office = Office("client", "server", "other")
    client, server = office.hosts["client"], office.hosts["server"]
    address = parse(server.address)
    states: list[tuple[int, str]] = []

    def look() -> None:
        for entry in client.neighbors():
            if entry.address == address and (not states or states[-1][1] != entry.state_name):
                states.append((office.net.now(), entry.state_name))

    server.spawn(answer_words)
    office.net.after("1ms", look)
    first = client.spawn(say, "server")
    office.net.run_until(lambda: first.done)
    look()
    office.net.run(until="60s")
    look()
    second = client.spawn(say, "server")
    office.net.run_until(lambda: second.done)
    look()
    for time in (65_001, 65_010, 66_000):
        office.net.run(until=f"{time}ms")
        look()
    absent = client.spawn(connect, "10.0.0.99")
    begin = office.net.now()
    office.net.run_until(lambda: absent.done)
    return outcome(office, states, absent.result, office.net.now() - begin)


def outcome(office: Office, states: list[tuple[int, str]], error: str, after: int) -> Outcome:
    asked = office.frames(REQUEST, "client")
    heard = [each for each in office.frames(REQUEST, "switch") if each.time < SECOND]
    told = office.frames(REPLY, "server")
    packet = [each for each in office.trace.transmissions("client") if isinstance(each.packet, IpPacket)][0]
    ignored = [each for each in asked if names(each, "10.0.0.99") and each.time < office.net.now()]
    figures: dict[str, Any] = {
        "mac": mac_text(told[0].carried.ethernet.source) if told[0].carried.ethernet else "",
        "heard_by": sorted({each.destination for each in heard}),
        "waited": packet.time,
        "states": [state for _, state in states],
        "state_times": [time for time, _ in states],
        "unanswered": len(ignored),
        "error": error,
        "error_after": after,
    }
    answer = (
        f"It asks everybody. The first packet waits in the client while the question, who has 10.0.0.2, goes to all machines on the link "
        f"({counted(len(figures['heard_by']), 'of them', 'of them')}: {' and '.join(figures['heard_by'])}); only the one that has the address "
        f"answers, to the client alone: it is at {figures['mac']}. After {human(figures['waited'])}, one round trip, the packet goes on its way. What "
        f"was learned is kept, as {' -> '.join(figures['states'])}: sure at first, then used without being sure, then asked for again, this time "
        f"only the machine itself.\n"
        f"For an address that nobody has the client asks {figures['unanswered']} times, a second apart, and gives up: connect() fails with "
        f"{error} after {human(after)}. No router told it; the client told itself."
    )
    rows = [(human(time), state) for time, state in states]
    part = Part(
        "The first packet, and what became of what was learned",
        office.trace,
        ("client", "server", "other"),
        end="65500ms",
    )
    return Outcome(answer, figures, [part], Table(("at", "the client's entry for 10.0.0.2"), rows))


def connect(io: Io, whom: str) -> Steps:
    try:
        yield from io.connect(whom, 80)
    except OSError as error:
        return errnos.name(error.errno or 0)
    return ""


def names(transmission: Transmission, address: str) -> bool:
    """True if an ARP message asks for `address`."""
    target = getattr(transmission.packet.payload, "target", b"")
    return bool(target == parse(address))


EXPERIMENT = Experiment("arp", "below", "How does a host find the machine that has an address?", run)
