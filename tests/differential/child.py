"""Runs seeded labs in an interpreter of its own, and prints {seed: hash of the capture}.

    python -m tests.differential.child pure|compiled SEED...

A compiled wheel carries the sources too. `pure` takes those, so one environment runs both builds, and nothing but the
build differs between the two.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader


def take_sources_only() -> None:
    """From now on modules of netglass are imported from their sources, also where compiled ones lie beside them."""
    spec = importlib.util.find_spec("netglass")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = spec.submodule_search_locations[0]
    sources: Callable[[str], object] = FileFinder.path_hook((SourceFileLoader, SOURCE_SUFFIXES))

    def only_sources(path: str) -> object:
        if path != package and not path.startswith(package + os.sep):
            raise ImportError("not netglass")
        return sources(path)

    sys.path_hooks.insert(0, only_sources)  # type: ignore[arg-type]
    sys.path_importer_cache.clear()


def main(build: str, seeds: list[int]) -> None:
    if build == "pure":
        take_sources_only()
    from netglass.build import compiled

    if compiled() != (build == "compiled"):
        raise SystemExit(f"this is not the {build} build")

    from tests.differential.scenario import capture

    print(json.dumps({seed: hashlib.sha256(capture(seed)).hexdigest() for seed in seeds}))


if __name__ == "__main__":
    main(sys.argv[1], [int(each) for each in sys.argv[2:]])
