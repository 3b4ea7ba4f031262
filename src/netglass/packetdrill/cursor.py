"""A place in a list of tokens, and the few questions that a recursive-descent parser asks."""

from __future__ import annotations

from netglass.packetdrill.lexer import INT, PUNCTUATION, WORD, Token
from netglass.packetdrill.script import ScriptError


class Cursor:
    """Reads tokens from left to right. `accept_*` moves on only if the token fits; `expect_*` complains if not."""

    __slots__ = ("_at", "_path", "_tokens")

    def __init__(self, tokens: list[Token], path: str) -> None:
        self._tokens = tokens
        self._path = path
        self._at = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    def ahead(self, count: int = 1) -> Token:
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def at_sign(self, text: str) -> bool:
        token = self._tokens[self._at]
        return token.kind == PUNCTUATION and token.text == text

    def at_word(self, *texts: str) -> bool:
        token = self._tokens[self._at]
        return token.kind == WORD and token.text in texts

    def accept_sign(self, text: str) -> bool:
        found = self.at_sign(text)
        if found:
            self._at += 1
        return found

    def accept_word(self, *texts: str) -> bool:
        found = self.at_word(*texts)
        if found:
            self._at += 1
        return found

    def accept(self, kind: str) -> Token | None:
        return self.next() if self.token.kind == kind else None

    def expect_sign(self, text: str) -> None:
        if not self.accept_sign(text):
            raise self.error(f"expected {text!r}, not {self.token}")

    def expect(self, kind: str, what: str = "") -> Token:
        if self.token.kind != kind:
            raise self.error(f"expected {what or kind}, not {self.token}")
        return self.next()

    def expect_integer(self, what: str, bits: int) -> int:
        """A number that fits into `bits` bits, without a sign."""
        token = self.expect(INT, what)
        number = int(token.text, 0) if token.text.startswith("0x") else int(token.text)
        if not 0 <= number < 1 << bits:
            raise self.error(f"{what} {number} does not fit into {bits} bits", token.line)
        return number

    def error(self, problem: str, line: int = 0) -> ScriptError:
        """What to raise: `problem` at `line`, or where the cursor stands."""
        return ScriptError(self._path, line or self.token.line, problem)
