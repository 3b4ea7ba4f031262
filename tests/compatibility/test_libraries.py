"""Libraries as they are, between two hosts, without loss and with it. `pip install '.[test,compat]'` brings them;
`python3 check.py --only compat` does so in an environment of its own."""

from __future__ import annotations

import gc

import pytest

from tests.compatibility.everything import SCENARIOS
from tests.compatibility.known import KNOWN
from tests.compatibility.scene import LOSSES, Scene
from tests.compatibility.write_docs import DOCUMENT

# What libraries warn of, and what their servers leave open when the run ends them, is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_for_others():
    yield
    gc.collect()  # here, where warnings are ignored


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each.name for each in SCENARIOS])
def test_works(request, scenario, loss):
    if missing := scenario.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    if reason := KNOWN.get((scenario.name, loss)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    scenario.play(Scene(loss))


def test_the_documentation_tells_of_each():
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == [each.name for each in SCENARIOS]


def test_known_failures_are_of_scenarios():
    assert {name for name, _ in KNOWN} <= {each.name for each in SCENARIOS}
