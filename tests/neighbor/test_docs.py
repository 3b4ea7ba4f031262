"""Every example in docs/ethernet.md runs, and says what happens."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = (Path(__file__).parents[2] / "docs" / "ethernet.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys):
    examples = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert len(examples) == 3
    names: dict[str, object] = {"__name__": "ethernet"}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"docs/ethernet.md, example {number}", "exec"), names)
    assert "10.0.0.2  eth0  02:00:00:00:02:00  REACHABLE" in capsys.readouterr().out
