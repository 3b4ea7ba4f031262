"""`netglass packetdrill FILE...`: mounted by the command line, which brings typer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Final

import typer

from netglass.errors import MisuseError
from netglass.packetdrill.batch import check_settings, play, play_all, scripts, split_arguments, summary
from netglass.packetdrill.bench import HOST, SCRIPT
from netglass.packetdrill.result import Result
from netglass.packetdrill.script import Setting
from netglass.trace import Ladder, Recorder, write_pcapng

CONTEXT: Final[dict[str, bool]] = {"ignore_unknown_options": True}
"""For `app.command(context_settings=CONTEXT)(packetdrill)`: the language's own options pass through to the scripts."""

_PASSED, _FAILED, _MISUSED = 0, 1, 2


def packetdrill(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Scripts, or directories of *.pkt files. Options of packetdrill itself go with them, such as "
            "--ip_version=ipv6 --mtu=1280 --tolerance_usecs=10000 --tcp_ts_tick_usecs=1000 --non_fatal=packet.",
        ),
    ],
    define: Annotated[
        list[str] | None, typer.Option("--define", "-D", metavar="NAME=VALUE", help="Replace a word in the scripts.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every packet and call.")] = False,
    ladder: Annotated[bool, typer.Option("--ladder", help="Draw every packet, and the host's states.")] = False,
    pcapng: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the packets as a capture.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing; the exit status tells.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each script, a line each.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Play so many scripts at once.")] = 1,
) -> None:
    """Play packetdrill scripts against the stack, in virtual time.

    A packet or a call may come early or late by 4 ms, or by 12.5 % of the time since the event before it, whichever is
    more; --tolerance_usecs=N and --tolerance_percent=N say otherwise.

    Exit status: 0 if all pass, 1 if one fails, 2 if there is nothing to play or an option is wrong.
    """
    try:
        names, settings = split_arguments(arguments)
        settings += [Setting("define", each, 0) for each in define or []]
        check_settings(settings)
        files = scripts(names)
        if pcapng is not None and len(files) > 1:
            raise MisuseError(f"--pcapng takes one script; these are {len(files)}")
    except MisuseError as error:
        typer.echo(f"netglass packetdrill: {error}", err=True)
        raise typer.Exit(_MISUSED) from None
    watched = verbose or ladder or pcapng is not None
    played = _play_watched(files, settings, verbose, ladder, pcapng) if watched else play_all(files, settings, jobs)
    results: list[Result] = []
    for result in played:
        results.append(result)
        if not quiet:
            _tell(result, as_json)
    if not quiet and not as_json:
        typer.echo(summary(results))
    raise typer.Exit(_PASSED if all(result.passed for result in results) else _FAILED)


def _play_watched(
    files: list[Path], settings: list[Setting], verbose: bool, ladder: bool, pcapng: Path | None
) -> Iterator[Result]:
    for file in files:
        recorder = Recorder() if ladder or pcapng is not None else None
        result = play(file, tuple(settings), typer.echo if verbose else None, recorder)
        if recorder is not None and ladder:
            typer.echo(Ladder.of(recorder, hosts=(SCRIPT, HOST)).text(width=get_terminal_size().columns))
        if recorder is not None and pcapng is not None:
            write_pcapng(recorder, pcapng)
        yield result


def _tell(result: Result, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.as_json()))
        return
    for warning in result.warnings:
        typer.echo(f"warning: {warning}")
    if result.failure is not None:
        typer.echo(str(result.failure))
