"""The build hook: a pure wheel by default; with NETGLASS_COMPILE=1 the core goes through mypyc, from the same sources.

    NETGLASS_COMPILE=1 pip wheel --no-deps --wheel-dir dist .

needs a C compiler and the headers of Python. All is done in a temporary directory, and the shared objects go from there
into the wheel: the tree stays clean, and a pure wheel can never pick one up. The sources go along, so that tracebacks
show lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = (
    "times",
    "rng",
    "counters",
    "errnos",
    "probe",
    "world",
    "wire",
    "tcp",
    "udp",
    "ip",
    "neighbor",
    "dhcp",
    "multicast",
    "host",
    "network",
    "sockets",
    "lab",
    "link",
    "drive",
)
"""The modules and packages of netglass that are compiled: the core and the lab, where the time goes.

Left out for a reason: `errors` (children of OSError must be ordinary classes), `build` (it knows both worlds),
`programs` (signals and its callers' frames must reach it; benchmarks/README.md says how little there is to gain)."""

INTERPRETED = ("lab/fault_text.py", "link/machine.py")
"""Of these packages, what stays as it is: the one asks modules for their names, the other pyroute2, which has no types
and may not be there."""

_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

files = sys.stdin.read().split()
# One library for all, so that calls between modules stay direct C calls, but a C file for each module: half the time to
# compile, a quarter of the memory, as fast when it runs. No debugging symbols, which only make it large.
options = {"group_name": "netglass", "multi_file": True, "opt_level": "2", "debug_level": "0"}
modules = mypycify(["--config-file=", *files], **options)
setup(name="netglass", packages=[], ext_modules=modules)
"""


def wanted() -> bool:
    return os.environ.get("NETGLASS_COMPILE", "") not in ("", "0")


def modules(package: Path) -> list[Path]:
    """The files to compile. A package's `__init__` stays as it is: it only names what others may import."""
    files = [package / f"{name}.py" for name in COMPILED if (package / f"{name}.py").exists()]
    for name in COMPILED:
        files += sorted(path for path in (package / name).rglob("*.py") if path.name != "__init__.py")
    left_out = [package / each for each in INTERPRETED]
    return [path for path in files if path not in left_out]


def compile_to(target: Path, source: Path) -> list[Path]:
    """Compile the package below `source` (a `src` directory). Returns the shared objects, all below `target`."""
    tree = target / "src"
    shutil.copytree(source, tree, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (tree / "setup.py").write_text(_SETUP)
    command = [
        sys.executable,
        "setup.py",
        "--quiet",
        "build_ext",
        "--build-lib",
        str(target / "out"),
        "--build-temp",
        str(target / "tmp"),
    ]
    files = [str(path.relative_to(tree)) for path in modules(tree / "netglass")]
    subprocess.run(command, cwd=tree, input="\n".join(files), text=True, check=True)
    return sorted((target / "out").rglob("*.so"))


class CompileHook(BuildHookInterface[Any]):
    """Adds the compiled core to a wheel, if asked."""

    def dependencies(self) -> list[str]:
        return ["mypy[mypyc]>=1.11", "setuptools>=70"] if wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable" or not wanted():
            return
        # Lives until the wheel is written; cleaned up as well if something fails on the way.
        self.scratch = tempfile.TemporaryDirectory(prefix="netglass-")
        objects = compile_to(Path(self.scratch.name), Path(self.root) / "src")
        out = Path(self.scratch.name) / "out"
        build_data["force_include"].update({str(path): str(path.relative_to(out)) for path in objects})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "scratch"):
            self.scratch.cleanup()
