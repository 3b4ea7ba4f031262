"""Plays all scenarios and writes docs/compatibility.md: `python -m tests.compatibility.write_docs`."""

from __future__ import annotations

import platform
import sys
import warnings
from pathlib import Path
from typing import Final

from netglass.times import SECOND
from tests.compatibility.everything import SCENARIOS
from tests.compatibility.known import KNOWN
from tests.compatibility.scene import LOSSES, Scenario, Scene, version_of

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "compatibility.md"

HEAD: Final = """\
# Libraries that run on netglass

Written by `python -m tests.compatibility.write_docs` from what it saw; `tests/compatibility` holds the scenarios, and
`python3 check.py --only compat` runs them as tests. Each is a client and a server, the libraries as they are on PyPI,
between two hosts in virtual time, 10 ms apart. "ok" means that the client saw what it should; the time is what it
needed in the world, at a loss of 0 % and of 5 % of all packets in both directions.

Python {python}; {good} of {total} work at both.

| Scenario | Versions | What it does | 0 % | 5 % |
| --- | --- | --- | --- | --- |
"""


def play(scenario: Scenario, loss: float) -> tuple[str, str]:
    """What the table says, and if it failed why, in a line."""
    scene = Scene(loss)
    try:
        scenario.play(scene)
    except Exception as error:
        seen = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        return "**fails**", KNOWN.get((scenario.name, loss), seen)
    return f"ok, {scene.took / SECOND:.2f} s", ""


def main() -> int:
    warnings.simplefilter("ignore")
    rows: list[str] = []
    failures: list[str] = []
    good = 0
    for scenario in SCENARIOS:
        if missing := scenario.missing():
            print(f"not installed: {', '.join(missing)}; nothing written", file=sys.stderr)
            return 1
        versions = ", ".join([f"{each} {version_of(each)}" for each in scenario.packages]) or "standard library"
        told = [play(scenario, loss) for loss in LOSSES]
        good += not any(reason for _, reason in told)
        rows.append(f"| {scenario.name} | {versions} | {scenario.text} | {' | '.join([each for each, _ in told])} |")
        failures += [
            f"- {scenario.name}, {loss:.0%} loss: {reason}"
            for loss, (_, reason) in zip(LOSSES, told, strict=True)
            if reason
        ]
        print(rows[-1], flush=True)
    text = HEAD.format(python=platform.python_version(), good=good, total=len(SCENARIOS)) + "\n".join(rows) + "\n"
    text += "\n## What fails, and why\n\n" + ("\n".join(failures) or "Nothing of the above.") + "\n"
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
