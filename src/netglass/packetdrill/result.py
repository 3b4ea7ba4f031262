"""What came of a script: passed, or the line, what it expects and what came instead."""

from __future__ import annotations

from dataclasses import dataclass


class Mismatch(Exception):  # noqa: N818 - not an error of the program: the outcome of a test
    """Something is not as the script says. `expected` and `got` are in the script's language."""

    def __init__(self, reason: str, expected: str = "", got: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected
        self.got = got
        self.line = 0  # where, if not at the event that is played now


@dataclass(frozen=True, slots=True)
class Failure:
    """One difference. `expected` and `got` are "" where `reason` says it all, as for a script that cannot be read."""

    path: str
    line: int
    reason: str
    expected: str = ""
    got: str = ""

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}: {self.reason}"
        if self.expected:
            text += f"\n  expected  {self.expected}\n  got       {self.got}"
        return text


@dataclass(frozen=True, slots=True)
class Result:
    """`warnings` are differences that --non_fatal forgives; `duration` is virtual time in nanoseconds."""

    path: str
    failure: Failure | None
    warnings: tuple[Failure, ...] = ()
    duration: int = 0

    @property
    def passed(self) -> bool:
        return self.failure is None

    def as_json(self) -> dict[str, object]:
        """Plain values, for json.dumps."""
        summary: dict[str, object] = {
            "path": self.path,
            "passed": self.passed,
            "duration_ns": self.duration,
            "warnings": [_plain(each) for each in self.warnings],
        }
        if self.failure is not None:
            summary["failure"] = _plain(self.failure)
        return summary


def _plain(failure: Failure) -> dict[str, object]:
    return {
        "line": failure.line,
        "reason": failure.reason,
        "expected": failure.expected,
        "got": failure.got,
    }
