"""Every example in docs/ip.md runs, and says what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[2] / "docs" / "ip.md").read_text(encoding="utf-8")


def test_the_examples_run():
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) == 2
    names: dict[str, Any] = {}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"docs/ip.md, example {number}", "exec"), names)
    assert names["config"].ipfrag_high_thresh == 100_000


def test_the_counters_exist():
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "src" / "netglass").rglob("*.py"))
    first, *rest = re.findall(r"`(-?[a-z-]+)`", TEXT.partition("has a counter:")[2].partition("or that of")[0])
    assert first == "ip-fragment-duplicate"
    for name in rest:
        assert f'"{name if name.startswith("ip") else "ip-fragment" + name}"' in source, name
