"""A terminal's cells: how many a text takes, lines of them, and their colours."""

from __future__ import annotations

from typing import Final
from unicodedata import east_asian_width

from netglass.trace.items import DROP, NOTE, QUEUE, STATE, TIMER

# Styles: what a cell means, and how ANSI says it.
PLAIN: Final = ""
DIM: Final = "dim"
LOST: Final = "lost"
MARK: Final = "mark"
_ANSI: Final[dict[str, str]] = {
    DIM: "2",
    LOST: "1;31",
    MARK: "33",
    STATE: "1",
    TIMER: "33",
    QUEUE: "36",
    DROP: "31",
    NOTE: "3",
    "syn": "32",
    "syn-ack": "32",
    "fin": "35",
    "rst": "31",
    "data": "34",
}


class Row:
    """One line of the drawing: cells and their styles."""

    def __init__(self, width: int) -> None:
        self.cells: list[str] = [" "] * width
        self.styles: list[str] = [PLAIN] * width

    def put(self, at: int, text: str, style: str = PLAIN) -> None:
        for letter in text:
            width = cells_of(letter)
            if at < 0 or at + width > len(self.cells):
                return
            self.cells[at] = " " if letter == "\xa0" else letter
            self.styles[at] = style
            if width == 2:
                self.cells[at + 1] = ""
                self.styles[at + 1] = style
            at += width

    def text(self, colour: bool) -> str:
        if not colour:
            return "".join(self.cells).rstrip()
        parts: list[str] = []
        current = PLAIN
        for cell, style in zip(self.cells, self.styles, strict=True):
            if style != current and cell != " ":
                parts.append(("\x1b[0m" if current else "") + (f"\x1b[{_ANSI[style]}m" if style in _ANSI else ""))
                current = style if style in _ANSI else PLAIN
            parts.append(cell)
        return "".join(parts).rstrip() + ("\x1b[0m" if current else "")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken at spaces, then after hyphens, then anywhere."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while width_of(line) > width:
            cut: int = _cut(line, width)
            lines.append(line[:cut])
            line = line[cut:]
    if line:
        lines.append(line)
    return lines or [""]


def _cut(word: str, width: int) -> int:
    fitting = 0
    used = 0
    for letter in word:
        used += cells_of(letter)
        if used > width:
            break
        fitting += 1
    hyphen = word.rfind("-", 0, fitting)
    return hyphen + 1 if hyphen > 0 else max(fitting, 1)


def cells_of(letter: str) -> int:
    return 2 if east_asian_width(letter) in "WF" else 1


def width_of(text: str) -> int:
    return len(text) if text.isascii() else sum([cells_of(letter) for letter in text])


_IN_ASCII: Final[dict[int, str]] = str.maketrans(
    {
        "µ": "u",
        "§": "sec. ",
        "–": "-",
        "—": "-",
        "…": "...",
        "×": "x",
        "→": "->",
        "·": "-",
        "’": "'",
        "≥": ">=",
        "≤": "<=",
    }
)


def in_ascii(text: str) -> str:
    """The same in seven bits; what has no such spelling becomes a question mark."""
    return text.translate(_IN_ASCII).encode("ascii", "replace").decode("ascii")
