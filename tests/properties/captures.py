"""Prints {seed: hash of the capture} of hostile cases and of the busy lab, for a process to compare with another.

python -m tests.properties.captures SEED...
"""

from __future__ import annotations

import hashlib
import json
import sys

from tests.differential import scenario
from tests.properties import hostile


def hashes(seeds: list[int]) -> dict[str, str]:
    found = {f"hostile {seed}": hostile.capture(hostile.drawn(seed)) for seed in seeds}
    found |= {f"busy {seed}": scenario.capture(seed) for seed in seeds[:2]}
    return {name: hashlib.sha256(capture).hexdigest() for name, capture in found.items()}


if __name__ == "__main__":
    print(json.dumps(hashes([int(each) for each in sys.argv[1:]])))
