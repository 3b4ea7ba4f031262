"""What docs/programs.md shows runs, and says what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = "pytester"

DOCS = (Path(__file__).parents[2] / "docs" / "programs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (.*?)$|```python\n(.*?)```", "## Begin\n" + DOCS, re.DOTALL | re.MULTILINE)
SAID = {
    "Begin": ["(b'HELLO', 1.08"],
    "asyncio": [r"b'HELLO\n'"],
    "Deadlocks": ["2 tasks wait for each other: ", "worker on bank waits for the lock made at", "circular wait"],
    "What programs ask of the machine": ["select() returns server  slept 1.02 s", "1020000000"],
    "The fence": ["os.system(b'true') was refused"],
}


def programs() -> dict[str, str]:
    """The heading -> the program below it."""
    found, heading = {}, ""
    for title, code in BLOCKS:
        heading = title or heading
        if code:
            assert heading not in found
            found[heading] = code
    return found


@pytest.mark.parametrize("heading", SAID)
def test_a_program_of_the_docs_does_what_they_say(heading, capsys):
    exec(compile(programs()[heading], "programs.md", "exec"), {"__name__": "programs"})
    said = capsys.readouterr().out
    for text in SAID[heading]:
        assert text in said


def test_no_program_is_forgotten():
    assert programs().keys() == {*SAID, "In pytest"}


def test_the_test_of_the_docs_passes(pytester):
    pytester.makepyfile(programs()["In pytest"])
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
