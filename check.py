#!/usr/bin/env python3
"""All checks, from a fresh clone, with Python alone: python3 check.py

Makes one environment with the pure package and one with the compiled package (below .check/), and runs ruff, mypy and
the tests in the first, then the tests again in the second. Without a C compiler the second half is left out, and the
summary says so.

--only compat makes a third one, with the libraries that tests/compatibility runs on the stack; the other two skip those
tests.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
SCRATCH = ROOT / ".check"


class Step(NamedTuple):
    name: str
    command: list[str]
    variable: tuple[str, str] = ("NETGLASS_COMPILE", "0")


def environment(name: str) -> Path:
    """The commands of the environment `name`, made if it is not there."""
    path = SCRATCH / name
    if not (path / "bin" / "python").exists():
        print(f"making {path.relative_to(ROOT)}", flush=True)
        venv.create(path, with_pip=True)
    return path / "bin"


def pure_steps(pytest_arguments: list[str]) -> list[Step]:
    commands = environment("pure")
    return [
        Step("install, pure", [f"{commands}/pip", "install", "-qq", f"{ROOT}[test]"]),
        Step("ruff check", [f"{commands}/ruff", "check", "."]),
        Step("ruff format", [f"{commands}/ruff", "format", "--check", "."]),
        Step("mypy", [f"{commands}/mypy"]),
        Step("tests, pure", [f"{commands}/python", "-m", "pytest", *pytest_arguments], ("NETGLASS_TEST_BUILD", "pure")),
    ]


def compiled_steps(pytest_arguments: list[str]) -> list[Step]:
    commands = environment("compiled")
    install = [f"{commands}/pip", "install", "-qq", f"{ROOT}[test]"]
    tests = [f"{commands}/python", "-m", "pytest", *pytest_arguments]
    return [
        Step("compile, install", install, ("NETGLASS_COMPILE", "1")),
        Step("tests, compiled", tests, ("NETGLASS_TEST_BUILD", "compiled")),
    ]


def compat_steps(pytest_arguments: list[str]) -> list[Step]:
    commands = environment("compat")
    tests = [f"{commands}/python", "-m", "pytest", "tests/compatibility", *pytest_arguments]
    return [
        Step("install, libraries", [f"{commands}/pip", "install", "-qq", f"{ROOT}[test,compat]"]),
        Step("tests, libraries", tests),
    ]


def why_not_compiled() -> str:
    """What this machine lacks to compile; empty if nothing."""
    if not shutil.which(os.environ.get("CC", "gcc")):
        return "no C compiler (gcc, or CC)"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return "no headers of Python"
    return ""


def run(step: Step) -> tuple[bool, str]:
    """Run one step, show what it prints. Returns whether it passed, and its line in the summary."""
    print(f"\n=== {step.name}", flush=True)
    start = time.monotonic()
    # No PYTHONPATH: the tests must see the installed package, not the tree.
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables.update([step.variable])
    passed = subprocess.run(step.command, cwd=ROOT, env=variables).returncode == 0
    return passed, f"{'ok  ' if passed else 'FAIL'}  {step.name:18} {time.monotonic() - start:6.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["pure", "compiled", "compat"], help="one of the environments")
    parser.add_argument("pytest_arguments", nargs="*", metavar="...", help="handed to pytest, after --")
    options = parser.parse_args()
    steps: list[Step] = []
    if options.only in (None, "pure"):
        steps += pure_steps(options.pytest_arguments)
    lacking = why_not_compiled() if options.only in (None, "compiled") else ""
    if options.only in (None, "compiled") and not lacking:
        steps += compiled_steps(options.pytest_arguments)
    if options.only == "compat":
        steps += compat_steps(options.pytest_arguments)
    results = [run(step) for step in steps]

    print("\n=== summary")
    print("\n".join(line for _, line in results))
    if lacking:
        print(f"left out: the compiled build, {lacking}")
    return 0 if all(passed for passed, _ in results) and not (options.only == "compiled" and lacking) else 1


if __name__ == "__main__":
    sys.exit(main())
