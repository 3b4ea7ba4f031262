"""Every script under tests/cases is a test: `pytest tests/test_cases.py -k passive_open`."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.packetdrill import run_script

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("script", sorted(CASES.rglob("*.pkt")), ids=lambda path: str(path.relative_to(CASES)))
def test_case(script: Path) -> None:
    result = run_script(script)
    assert result.passed, f"\n{result.failure}"
    assert not result.warnings
