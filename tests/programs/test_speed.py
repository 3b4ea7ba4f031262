"""What would make every run slow, and no result wrong."""

from __future__ import annotations

import netglass
from netglass import Network
from netglass.programs import patches


def an_empty_run():
    netglass.run(Network(seed=1).host("a"), lambda: None)


def test_a_run_searches_only_what_is_new_since_the_last():
    """What is replaced has to be the same objects in every run: for a new one all modules are searched again, which
    takes ten times as long as the rest of a small test."""
    an_empty_run()
    an_empty_run()
    known = dict(patches._ALIASES._known)
    an_empty_run()
    assert patches._ALIASES._known == known
    assert all(patches._ALIASES._known[name] is each for name, each in known.items())
