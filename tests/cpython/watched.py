"""`python -m test ARGS`, and a line in a file for the beginning and the end of every test. A script for run.py."""

from __future__ import annotations

import faulthandler
import os
import runpy
import sys
import unittest
from typing import Any

INTERNET = (2, 10)  # AF_INET, AF_INET6


class Log:
    """Lines `begin ID`, `end ID`, `passed ID`, `skipped ID WHY`, `failed ID WHY`, `internet ID` (it opened
    such a socket)."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - open until the process ends
        self.test = ""
        self.outcome = ""

    def write(self, *words: str) -> None:
        self.file.write(" ".join(words).replace("\n", " ") + "\n")
        self.file.flush()

    def begin(self, test: Any) -> None:
        self.test = test.id()
        self.outcome = ""
        self.write("begin", self.test)

    def note(self, outcome: str, test: Any, why: str = "") -> None:
        if self.outcome != "failed":  # the first failure tells most
            self.outcome = outcome
            self.write(outcome, test.id(), why)

    def end(self, test: Any) -> None:
        if not self.outcome:
            self.write("failed", test.id(), "no outcome")
        self.write("end", self.test)
        self.test = ""

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.__new__" and self.test and args[1] in INTERNET:
            self.write("internet", self.test)


def told(error: Any) -> str:
    kind, value, trace = error
    where = ""
    while trace is not None:
        where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{kind.__name__}: {str(value)[:300]} ({where})"


def watch(log: Log) -> None:
    result: Any = unittest.TestResult
    before = {name: getattr(result, name) for name in vars(result) if not name.startswith("__")}

    def wrap(name: str, note: Any) -> None:
        def method(self: Any, test: Any, *args: Any) -> Any:
            note(test, *args)
            return before[name](self, test, *args)

        setattr(result, name, method)

    wrap("startTest", log.begin)
    wrap("stopTest", log.end)
    wrap("addSuccess", lambda test: log.note("passed", test))
    wrap("addExpectedFailure", lambda test, error: log.note("passed", test))
    wrap("addUnexpectedSuccess", lambda test: log.note("failed", test, "unexpected success"))
    wrap("addSkip", lambda test, why: log.note("skipped", test, why))
    wrap("addError", lambda test, error: log.note("failed", test, told(error)))
    wrap("addFailure", lambda test, error: log.note("failed", test, told(error)))
    wrap("addSubTest", lambda test, sub, error: log.note("failed", test, told(error)) if error else None)


if __name__ == "__main__":
    faulthandler.enable()
    log = Log(os.environ["WATCHED"])
    watch(log)
    if "netglass" not in sys.modules:
        sys.addaudithook(log.audit)
    sys.argv = ["test", *sys.argv[1:]]
    runpy.run_module("test", run_name="__main__", alter_sys=True)
