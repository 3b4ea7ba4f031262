"""How long each experiment of `netglass show` takes: python benchmarks/show.py

Wall seconds in this process, imports left out, ladder drawn as text. Last line: one JSON object.
"""

from __future__ import annotations

import json
import time

from netglass.build import compiled
from netglass.experiments import everything

BOUND_S = 2.0


def main() -> None:
    seconds: dict[str, float] = {}
    for experiment in everything():
        start = time.perf_counter()
        outcome = experiment.run()
        for part in outcome.parts:
            part.ladder().text()
        seconds[experiment.name] = time.perf_counter() - start
    width = max(len(name) for name in seconds)
    print(f"netglass ({'compiled' if compiled() else 'pure Python'}), seconds of each experiment")
    for name, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<{width}}  {taken:8.3f}{'  above the bound' if taken > BOUND_S else ''}")
    slowest = max(seconds, key=seconds.__getitem__)
    print(f"{len(seconds)} experiments, {sum(seconds.values()):.2f} s in all; the slowest is {slowest}")
    print(
        json.dumps(
            {
                "benchmark": "show",
                "experiments": len(seconds),
                "slowest_s": round(seconds[slowest], 3),
                "total_s": round(sum(seconds.values()), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
