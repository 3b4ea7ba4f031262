"""How does an IPv6 host find an address, a router and its neighbours, all by itself?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted
from netglass.experiments.office import DELAY, answer_words, say
from netglass.lab.network import Network
from netglass.times import NEVER, human
from netglass.trace.recorder import Recorder
from netglass.wire.address import in_network, is_link_local, parse, text
from netglass.wire.ethernet import BROADCAST_MAC, EthernetFrame, group_mac, parse_mac
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMPV6, IpPacket
from netglass.wire.nd import ALL_NODES, NEIGHBOR_SOLICITATION, OVERRIDE, ROUTER_ADVERTISEMENT, neighbor_advertisement

PREFIX = "2001:db8:1::"


def run(taken: bool) -> Outcome:
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    switch, router = net.switch("switch"), net.router("router", "192.0.2.1/24", f"{PREFIX}1/64")
    far, laptop, neighbour = net.host("far"), net.host("laptop", "slaac"), net.host("neighbour", f"{PREFIX}2/64")
    for host in (router, neighbour):
        net.cable(host, switch, delay=DELAY)
    net.cable(router, far, delay=DELAY)
    router.advertise(f"{PREFIX}/64")
    net.run(until="1s")  # what the router told at first the laptop has not heard
    net.cable(laptop, switch, delay=DELAY)
    tested: list[bytes] = []

    def claim() -> None:
        """The neighbour says of the address that the laptop tests that it is its own."""
        for address in laptop.ethernet().detector.candidates:
            if in_network(address, parse(PREFIX), 64) and not tested:
                tested.append(address)
                mac = parse_mac(neighbour.mac)
                message = neighbor_advertisement(address, mac, OVERRIDE)
                packet = IpPacket(address, ALL_NODES, ICMPV6, message, 255)
                neighbour.inject_frame(EthernetFrame(group_mac(ALL_NODES), mac, packet))

    def addressed() -> bool:
        if taken:
            claim()
        return any(each.startswith("2001:") for each in laptop.addresses)

    begin = net.now()
    net.run_until(addressed, limit="20s")
    ready = net.now() - begin
    far.spawn(answer_words, "::")
    asking = laptop.spawn(say, far.address6, b"good morning")
    net.run_until(lambda: asking.done)
    figures = measured(trace, begin, ready)
    local = next(address for address, _ in laptop.machine.ports[0].interface.addresses if is_link_local(address))
    figures |= {"link_local": text(local), "address": laptop.address6, "answer": asking.result, "taken": len(tested)}
    figures["rejected"] = [text(each) for each in tested]
    answer = (
        f"In four steps, without a server. It makes itself a link-local address ({figures['link_local']}) and asks whether anybody has it already; "
        f"nobody answers, so it has one. It asks for routers; the router answers that it is one, and that addresses here begin with {PREFIX}/64 "
        f"({human(figures['router_after'])} after the cable was plugged in). It makes itself an address of that prefix and asks whether anybody has it: "
        f"{'one was taken (' + figures['rejected'][0] + '), it made another one, ' if tested else ''}after {human(ready)} {figures['address']} is its own. "
        f"The router's MAC came with what it told. The router asks for the laptop's, as ARP does ({counted(figures['questions'], 'question')}), but not "
        f"everybody: an address has its own group, which only few listen to. Nothing in all this was broadcast ({counted(figures['broadcasts'], 'frame')}).\n"
        f"The lower half of the address comes from a secret and the network (RFC 7217): here always the same, in another network another one, "
        f"and nobody sees the MAC in it."
    )
    part = Part("From the plug to the first word", trace, ("laptop", "neighbour", "router", "far"), start=begin)
    return Outcome(answer, figures, [part])


def measured(trace: Recorder, begin: int, ready: int) -> dict[str, Any]:
    found: dict[str, Any] = {"ready_after": ready, "router_after": NEVER, "questions": 0, "tests": 0, "broadcasts": 0}
    for each in trace.transmissions():
        message, frame = each.packet.payload, each.carried.ethernet
        if frame is None or each.time < begin:
            continue
        if isinstance(message, IcmpMessage) and message.type == ROUTER_ADVERTISEMENT and each.destination == "laptop":
            found["router_after"] = min(found["router_after"], each.arrives - begin)
        asks = isinstance(message, IcmpMessage) and message.type == NEIGHBOR_SOLICITATION
        if asks and isinstance(each.packet, IpPacket) and each.source != "switch":
            found["questions" if any(each.packet.source) else "tests"] += 1
        found["broadcasts"] += frame.destination == BROADCAST_MAC
    return found


EXPERIMENT = Experiment(
    "neighbour-discovery",
    "below",
    "How does an IPv6 host find an address, a router and its neighbours, all by itself?",
    run,
    (Parameter("taken", False, "somebody has the address that it makes itself first"),),
)
