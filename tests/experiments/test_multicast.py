"""multicast and igmp-leave: who hears what, and for how long."""

from __future__ import annotations

import pytest

from netglass.experiments import by_name
from netglass.times import MILLISECOND, SECOND


def test_members_hear_and_a_router_passes_on_what_may_leave_the_link():
    outcome = by_name("multicast").run()
    heard = outcome.figures["heard"]
    assert heard == {
        "sender": [True, True, True, True, False],
        "neighbour": [True] * 5,
        "member": [False, False, False, True, True],
        "outsider": [False] * 5,
    }
    assert outcome.figures["kept_on_the_link"] == 2
    assert outcome.figures["ttl_used_up"] == 1
    assert outcome.figures["forwarded"] == outcome.figures["outsider_dropped"] == 2
    assert "IGMP" in outcome.answer


def test_after_the_last_leave_the_router_asks_and_stops():
    figures = by_name("igmp-leave").run().figures
    assert 2 * SECOND <= figures["wasted"] <= 2 * SECOND + 500 * MILLISECOND
    assert figures["wasted_datagrams"] == 5
    assert figures["questions"] >= 2
    assert figures["longest_gap"] == 500 * MILLISECOND


@pytest.mark.parametrize("given", [{"silent": "yes"}, {"level": 1}])
def test_without_a_leave_it_goes_on_until_the_membership_is_too_old(given: dict[str, int | str]):
    short = by_name("igmp-leave").run(**given)
    assert short.figures["questions"] == 0
    assert not short.figures["stopped"]
    assert "260 s" in short.answer
    long = by_name("igmp-leave").run(**given, seconds=400).figures
    assert long["stopped"]
    assert 120 * SECOND < long["wasted"] < 261 * SECOND
