"""A host of netglass's on a device of this machine, for the commands that need one: the other end of the device is the
machine's own kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Annotated, Final

import typer

from netglass.drive import Drive, DriveHost
from netglass.errors import MisuseError
from netglass.link.tun import Tun
from netglass.sockets.resolver import Resolver
from netglass.trace.live import LiveCapture

DEVICES: Final = Path("/sys/class/net")

TunOption = Annotated[
    str, typer.Option(metavar="NAME", help="On a TUN device of this machine, in real time; made if there is none.")
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="A/B", help="Address and prefix length of netglass there; may be repeated."),
]
KernelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kernel",
        metavar="A/B",
        help="Address of the kernel's end; by default, if the device is made, the first other one of the network.",
    ),
]
DnsOption = Annotated[
    list[str] | None, typer.Option("--dns", metavar="ADDRESS", help="A DNS server for the program, asked through TUN.")
]
CaptureOption = Annotated[Path | None, typer.Option("--pcapng", help="Write a capture that Wireshark opens.")]


@dataclass(frozen=True)
class Wire:
    """What the options say."""

    tun: str
    addresses: Sequence[str]
    kernel: Sequence[str] = ()
    dns: Sequence[str] = ()
    pcapng: Path | None = None
    name: str = "netglass"

    def check(self) -> None:
        if not self.tun:
            raise MisuseError("name the device: --tun ng0")
        if not self.addresses:
            raise MisuseError("say which address netglass has on the device: --address 10.83.0.2/24")
        for each in [*self.addresses, *self.kernel]:
            if "/" not in each:
                raise MisuseError(f"{each!r}: an address here has a prefix length, such as {each}/24")
            try:
                ip_interface(each)
            except ValueError as error:
                raise MisuseError(f"{each!r} is no address with a prefix length: {error}") from None


@contextmanager
def wire_host(wire: Wire) -> Iterator[DriveHost]:
    """The host, in real time, as long as the context lasts; nothing is left behind. Says on standard error who is
    where."""
    wire.check()
    with ExitStack() as leaving:
        made = not (DEVICES / wire.tun).exists()
        drive = leaving.enter_context(Drive())
        host = drive.host(wire.name)
        link = Tun(wire.tun)
        leaving.callback(link.close)
        drive.attach(host, link, *wire.addresses)
        kernel = list(wire.kernel) or ([other_end(each) for each in wire.addresses] if made else [])
        if kernel:
            from netglass.link.machine import configure  # the extra `wire`

            leaving.enter_context(configure(link.name, kernel))
        host.names["localhost"] = ("127.0.0.1", "::1")
        if wire.dns:
            host.resolver = Resolver(*wire.dns)
        if wire.pcapng is not None:
            capture = LiveCapture(wire.pcapng, time.time_ns() - drive.now())
            leaving.callback(capture.close)
            host.core.observe(capture)
        ours = " and ".join([each.partition("/")[0] for each in wire.addresses])
        theirs = " and ".join([each.partition("/")[0] for each in kernel])
        typer.echo(f"{link.name}: netglass is {ours}{f', this machine {theirs}' if theirs else ''}", err=True)
        yield host


def other_end(address: str) -> str:
    """The first address of the network that is not this one."""
    mine = ip_interface(address)
    for other in mine.network.hosts():
        if other != mine.ip:
            return f"{other}/{mine.network.prefixlen}"
    raise MisuseError(f"{address}: this network has no room for the kernel's end; say --kernel ADDRESS/LENGTH")
