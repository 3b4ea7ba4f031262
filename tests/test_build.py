"""The package as it is installed: pure or compiled, never a mixture."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Final

import netglass
from netglass.build import compiled
from netglass.world import World

INSTALLED: Final = Path(netglass.__file__).parent
ROOT: Final = Path(__file__).parent.parent


def core_modules() -> list[str]:
    core = ("times", "rng", "probe", "world", "wire", "tcp", "udp", "ip", "host", "network", "sockets", "lab")
    found = pkgutil.walk_packages(netglass.__path__, "netglass.")
    return [each.name for each in found if not each.ispkg and each.name.split(".")[1] in core]


def test_every_module_of_the_core_is_of_the_same_build() -> None:
    names = core_modules()
    assert "netglass.tcp.tcb" in names
    files = {name: importlib.import_module(name).__file__ or "" for name in names}
    suffix = ".so" if compiled() else ".py"
    assert [name for name, file in files.items() if not file.endswith(suffix)] == []


def test_the_pure_package_holds_no_shared_objects() -> None:
    objects = [] if compiled() else [*INSTALLED.rglob("*.so"), *INSTALLED.parent.glob("netglass__mypyc*.so")]
    assert objects == []


def test_errors_stay_ordinary_classes_in_both_builds() -> None:
    assert (importlib.import_module("netglass.errors").__file__ or "").endswith(".py")


def test_a_plug_in_from_outside_may_inherit_from_an_open_class() -> None:
    class Still(World):
        def now(self) -> int:
            return 7

        def run_next(self) -> bool:
            return False

        def wait(self, deadline: int) -> None:
            raise AssertionError("nobody waits here")

    assert Still().now() == 7


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert command in readme
