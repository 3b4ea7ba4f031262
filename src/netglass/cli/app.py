"""The list of commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Final

import typer

from netglass.build import compiled
from netglass.cli import cidr, mcast, ping, run, show, sockets, trace, up, wire_lab
from netglass.packetdrill import command as packetdrill

SUMMARIES: Final = {
    "show": "Ask a question about TCP; see the real exchange.",
    "run": "Run Python programs, unmodified, on netglass's TCP/IP.",
    "up": "Put a host with small services and a web page on a device.",
    "ping": "Ask a host for echoes.",
    "trace": "Show each router on the way to a host.",
    "wire-lab": "Run programs in any language on a network with faults.",
    "sockets": "List sockets as netstat does, half-open connections too.",
    "cidr": "Work out an address block, step by step.",
    "packetdrill": "Play packetdrill scripts, in virtual time.",
    "mcast": "Send to a multicast group, or listen to one.",
}
"""What the list of commands says of each, in a line of 80 columns."""

app = typer.Typer(
    name="netglass",
    help="A TCP/IP stack that you can see through. Start with: netglass show handshake",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(
    "show", short_help=SUMMARIES["show"], epilog=show.EPILOG, context_settings=show.CONTEXT, cls=show.ExperimentCommand
)(show.show)
app.command("run", short_help=SUMMARIES["run"], epilog=run.EPILOG, context_settings=run.CONTEXT)(run.run_program)
app.command("up", short_help=SUMMARIES["up"], epilog=up.EPILOG)(up.up)
app.command("ping", short_help=SUMMARIES["ping"], epilog=ping.EPILOG)(ping.ping_host)
app.command("trace", short_help=SUMMARIES["trace"], epilog=trace.EPILOG)(trace.trace_host)
app.command("wire-lab", short_help=SUMMARIES["wire-lab"], epilog=wire_lab.EPILOG)(wire_lab.wire_lab)
app.command("sockets", short_help=SUMMARIES["sockets"], epilog=sockets.EPILOG)(sockets.sockets)
app.add_typer(mcast.app, name="mcast", short_help=SUMMARIES["mcast"])
app.command("cidr", short_help=SUMMARIES["cidr"], epilog=cidr.EPILOG)(cidr.cidr)
app.command("packetdrill", short_help=SUMMARIES["packetdrill"], context_settings=packetdrill.CONTEXT)(
    packetdrill.packetdrill
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netglass {version('netglass')} ({'compiled' if compiled() else 'pure Python'} core)")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Print the version and which core runs.", callback=_tell_version, is_eager=True
        ),
    ] = False,
) -> None:
    """A TCP/IP stack that you can see through. Start with: netglass show handshake"""
