"""`netglass trace`: which routers are on the way?"""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer

from netglass.cli import wire
from netglass.cli.ping import check_positive, milliseconds
from netglass.cli.where import HostOption, LabOption, Where, reported
from netglass.tools.probing import Hop, Prober, resolve, trace

EPILOG = (
    "Examples:  netglass trace 192.0.2.1 --tun ng0 --address 10.83.0.2/24   ·   netglass trace server --icmp "
    "--lab lab.toml --from client   ·   netglass trace server --json --lab lab.toml"
)


def line(hop: Hop) -> str:
    """The number, then who answered after which times; * where nobody did."""
    cells: list[str] = []
    before = ""
    for each in hop.answers:
        if each.address and each.address != before:
            cells.append(each.address)
            before = each.address
        cells.append(f"{milliseconds(each.time_ns)} ms" if each.address else each.says or "*")
        if each.address and not each.reached and each.says != "time exceeded":
            cells.append(f"({each.says})")
    return f"{hop.ttl_hops:2}  " + "  ".join(cells)


def trace_host(
    host: Annotated[str, typer.Argument(help="The way to whom: a name or an address.")],
    icmp: Annotated[
        bool, typer.Option("--icmp", help="By echo requests; else by UDP to ports where nobody listens.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, max=255, help="Hops to go at most.")] = 30,
    probes: Annotated[int, typer.Option(min=1, max=10, help="How often each is asked.")] = 3,
    size: Annotated[int, typer.Option(min=0, max=1400, help="Bytes of data.")] = 32,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    dns: wire.DnsOption = None,
    lab: LabOption = None,
    source: HostOption = "",
    pcapng: wire.CaptureOption = None,
) -> None:
    """Show each router on the way to a host: over netglass on a TUN device, in a lab in virtual time, or else over the
    machine's own sockets, which needs the right to raw ones."""
    with reported("trace"):
        check_positive("--timeout", timeout)
        where = Where(wire.Wire(tun, addresses or (), kernel or (), dns or (), pcapng), lab, source)
        raise typer.Exit(where.run(lambda: carry_out(host, icmp, most, probes, size, timeout, json)))


def carry_out(host: str, icmp: bool, most: int, probes: int, size: int, timeout: float, json: bool) -> int:
    address = resolve(host)
    hops: list[Hop] = []
    with Prober(address, udp=not icmp) as prober:
        if not json:
            typer.echo(f"trace to {host} ({address}), {most} hops at most, by {'echo requests' if icmp else 'UDP'}")
        try:
            for hop in trace(prober, most, probes, size, timeout):
                hops.append(hop)
                if not json:
                    typer.echo(line(hop))
        finally:
            if json:
                found = {"host": host, "address": address, "hops": [asdict(each) for each in hops]}
                typer.echo(jsonlib.dumps(found))
    return 0 if any(each.reached for hop in hops for each in hop.answers) else 1
