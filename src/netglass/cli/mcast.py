"""`netglass mcast send` and `netglass mcast recv`: a group is tried."""

from __future__ import annotations

import json as jsonlib
import math
import time
from ipaddress import ip_address
from typing import Annotated, Final

import typer

from netglass.cli import wire
from netglass.cli.where import Where, reported
from netglass.errors import MisuseError
from netglass.tools import multicast

LEAST_INTERVAL: Final = 0.01
MOST_DATA: Final = 1400  # bytes; a packet of any network, with its headers
SHOWN: Final = 40  # bytes of a datagram

SEND_EPILOG = (
    "Examples:  netglass mcast send 224.0.0.100 8888   ·   netglass mcast send 239.1.2.3 8888 --ttl 4 --interface eth0"
    "   ·   netglass mcast send ff15::8888 8888 --count 10 --tun ng0 --address fd83::2/64"
)
RECV_EPILOG = (
    "Examples:  netglass mcast recv 224.0.0.100 8888   ·   netglass mcast recv 232.1.2.3 8888 --source 10.83.0.1   ·   "
    "netglass mcast recv 239.1.2.3 8888 --json --tun ng0 --address 10.83.0.2/24"
)

app = typer.Typer(
    help="Send to a multicast group, or listen to one: over the machine's own sockets, or over netglass with --tun.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

GroupArgument = Annotated[str, typer.Argument(help="A multicast address: 224.0.0.0/4 or ff00::/8.")]
PortArgument = Annotated[int, typer.Argument(min=1, max=65535, help="The UDP port.")]
InterfaceOption = Annotated[str, typer.Option(metavar="NAME", help="Where; none: where the route leads.")]
CountOption = Annotated[int, typer.Option(min=0, help="How many; 0: until Ctrl-C.")]


@app.command("send", epilog=SEND_EPILOG)
def send(
    group: GroupArgument,
    port: PortArgument,
    interval: Annotated[
        float, typer.Option(help=f"Seconds from one to the next; never less than {LEAST_INTERVAL}, to flood nobody.")
    ] = 1.0,
    count: CountOption = 0,
    ttl: Annotated[int, typer.Option(min=0, max=255, help="How many routers it may pass, and one.")] = 1,
    loop: Annotated[bool, typer.Option("--loop/--no-loop", help="Whether this machine hears it too.")] = True,
    interface: InterfaceOption = "",
    size: Annotated[
        int, typer.Option(min=0, max=MOST_DATA, help="Bytes of each; short ones are as long as need be.")
    ] = 0,
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    pcapng: wire.CaptureOption = None,
) -> None:
    """Send numbered datagrams to a group, at most 100 a second and 1,400 bytes each."""
    with reported("mcast send"):
        check_group(group)
        if not LEAST_INTERVAL <= interval < math.inf:
            raise MisuseError(f"--interval is at least {LEAST_INTERVAL} s, so that nobody is flooded; not {interval}")

        def program() -> None:
            sent = 0
            try:
                for data in multicast.send(group, port, count, interval, size, ttl, loop, interface):
                    sent += 1
                    typer.echo(f"{multicast.number_of(data)}: {len(data)} bytes to {group} port {port}")
            finally:
                if sent:
                    typer.echo(f"{sent:,} sent", err=True)

        Where(wire.Wire(tun, addresses or (), kernel or (), (), pcapng)).run(program)


@app.command("recv", epilog=RECV_EPILOG)
def recv(
    group: GroupArgument,
    port: PortArgument,
    count: CountOption = 0,
    source: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Only what this address sends (a source-specific join).")
    ] = "",
    interface: InterfaceOption = "",
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each datagram.")] = False,
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    pcapng: wire.CaptureOption = None,
) -> None:
    """Join a group and print who sends what; at the end how much came from whom, and how many of `netglass mcast send`
    are missing in between."""
    with reported("mcast recv"):
        check_group(group)
        if source:
            check_source(source, group)

        def program() -> None:
            heard = Heard()
            with multicast.joined(group, port, source, interface) as receiver:
                typer.echo(f"listening to {group} port {port}", err=True)
                try:
                    while not count or heard.datagrams < count:
                        data, sender = receiver.recvfrom(65535)
                        heard.add(data, sender[0], sender[1])
                        typer.echo(line(data, sender[0], sender[1], json))
                finally:
                    typer.echo(heard.text(), err=True)

        Where(wire.Wire(tun, addresses or (), kernel or (), (), pcapng)).run(program)


class Heard:
    """From whom how many, and between which numbers."""

    def __init__(self) -> None:
        self.datagrams: int = 0
        self._senders: dict[str, list[int]] = {}  # how many; the first, the last number; how many were numbered

    def add(self, data: bytes, address: str, port: int) -> None:
        self.datagrams += 1
        number = multicast.number_of(data)
        known = self._senders.setdefault(where(address, port), [0, number, 0, 0])
        known[0] += 1
        if number:
            known[1] = min(known[1], number)
            known[2] = max(known[2], number)
            known[3] += 1

    def text(self) -> str:
        if not self._senders:
            return "nothing came"
        lines = []
        for sender, (came, first, last, numbered) in self._senders.items():
            missing = max(last - first + 1 - numbered, 0) if numbered else 0
            lines.append(f"{came:,} from {sender}" + (f", {missing:,} missing" if missing else ""))
        return "\n".join(lines)


def line(data: bytes, address: str, port: int, json: bool) -> str:
    if json:
        found = {"address": address, "port": port, "size": len(data), "number": multicast.number_of(data) or None}
        return jsonlib.dumps({**found, "time": time.time(), "data": data.hex()})
    more = "..." if len(data) > SHOWN else ""
    return f"{where(address, port)}: {len(data)} bytes: {printable(data[:SHOWN])}{more}"


def printable(data: bytes) -> str:
    """What strangers send must not steer the terminal."""
    return "".join([chr(byte) if 32 <= byte < 127 else "·" for byte in data])


def where(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def check_group(group: str) -> None:
    try:
        if ip_address(group).is_multicast:
            return
    except ValueError:
        pass
    raise MisuseError(
        f"{group!r} is no multicast address; such are 224.0.0.0 to 239.255.255.255, and those from ff00::"
    )


def check_source(source: str, group: str) -> None:
    try:
        if ip_address(source).version == ip_address(group).version and not ip_address(source).is_multicast:
            return
    except ValueError:
        pass
    raise MisuseError(f"--source {source!r}: a sender's own address, of the same IP version as the group {group}")
