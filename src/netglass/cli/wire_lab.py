"""`netglass wire-lab`: a lab file in real time, its programs processes on kernels of their own."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from netglass.cli import lab_file
from netglass.cli.run import draw
from netglass.errors import MisuseError, NetglassError
from netglass.trace import Recorder, write_pcapng
from netglass.wirelab import WireLab, summary

EPILOG = (
    "Examples:  netglass wire-lab lab.toml   ·   unshare -Urn netglass wire-lab lab.toml --pcapng lab.pcapng   ·   "
    "netglass wire-lab lab.toml --on client -- curl http://server/"
)
INTERRUPTED = 128 + signal.SIGINT


def wire_lab(
    lab: Annotated[Path, typer.Argument(metavar="FILE.toml", help="Hosts, their programs, cables and faults.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND [ARGS]...", help="Run this instead of what the file says.", show_default=False
        ),
    ] = None,
    on: Annotated[str, typer.Option(help="On which host; none: the first that has a program to run.")] = "",
    seed: Annotated[int | None, typer.Option(help="Decides which packets faults hit; none: the file's, or 1.")] = None,
    pcapng: Annotated[
        Path | None, typer.Option(help="Write a capture that Wireshark opens; lost packets say by what.")
    ] = None,
    ladder: Annotated[
        str, typer.Option(help="Draw the exchange: FILE.svg, FILE.html, or - for the terminal.", show_default=False)
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what the programs say.")] = False,
) -> None:
    """Run programs in any language, in real time, on a network with the faults that you choose.

    Each host that has a program is a kernel of its own (a network namespace); the cables, routers and faults between
    them are netglass's. Needs root, or the root of a user namespace: unshare -Urn netglass wire-lab FILE.toml

    \b
    [hosts.client]
    run = "curl -so /dev/null http://server/"
    [hosts.server]
    serve = "python3 -m http.server 80"
    [[cables]]
    between = ["client", "server"]
    delay = "20 ms"
    faults = ["loss('1%')"]
    """
    try:
        code = carry_out(lab, words or [], on, seed, pcapng, ladder, quiet)
    except (NetglassError, OSError) as error:
        typer.echo(f"netglass wire-lab: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def carry_out(
    path: Path, words: list[str], on: str, seed: int | None, pcapng: Path | None, ladder: str, quiet: bool
) -> int:
    made = lab_file.read(path, seed)
    programs = made.programs
    if words:
        programs = replaced(programs, words, on, path.resolve().parent)
    if not programs:
        raise MisuseError(f"{path}: no host has a program: give one `run` or `serve`")
    recorder = Recorder() if pcapng is not None or ladder else None
    if recorder is not None:
        made.network.observe(recorder)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # who has read enough (`| head`) gets an error, which ends it cleanly
    try:
        with WireLab(made.network, [each.host.name for each in programs], None if quiet else say) as lab:
            code = run(lab, programs)
            if not quiet:
                for line in summary(lab):
                    say(line)
            return code
    finally:
        if recorder is not None and pcapng is not None:
            write_pcapng(recorder, pcapng)
        if recorder is not None and ladder:
            draw(recorder, ladder)


def run(lab: WireLab, programs: list[lab_file.Program]) -> int:
    """The status of the first program that did not end well, 0 if all did."""
    try:
        for each in programs:
            if each.serves:
                lab.serve(each.host.name, each.words, each.directory)
        running = [lab.start(each.host.name, each.words, each.directory) for each in programs if not each.serves]
        if not running:
            say("Ctrl-C ends it")
        lab.wait_for(*(running or lab.processes))
        lab.settle()
    except KeyboardInterrupt:
        return INTERRUPTED
    return next((each.status for each in running if each.status), 0)


def replaced(programs: list[lab_file.Program], words: list[str], on: str, directory: Path) -> list[lab_file.Program]:
    """The servers, and `words` instead of all that the file wants to be run."""
    hosts = {each.host.name: each.host for each in sorted(programs, key=lambda each: each.serves)}
    name = on or next(iter(hosts), "")
    if name not in hosts:
        raise MisuseError(f"{name!r} is no host that has a program; there are {', '.join(hosts) or 'none'}")
    servers = [each for each in programs if each.serves]
    return [*servers, lab_file.Program(hosts[name], words, False, directory)]


def say(line: str) -> None:
    typer.echo(f"wire-lab: {line}", err=True)


def leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as Ctrl-C does: nothing is left behind."""
    raise KeyboardInterrupt
