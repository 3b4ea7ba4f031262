"""Seconds that each of the famous bugs takes in the lab, beside what it takes in the world.

    python benchmarks/famous_bugs.py

Runs the tests of `tests/compatibility/test_famous_bugs.py`; each twice, so that imports do not count. Those whose
library is missing are left out, by name (`pip install 'netglass[compat]'`). Exits with 1 if one takes a second or
more. The last line is one JSON object.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from netglass.build import compiled

BOUND_S: Final = 1.0
ROOT: Final = str(Path(__file__).parents[1])


def main() -> int:
    sys.path.insert(0, ROOT)
    from tests.compatibility import test_famous_bugs as bugs

    seconds: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, test in vars(bugs).items():
        if name.startswith("test_"):
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    test()
                    start = time.perf_counter()
                    test()
                    seconds[name.removeprefix("test_")] = time.perf_counter() - start
            except pytest.skip.Exception as reason:
                missing[name.removeprefix("test_")] = str(reason)
    width = max(len(name) for name in [*seconds, *missing])
    print(f"netglass ({'compiled' if compiled() else 'pure Python'}), Python {sys.version.split()[0]}, seconds")
    for name, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name.replace('_', ' '):<{width}} {taken:8.3f}{'  above the bound' if taken >= BOUND_S else ''}")
    for name, reason in missing.items():
        print(f"  {name.replace('_', ' '):<{width}}  left out: {reason}")
    slowest = max(seconds.values())
    figures = {"bugs": len(seconds), "left_out": len(missing), "slowest_s": round(slowest, 3)}
    print(json.dumps({"benchmark": "famous_bugs", **figures, "total_s": round(sum(seconds.values()), 3)}))
    return 1 if slowest >= BOUND_S else 0


if __name__ == "__main__":
    sys.exit(main())
