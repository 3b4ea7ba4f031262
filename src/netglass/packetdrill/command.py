"""`netglass packetdrill FILE...`: mounted by the command line, which brings typer."""

from __future__ import annotations

import json
from typing import Annotated, Final

import typer

from netglass.errors import MisuseError
from netglass.packetdrill.batch import play, play_all, scripts, split_arguments, summary
from netglass.packetdrill.result import Result
from netglass.packetdrill.script import Setting

CONTEXT: Final[dict[str, bool]] = {"ignore_unknown_options": True}
"""For `app.command(context_settings=CONTEXT)(packetdrill)`: the language's own options pass through to the scripts."""

_PASSED, _FAILED, _MISUSED = 0, 1, 2


def packetdrill(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Scripts, or directories of *.pkt files. Options of packetdrill itself go with them, such as "
            "--ip_version=ipv6 --mtu=1280 --tolerance_usecs=10000 --tcp_ts_tick_usecs=1000 --non_fatal=packet.",
        ),
    ],
    define: Annotated[
        list[str] | None, typer.Option("--define", "-D", metavar="NAME=VALUE", help="Replace a word in the scripts.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every packet and call.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing; the exit status tells.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each script, a line each.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Play so many scripts at once.")] = 1,
) -> None:
    """Play packetdrill scripts against the stack, in virtual time.

    Exit status: 0 if all pass, 1 if one fails, 2 if there is nothing to play.
    """
    try:
        names, settings = split_arguments(arguments)
        files = scripts(names)
    except MisuseError as error:
        typer.echo(f"netglass packetdrill: {error}", err=True)
        raise typer.Exit(_MISUSED) from None
    settings += [Setting("define", each, 0) for each in define or []]
    results: list[Result] = []
    aloud = (play(each, tuple(settings), typer.echo) for each in files)
    for result in aloud if verbose else play_all(files, settings, jobs):
        results.append(result)
        if not quiet:
            _tell(result, as_json)
    if not quiet and not as_json:
        typer.echo(summary(results))
    raise typer.Exit(_PASSED if all(result.passed for result in results) else _FAILED)


def _tell(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.as_json()))
        return
    for warning in result.warnings:
        typer.echo(f"warning: {warning}")
    if result.failure is not None:
        typer.echo(str(result.failure))
