"""Every script under tests/cases is a test: `pytest tests/test_cases.py -k passive_open`.

A script that does not say which version of IP it is about runs over both; over IPv6 with an MTU that keeps the MSS.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.packetdrill import Setting, run_script

CASES = Path(__file__).parent / "cases"
SCRIPTS = sorted(CASES.rglob("*.pkt"))
OF_EITHER_VERSION = [script for script in SCRIPTS if "--ip_version" not in script.read_text("utf-8")]


def named(script: Path) -> str:
    return str(script.relative_to(CASES))


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_case(script: Path) -> None:
    result = run_script(script)
    assert result.passed, f"\n{result.failure}"
    assert not result.warnings


@pytest.mark.parametrize("script", OF_EITHER_VERSION, ids=named)
def test_case_over_ipv6(script: Path) -> None:
    result = run_script(script, options=[Setting("ip_version", "ipv6", 0)])
    assert result.passed, f"\n{result.failure}"
    assert not result.warnings
