"""The ladder as a Mermaid sequence diagram, for Markdown pages that draw such themselves."""

from __future__ import annotations

from netglass.times import NEVER
from netglass.trace.items import Arrow, Remark
from netglass.trace.ladder import Ladder


def draw(ladder: Ladder) -> str:
    """A `sequenceDiagram`: time only orders it; states, queues, timers and reasons are notes."""
    lines = ["sequenceDiagram"]
    names = [f"h{number}" for number in range(len(ladder.hosts))]
    for name, host, label in zip(names, ladder.hosts, ladder.labels, strict=True):
        lines.append(f"    participant {name} as {_safe(host)}" + (f"<br/>{_safe(label)}" if label else ""))
    for name, state in zip(names, ladder.initial, strict=True):
        lines += _note(name, [state]) if state else []
    for moment in ladder.moments():
        item = moment.item
        if isinstance(item, Arrow):
            lines += _arrival(item, names) if moment.is_arrival else _departure(ladder, item, names)
        elif isinstance(item, Remark):
            lines += _note(names[item.column], [f"{ladder.since(item.time)}: {item.text}"])
        else:
            ends = names[0] if len(names) == 1 else f"{names[0]},{names[-1]}"
            lines.append(f"    Note over {ends}: … {_safe(item.text)} …")
    return "\n".join(lines) + "\n"


def _departure(ladder: Ladder, arrow: Arrow, names: list[str]) -> list[str]:
    source, destination = names[arrow.source], names[arrow.destination]
    words = " ".join([f"{ladder.since(arrow.sent)}:", *arrow.words, *[f"({mark})" for mark in arrow.marks]])
    lines = _note(source, [each.text for each in arrow.starts])
    if arrow.arrives == NEVER:
        return [*lines, f"    {source}-x{destination}: {_safe(words)} ✗ {_safe(arrow.lost)}"]
    style = "-->>" if "retransmission" in arrow.marks else "->>"
    return [*lines, f"    {source}{style}{destination}: {_safe(words)}"]


def _arrival(arrow: Arrow, names: list[str]) -> list[str]:
    return _note(names[arrow.destination], [each.text for each in arrow.ends])


def _note(name: str, texts: list[str]) -> list[str]:
    return [f"    Note over {name}: {'<br/>'.join([_safe(text) for text in texts])}"] if texts else []


def _safe(text: str) -> str:
    # Mermaid ends a statement at a semicolon or a hash.
    return text.replace("#", "#35;").replace(";", "#59;").replace("<", "#lt;").replace("#35;59;", "#59;")
