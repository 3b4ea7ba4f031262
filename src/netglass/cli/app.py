"""The list of commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from netglass.build import compiled
from netglass.cli import cidr, mcast, ping, run, show, sockets, trace, up, wire_lab
from netglass.packetdrill import command as packetdrill

app = typer.Typer(
    name="netglass",
    help="A TCP/IP stack that you can see through. Start with: netglass show handshake",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("show", epilog=show.EPILOG, context_settings=show.CONTEXT, cls=show.ExperimentCommand)(show.show)
app.command("run", epilog=run.EPILOG, context_settings=run.CONTEXT)(run.run_program)
app.command("up", epilog=up.EPILOG)(up.up)
app.command("ping", epilog=ping.EPILOG)(ping.ping_host)
app.command("trace", epilog=trace.EPILOG)(trace.trace_host)
app.command("wire-lab", epilog=wire_lab.EPILOG)(wire_lab.wire_lab)
app.command("sockets", epilog=sockets.EPILOG)(sockets.sockets)
app.add_typer(mcast.app, name="mcast")
app.command("cidr", epilog=cidr.EPILOG)(cidr.cidr)
app.command("packetdrill", context_settings=packetdrill.CONTEXT)(packetdrill.packetdrill)


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
