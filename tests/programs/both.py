"""The same program on the real kernel's loopback and on a host of the lab: what it tells must be equal."""

from __future__ import annotations

import sys

import pytest

from netglass import Network
from netglass.programs.run import run

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="compares with the Linux that runs the tests")


def on_a_host(program, *args, **options):
    """The program's result on a host that talks to itself."""
    return run(Network(seed=1).host("alone"), program, *args, **options)


def both(program):
    """What `program` tells here, after comparing it with what it tells on the real kernel."""
    real = program()
    ours = on_a_host(program)
    if ours != real:
        pairs = zip(ours, real, strict=False) if isinstance(ours, (list, tuple)) else [(ours, real)]
        lines = [f"{place}: {mine!r}; Linux: {linux!r}" for place, (mine, linux) in enumerate(pairs) if mine != linux]
        pytest.fail("\n".join(lines) or f"{ours!r}; Linux: {real!r}")
    return ours


def told(call, *args):
    """The result, or the error as text: "BlockingIOError EAGAIN ..."."""
    try:
        return call(*args)
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'errno', '')} {error}"
