"""What the README and the pages behind it show runs, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from netglass import faults, match
from netglass.lab.io import Datagrams, Io, Listener, Stream
from netglass.pytest_plugin.network import ObservedNetwork
from netglass.tcp import congestion
from netglass.trace import Ladder

pytest_plugins = "pytester"

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LAB = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")


(EXAMPLE,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(REPORT,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
PICTURE = ROOT / "docs" / "third-ack.svg"


def test_the_test_in_the_readme_fails_as_it_says(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makepyfile(EXAMPLE)
    # In a process of its own: programs change what the interpreter's modules hold while they run.
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    error, ladder = REPORT.split("\n", 1)
    assert ladder in result.stdout.str()
    assert error.split() in [line.split() for line in result.outlines]


def test_the_readme_s_first_example_has_ten_lines():
    assert len([line for line in EXAMPLE.splitlines() if line]) == 10


def picture() -> str:
    """What the test in the README does with more patience."""
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(EXAMPLE.replace("timeout=0.9", "timeout=2"), "README.md", "exec"), names)
    net = ObservedNetwork()
    names["test_the_mail_server_answers"](net)
    return Ladder.of(net.trace, end="1.07 s").svg(title="A mail server speaks first. The third ACK is lost.")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # ten lines have no room for closing
def test_the_picture_in_the_readme_is_what_happens():
    """`python -m tests.test_readme` draws it anew."""
    assert PICTURE.read_text(encoding="utf-8") == picture()


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


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
