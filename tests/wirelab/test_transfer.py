"""All bytes arrive, over loss, reordering, duplicates and a cut cable, between kernels and between a kernel and
netglass. `benchmarks/wire_lab.py` does it with 100 MB and a cut of 30 seconds."""

from __future__ import annotations

import pytest

from benchmarks.wire_lab import PAIRS, transfer
from netglass.times import MILLISECOND, SECOND

SIZE = 1_000_000
CUT = 500 * MILLISECOND


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("loss", ["1%", "5%"])
@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
def test_all_bytes_arrive(sender: str, receiver: str, loss: str):
    done = transfer(sender, receiver, SIZE, loss, CUT, 120 * SECOND)
    assert done.sent == done.received != "", done
    trouble = "\n".join(done.lines)
    for name in (f"loss {loss}", "partition", "reorder 2%", "duplication 1%"):
        assert name in trouble


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
def test_the_side_that_waited_for_a_connection_sends(sender: str, receiver: str):
    done = transfer(sender, receiver, SIZE, "1%", 0, 120 * SECOND, server="sender")
    assert done.sent == done.received != "", done
