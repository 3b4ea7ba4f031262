"""What the README and the pages behind it show runs, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netglass import faults, match
from netglass.lab.io import Datagrams, Io, Listener, Stream
from netglass.tcp import congestion

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LAB = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")


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
        assert (ROOT / target).exists(), target


def test_the_examples_of_the_lab_run_one_after_another(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("netglass.tcp.congestion._CLASSES", dict(congestion._CLASSES))
    examples = re.findall(r"```python\n(.*?)```", LAB, re.DOTALL)
    assert len(examples) >= 7
    names: dict[str, object] = {"__name__": "lab"}
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"docs/lab.md, example {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "SYN,ACK seq=0 ack=1" in said
    assert "LISTEN" in said
    assert (tmp_path / "lab.pcapng").stat().st_size > 1000


@pytest.mark.parametrize("kind", [Io, Listener, Stream, Datagrams])
def test_the_page_tells_every_call(kind):
    calls = [name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))]
    inner = {"check", "deadline", "set_options", "wait"} if kind is not Io else set()
    if kind is Stream:
        inner.add("connect")  # io.connect is the one to use
    untold = [name for name in calls if name not in inner and not re.search(rf"`[^`]*\b{name}\(", LAB)]
    assert untold == []


@pytest.mark.parametrize("module", [faults, match])
def test_the_page_tells_every_fault_and_matcher(module):
    assert [name for name in module.__all__ if not re.search(rf"`[^`]*\b{name}\b", LAB)] == []
