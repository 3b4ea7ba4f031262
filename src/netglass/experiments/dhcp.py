"""How does a host get its address from a server, and what if that goes away?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted, spoken
from netglass.experiments.office import DELAY, Office, answer_words, say
from netglass.network.faults import blackhole
from netglass.times import SECOND, duration, human
from netglass.trace.recorder import Recorder
from netglass.wire.dhcp import TYPE_NAMES, DhcpMessage, decode_dhcp
from netglass.wire.udp import UdpDatagram


def run(lease: str) -> Outcome:
    office = Office("server")
    net, server = office.net, office.hosts["server"]
    server.serve_dhcp("10.0.0.100", "10.0.0.200", lease=lease, router="10.0.0.1")
    laptop = net.host("laptop", "dhcp")
    cable = net.cable(laptop, office.switch, delay=DELAY)
    net.run_until(lambda: any("." in each for each in laptop.addresses), limit="60s")
    bound_after, address = net.now(), laptop.address
    server.spawn(answer_words)
    asking = laptop.spawn(say, "server", b"good morning")
    net.run_until(lambda: asking.done)
    client = laptop.dhcp
    if client is None:
        raise AssertionError("the laptop asks for its address")
    states = [(0, "SELECTING"), (bound_after, client.state)]

    def look() -> bool:
        if states[-1][1] != client.state:
            states.append((net.now(), client.state))
        return client.state == "SELECTING"

    renewed = duration(lease)
    net.run_until(lambda: look() or net.now() > renewed, limit=2 * renewed)
    cable.add_fault(blackhole())
    gone_at = net.now()
    net.run_until(look, limit=2 * renewed)
    lost_after = net.now() - gone_at
    messages = told(office.trace)
    figures: dict[str, Any] = {
        "messages": [TYPE_NAMES[each.type] for _, each, _ in messages[:4]],
        "address": address,
        "bound_after": bound_after,
        "answer": asking.result,
        "renewals": sum([each.type == 3 and any(each.client) and time < gone_at for time, each, _ in messages]),
        "unanswered": sum([each.type == 3 and any(each.client) and time >= gone_at for time, each, _ in messages]),
        "states": [state for _, state in states],
        "lost_after": lost_after,
        "addresses_left": [each for each in laptop.addresses if "." in each],
    }
    answer = (
        f"{' - '.join(figures['messages'])}: four messages, all to everybody, because the laptop has no address yet and does not know the server's. "
        f"After {human(bound_after)} it has {address}, for {spoken(renewed)}, and with it a prefix and a router.\n"
        f"A lease is for a time. After half of it the laptop asks the server, alone now, for more ({counted(figures['renewals'], 'renewal')} here). Then the cable "
        f"is cut: it asks again and again, after seven eighths of the time everybody ({counted(figures['unanswered'], 'request')} without an answer), and "
        f"{spoken(lost_after // SECOND * SECOND)} after the cut the time is over: the address is gone ({counted(len(figures['addresses_left']), 'IPv4 address', 'IPv4 addresses')} left), and the "
        f"search begins again. {' -> '.join(figures['states'])}."
    )
    part = Part("The lease", office.trace, ("laptop", "server"), end="100ms")
    rows = [(human(time) if time < SECOND else spoken(time // SECOND * SECOND), state) for time, state in states]
    return Outcome(answer, figures, [part], Table(("at", "the client is"), rows))


def told(trace: Recorder) -> list[tuple[int, DhcpMessage, str]]:
    """(time, message, who said it), each once."""
    found = []
    for each in trace.sent():
        datagram = None if each.packet is None else each.packet.payload
        if isinstance(datagram, UdpDatagram) and datagram.destination_port in (67, 68):
            found.append((each.time, decode_dhcp(datagram.payload), each.host))
    return found


EXPERIMENT = Experiment(
    "dhcp",
    "below",
    "How does a host get its address from a server, and what if that goes away?",
    run,
    (Parameter("lease", "1h", "how long an address is given for", "4min", "10h"),),
)
