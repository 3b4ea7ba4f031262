"""The files that `netglass show` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.times import human
from netglass.trace.pcapng import EVERYWHERE, write_pcapng

TERMINAL = Path("-")


@dataclass(frozen=True)
class Files:
    """Where each form goes; None: nowhere, "-": to the terminal."""

    svg: Path | None
    html: Path | None
    mermaid: Path | None
    pcapng: Path | None
    json: Path | None
    vantage: str | None  # the host from which the capture is seen, or "all"

    def paths(self) -> list[Path]:
        return [path for path in (self.svg, self.html, self.mermaid, self.pcapng, self.json) if path is not None]

    @property
    def on_terminal(self) -> bool:
        return TERMINAL in self.paths()

    def check(self) -> None:
        """Whether all can be written, before anything is run or printed."""
        paths = self.paths()
        if len(set(paths)) < len(paths):
            raise MisuseError("two forms cannot go to the same place; give each a file of its own")
        for path in paths:
            if path != TERMINAL:
                check_path(path)
        if self.vantage is not None and self.pcapng is None:
            raise MisuseError("--vantage says from which host a capture is seen: name its file with --pcapng")

    def write(self, experiment: Experiment, outcome: Outcome) -> list[str]:
        """What was written where, in words."""
        parts = outcome.parts
        ladders = [self.svg, self.html, self.pcapng, *([] if outcome.diagram else [self.mermaid])]
        if any(ladders) and not parts:
            raise MisuseError(f"{experiment.name} is a table; there is no ladder to draw. --json writes its figures")
        if len(parts) > 1 and TERMINAL in ladders:
            raise MisuseError(f"{experiment.name} has {len(parts)} parts, too many for the terminal; name a file")
        return list(self._write(experiment, outcome))

    def _write(self, experiment: Experiment, outcome: Outcome) -> Iterator[str]:
        if self.json is not None:
            yield from _put(self.json, json.dumps(as_json(experiment, outcome), indent=2) + "\n")
        if self.mermaid is not None and outcome.diagram:
            yield from _put(self.mermaid, outcome.diagram)
        for number, part in enumerate(outcome.parts):
            yield from self._write_part(experiment, outcome, number, part)

    def _write_part(self, experiment: Experiment, outcome: Outcome, number: int, part: Part) -> Iterator[str]:
        ladder = part.ladder()
        title = experiment.question if len(outcome.parts) == 1 else f"{experiment.question}\n{part.title}"
        if self.svg is not None:
            yield from _put(numbered(self.svg, number), ladder.svg(title=title))
        if self.html is not None:
            table = None if outcome.table is None else (outcome.table.headers, outcome.table.rows)
            text = outcome.answer.replace("\n", "\n\n")
            yield from _put(numbered(self.html, number), ladder.html(title=title, text=text, table=table))
        if self.mermaid is not None and not outcome.diagram:
            yield from _put(numbered(self.mermaid, number), ladder.mermaid())
        if self.pcapng is not None:
            yield from self._capture(part, numbered(self.pcapng, number), ladder.origin)

    def _capture(self, part: Part, path: Path, zero: int) -> Iterator[str]:
        vantage = self.vantage or part.hosts[0]
        if path == TERMINAL:
            write_pcapng(part.trace, typer.get_binary_stream("stdout"), vantage, zero or None)
            return
        write_pcapng(part.trace, path, vantage, zero or None)
        seen = "as every host sees it" if vantage == EVERYWHERE else f"as {vantage} sees it"
        yield f"{path} ({seen}{f'; the ladder begins at its {human(zero)}' if zero else ''})"


def numbered(path: Path, index: int) -> Path:
    """The first part has the name that was asked for, the others a number behind it."""
    return path if index == 0 else path.with_stem(f"{path.stem}-{index + 1}")


def as_json(experiment: Experiment, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "question": experiment.question,
        "answer": outcome.answer,
        "units": "times in figures are ns; in a ladder, names that end in _ns say so, counted from its origin_ns",
        "figures": outcome.figures,
        "table": None if outcome.table is None else {"headers": outcome.table.headers, "rows": outcome.table.rows},
        "lanes": None if outcome.lanes is None else asdict(outcome.lanes),
        "parts": [{"title": part.title, "ladder": part.ladder().model()} for part in outcome.parts],
    }


def _put(path: Path, text: str) -> Iterator[str]:
    if path == TERMINAL:
        typer.echo(text, nl=False)
        return
    path.write_text(text, encoding="utf-8")
    yield str(path)


def check_path(path: Path) -> None:
    """Whether a file can be written there, before the work that fills it is done."""
    directory = path.parent
    if not directory.is_dir():
        raise MisuseError(f"{path} cannot be written: there is no directory {directory}")
    if path.is_dir():
        raise MisuseError(f"{path} cannot be written: it is a directory")
    if not os.access(path if path.exists() else directory, os.W_OK):
        raise MisuseError(f"{path} cannot be written: no permission")
