"""`netglass show`: a question about TCP, a real run that answers it, drawn."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from netglass.cli.outputs import Files
from netglass.cli.printed import bold, outcome_text
from netglass.errors import MisuseError
from netglass.experiments import NAMES, by_name, everything
from netglass.experiments.experiment import Experiment
from netglass.trace.text import NARROWEST

EPILOG = (
    "Examples:  netglass show   ·   netglass show handshake --rtt 200ms   ·   netglass show close --svg close.svg   ·   "
    "netglass show lost-syn --pcapng lost-syn.pcapng"
)
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
WIDEST = 110
WORDS = "netglass.words"


def complete(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


class ExperimentCommand(TyperCommand):
    """The command knows the options of the experiments that are named: for --help, and for the shell's completion."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = list(args)  # before they are taken apart
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        for experiment in named(ctx):
            with formatter.section(f"Options of {experiment.name}"):
                formatter.write_dl(option_lines(experiment) or [("(none)", "nothing to vary")])
        super().format_epilog(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        found = super().shell_complete(ctx, incomplete)
        every = super().shell_complete(ctx, "--")
        for parameter in [each for experiment in named(ctx) for each in experiment.parameters] if every else []:
            option = f"--{parameter.name}"
            if incomplete and option.startswith(incomplete):
                found.append(type(every[0])(option, help=parameter.help))
        return found


def named(context: Any) -> list[Experiment]:
    """The experiments among the words of the command line."""
    return [by_name(word) for word in context.meta.get(WORDS, ()) if word in NAMES]


def show(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Experiments; none: list them all.", autocompletion=complete, show_default=False),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the ladder into this SVG file; - for the terminal.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of its own: click on a segment to look into it.")
    ] = None,
    mermaid: Annotated[Path | None, typer.Option(help="Write a Mermaid sequence diagram.")] = None,
    pcapng: Annotated[Path | None, typer.Option(help="Write a capture that Wireshark opens.")] = None,
    vantage: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="The host that the capture is seen from, or all; else the ladder's first."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write question, answer, figures and ladder as JSON; - for the terminal.")
    ] = None,
    width: Annotated[int, typer.Option("--width", "-w", help="Columns to draw in; 0: the terminal's.")] = 0,
    plain: Annotated[bool, typer.Option("--ascii", help="Draw with plain ASCII.")] = False,
) -> None:
    """Ask a question about TCP; see the real exchange that answers it.

    Most experiments have options of their own, such as --rtt 100ms or --retries 3: `netglass show NAME --help` lists
    them.
    """
    try:
        if width and width < NARROWEST:
            raise MisuseError(f"--width is {NARROWEST} columns or more, or 0 for the terminal's; not {width}")
        wanted, given, only_help = own_options([*(names or []), *context.args])
        if given and not wanted:
            option = f"--{next(iter(given))}"
            raise MisuseError(
                f"{option} is an experiment's option: name one, as in netglass show handshake {option} ..."
            )
        if not wanted and not only_help:
            list_all(width or shutil.get_terminal_size().columns)
            return
        experiments = [by_name(name) for name in wanted] or everything()
        if only_help:
            for experiment in experiments:
                tell_options(experiment)
            return
        files = Files(svg, html, mermaid, pcapng, json, vantage)
        if len(experiments) > 1 and files.paths():
            raise MisuseError("one experiment at a time can go into a file")
        files.check()
        columns = width or min(shutil.get_terminal_size().columns, WIDEST)
        for experiment in experiments:
            outcome = experiment.run(**given)
            written = files.write(experiment, outcome)
            if not files.on_terminal:
                typer.echo(outcome_text(experiment, outcome, columns, plain))
            if written:
                typer.echo(f"wrote {', '.join(written)}", err=True)
    except (MisuseError, OSError) as error:
        typer.echo(f"netglass show: {error}", err=True)
        raise typer.Exit(2) from None


def own_options(words: list[str]) -> tuple[list[str], dict[str, int | str], bool]:
    """(experiments, their options, whether only help is wanted). Options are --name value, --name=value, and --name
    alone, whose value is True; the experiment checks them."""
    names: list[str] = []
    given: dict[str, int | str] = {}
    only_help = False
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--help-options":
            only_help = True
            continue
        if not word.startswith("--"):
            if word.startswith("-"):
                raise MisuseError(
                    f"there is no option {word}; netglass show {names[0] if names else 'NAME'} --help lists them"
                )
            names.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if equals:
            given[name] = value
        else:
            given[name] = True if not rest or rest[0].startswith("--") or rest[0] in NAMES else rest.pop(0)
    return names, given, only_help


def list_all(columns: int) -> None:
    width = max(len(name) for name in NAMES)
    beside = columns >= width + 34  # else each question stands below its name
    group = ""
    for experiment in everything():
        if experiment.group != group:
            group = experiment.group
            typer.echo(f"{'' if group == 'opening' else chr(10)}{bold(group)}")
        mark = "*" if experiment.missing() else " "
        head = f"{mark} {experiment.name:<{width}}  " if beside else f"{mark} {experiment.name}\n    "
        lines = textwrap.wrap(experiment.question, max(columns - (width + 4 if beside else 4), 20))
        typer.echo(head + f"\n{' ' * (width + 4 if beside else 4)}".join(lines))
    typer.echo()
    if any(experiment.missing() for experiment in everything()):
        typer.echo("* runs servers and clients of others: pip install 'netglass[examples]'")
    last = "netglass show NAME runs one and draws it; netglass show NAME --help lists what can be varied."
    typer.echo(textwrap.fill(last, max(columns, 20)))


def tell_options(experiment: Experiment) -> None:
    typer.echo(f"{experiment.name}: {experiment.question}")
    for option, text in option_lines(experiment):
        typer.echo(f"  {option:<14} {text}")
    if not experiment.parameters:
        typer.echo("  nothing to vary")


def option_lines(experiment: Experiment) -> list[tuple[str, str]]:
    """(--name, what it means and what it is otherwise)"""
    return [(f"--{each.name}", f"{each.help} ({each.otherwise()})") for each in experiment.parameters]
