"""From text to tokens. A script is a head of `--options`, then events; `--define=NAME=value` replaces words in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from netglass.packetdrill.script import ScriptError, Setting

INT: Final = "integer"
DECIMAL: Final = "decimal number"
WORD: Final = "word"
TEXT: Final = "text in quotes"
COMMAND: Final = "command in backquotes"
CODE: Final = "code"
ELLIPSIS: Final = "..."
PUNCTUATION: Final = "sign"
END: Final = "end of the script"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is without the quotes; `line` is where the token begins."""

    kind: str
    text: str
    line: int

    def __str__(self) -> str:
        return self.kind if self.kind == END else repr(self.text)


_SKIP: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|\A#![^\n]*)+", re.DOTALL)
_SETTING: Final = re.compile(r"--(\w+)(?:=(\w+=\"[^\"]*\"|\w+=`[^`]*`|\"[^\"]*\"|[^\s]+))?")
_TOKEN: Final = re.compile(
    r"""
      (?P<code>%\{.*?\}%)
    | `(?P<command>(?:\\.|[^`\\])*)`
    | "(?P<text>(?:\\.|[^"\\])*)"
    | (?P<ellipsis>\.\.\.)
    | (?P<decimal>-?[0-9]*\.[0-9]+)
    | (?P<integer>0x[0-9a-fA-F]+(?!\w)|-?[0-9]+(?!\w))
    | (?P<word>\w+)
    | (?P<sign>\S)
    """,
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_KINDS: Final = {
    "code": CODE,
    "command": COMMAND,
    "text": TEXT,
    "ellipsis": ELLIPSIS,
    "decimal": DECIMAL,
    "integer": INT,
    "word": WORD,
    "sign": PUNCTUATION,
}


def settings(text: str) -> tuple[tuple[Setting, ...], int]:
    """The options at the head of a script, and where its events begin."""
    found: list[Setting] = []
    at = _skip(text, 0)
    while match := _SETTING.match(text, at):
        value = match[2] or ""
        if value.startswith('"'):
            value = value[1:-1]
        found.append(Setting(match[1], value, _line(text, at)))
        at = _skip(text, match.end())
    return tuple(found), at


def tokens(text: str, start: int, defines: dict[str, str], path: str) -> list[Token]:
    """All tokens from `start` on; the last one is END. Words that `defines` names are replaced."""
    found: list[Token] = []
    at = _skip(text, start)
    line = _line(text, at)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match["sign"] in ('"', "`"):
            raise ScriptError(path, line, f"the quotation that begins with {text[at : at + 12]!r} has no end")
        found += _replaced(match, line, defines, path)
        end = _skip(text, match.end())
        line += text.count("\n", at, end)
        at = end
    found.append(Token(END, "", line))
    return found


def _replaced(match: re.Match[str], line: int, defines: dict[str, str], path: str) -> list[Token]:
    group = match.lastgroup or "sign"
    value = match[group]
    if group == "code":
        value = value[2:-2].strip(" \t")
    if group != "word" or value not in defines:
        return [Token(_KINDS[group], value, line)]
    # A definition is read like the script itself, so that it may be a number, a text, a command or several words.
    others = {name: text for name, text in defines.items() if name != value}
    return [Token(token.kind, token.text, line) for token in tokens(defines[value], 0, others, path)[:-1]]


def _skip(text: str, at: int) -> int:
    match = _SKIP.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
