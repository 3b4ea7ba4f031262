"""What the README shows runs, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_program_in_the_readme_runs(capsys):
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    exec(compile(found[1], "README.md", "exec"), {"__name__": "readme"})
    said = capsys.readouterr().out
    assert "b'you said hello'" in said
    assert "lost: drop third ACK" in said
    assert said.count("ESTABLISHED") >= 2


def test_links_in_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target
