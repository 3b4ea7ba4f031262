"""`netglass up`: a host on a device, with some services to talk to."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Final

import typer

from netglass.cli import page, wire
from netglass.cli.where import reported
from netglass.drive import DriveHost
from netglass.programs.run import run
from netglass.tools.services import Tally, serve

EPILOG = (
    "Examples:  netglass up --tun ng0 --address 10.83.0.2/24   ·   netglass up --tun ng0 --address 10.83.0.2/24 "
    "--address fd83::2/64 --pcapng up.pcapng   ·   then:  curl http://10.83.0.2/sockets.json   ·   "
    "netglass sockets --url http://10.83.0.2/"
)
REFRESH: Final = 1.0  # seconds


def up(
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    pcapng: wire.CaptureOption = None,
) -> None:
    """Put a host on a TUN device: echo (port 7), discard (9) and chargen (19) over TCP and UDP, and a web page (80) that
    shows the host's own sockets. Ends with Ctrl-C, and leaves nothing behind.

    Chargen sends 1 MB/s over TCP, to all together; echo and chargen answer 1,000 datagrams a second each, and none that
    comes from a port below 1024, so that two such services cannot be made to answer each other for ever.
    """
    with reported("up"), wire.wire_host(wire.Wire(tun, addresses or (), kernel or (), (), pcapng)) as host:
        own = [each.partition("/")[0] for each in addresses or ()]
        try:
            run(host, lambda: asyncio.run(serve_all(host, own)))
        except asyncio.CancelledError:
            raise typer.Exit(128 + signal.SIGTERM) from None


async def serve_all(host: DriveHost, addresses: list[str]) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    tally = Tally()
    pages = {
        "/": lambda: (page.HTML, page.html_page(host, tally)),
        "/sockets.json": lambda: (page.JSON, page.json_page(host, tally)),
    }
    progress = asyncio.ensure_future(show_progress(host, tally)) if sys.stderr.isatty() else None
    try:
        await serve(addresses, pages, tally, lambda: tell(addresses))
    finally:
        if progress is not None:
            progress.cancel()
            with suppress(OSError):
                typer.echo("", err=True)


def tell(addresses: list[str]) -> None:
    where = " and ".join([f"http://{f'[{each}]' if ':' in each else each}/" for each in addresses])
    typer.echo(f"echo 7, discard 9, chargen 19 over TCP and UDP; the sockets live at {where}")
    typer.echo("Ctrl-C ends it")


async def show_progress(host: DriveHost, tally: Tally) -> None:
    while True:
        devices = [each for each in host.core.interfaces.values() if not each.loopback]
        came, went = sum([each.in_packets for each in devices]), sum([each.out_packets for each in devices])
        line = f"{came:,} packets in, {went:,} out; {tally.open.total():,} connections"
        typer.echo(f"\r{line:<72}", nl=False, err=True)
        await asyncio.sleep(REFRESH)
