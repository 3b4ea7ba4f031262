"""An experiment's outcome as text for a terminal."""

from __future__ import annotations

import os
import sys
import textwrap

import typer

from netglass.experiments.experiment import Experiment, Outcome, Table
from netglass.trace.cells import in_ascii, width_of, wrapped
from netglass.trace.ladder import Ladder

BETWEEN = "   "
NARROWEST_CELL = 6
WIDEST_LANES = 140


def outcome_text(experiment: Experiment, outcome: Outcome, width: int, plain: bool) -> str:
    """Question, ladders, table and answer. A ladder that cannot be as narrow as `width` is as narrow as it can be."""
    pieces = [bold(in_plain(experiment.question, plain)) + "\n"]
    for part in outcome.parts:
        if len(outcome.parts) > 1:
            pieces.append(bold(in_plain(part.title, plain)) + "\n")
        pieces.append(ladder_text(part.ladder(), width, plain))
    if outcome.lanes is not None:
        pieces.append(in_plain(outcome.lanes.text(min(width, WIDEST_LANES), plain), plain))
    if outcome.table is not None:
        pieces.append(in_plain(table_text(outcome.table, width), plain) + "\n")
    pieces += [filled(each, min(width, 100)) for each in in_plain(outcome.answer, plain).split("\n")]
    return "\n".join(pieces) + "\n"


def filled(line: str, width: int) -> str:
    """Broken into lines; those after the first of an indented one stand a little further in."""
    indent = len(line) - len(line.lstrip())
    return textwrap.fill(line, width, subsequent_indent=" " * (indent + 2 if indent else 0))


def ladder_text(ladder: Ladder, width: int, plain: bool) -> str:
    return ladder.text(width=ladder.fitting_width(width), colour=coloured(), ascii=plain)


def table_text(table: Table, width: int) -> str:
    """Left column to the left, the others to the right; the widest columns are broken into lines until all fit."""
    lines = [table.headers, *table.rows]
    widths = [max([width_of(line[column]) for line in lines]) for column in range(len(table.headers))]
    room = width - 2 - len(BETWEEN) * (len(widths) - 1)
    while sum(widths) > room and max(widths) > NARROWEST_CELL:
        widths[widths.index(max(widths))] -= 1
    return "\n".join([text for line in lines for text in _table_lines(line, widths)])


def _table_lines(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    columns = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    found: list[str] = []
    for number in range(max([len(column) for column in columns])):
        texts = [column[number] if number < len(column) else "" for column in columns]
        rest = [" " * (width - width_of(text)) + text for text, width in zip(texts[1:], widths[1:], strict=True)]
        first = texts[0] + " " * (widths[0] - width_of(texts[0]))
        found.append(("  " + BETWEEN.join([first, *rest])).rstrip())
    return found


def in_plain(text: str, plain: bool) -> str:
    return in_ascii(text) if plain else text


def coloured() -> bool:
    """Whether the terminal is one, can show styles, and its user wants them (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def bold(text: str) -> str:
    return typer.style(text, bold=True) if coloured() else text
