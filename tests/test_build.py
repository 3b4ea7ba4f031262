"""The package as it is installed: pure or compiled, never a mixture."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import netglass
from netglass.build import compiled
from tests.test_architecture import MODULES, compiled_modules

INSTALLED: Final = Path(netglass.__file__).parent
ROOT: Final = Path(__file__).parent.parent


def test_every_module_of_the_core_is_of_the_same_build() -> None:
    names = [f"netglass.{each.name}" for each in compiled_modules(MODULES)]
    files = {name: importlib.import_module(name).__file__ or "" for name in names}
    suffix = ".so" if compiled() else ".py"
    assert [name for name, file in files.items() if not file.endswith(suffix)] == []


def test_the_pure_package_holds_no_shared_objects() -> None:
    objects = [] if compiled() else [*INSTALLED.rglob("*.so"), *INSTALLED.parent.glob("netglass__mypyc*.so")]
    assert objects == []


def test_errors_stay_ordinary_classes_in_both_builds() -> None:
    assert (importlib.import_module("netglass.errors").__file__ or "").endswith(".py")


def open_classes() -> list[tuple[str, str]]:
    """(module, class) of the core's classes that are marked as open to classes from outside."""
    return [
        (f"netglass.{module.name}", node.name)
        for module in compiled_modules(MODULES)
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and any("mypyc_attr" in ast.dump(each) for each in node.decorator_list)
    ]


@pytest.mark.parametrize(("module", "name"), open_classes())
def test_a_class_from_outside_may_inherit_from_an_open_class(module: str, name: str) -> None:
    base = getattr(importlib.import_module(module), name)
    assert issubclass(type("Outside", (base,), {}), base)


def readme_commands() -> list[str]:
    return [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command in readme_commands()


def test_the_first_command_of_the_readme_draws_a_handshake_and_a_close() -> None:
    command = next(line for line in readme_commands() if line.startswith("python3 -m venv"))
    netglass_command, *arguments = command.split("&&")[-1].split()
    installed = Path(sys.executable).parent / Path(netglass_command).name
    done = subprocess.run([installed, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("SYN-SENT", "ESTABLISHED", "FIN-WAIT-2", "LAST-ACK", "TIME-WAIT"))
