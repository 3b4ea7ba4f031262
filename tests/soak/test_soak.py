"""Five thousand short connections leave nothing behind. `benchmarks/soak.py` makes a hundred thousand."""

from __future__ import annotations

from benchmarks.soak import ENDINGS, PORTS, Soak, leak
from netglass.probe import Flow, Probe

CONNECTIONS = 4800


class States(Probe):
    """How often a state was entered."""

    def __init__(self) -> None:
        self.entered: dict[str, int] = {}

    def state_changed(self, host: str, flow: Flow, old: str, new: str, now: int) -> None:
        self.entered[new] = self.entered.get(new, 0) + 1


def test_five_thousand_connections_leave_nothing_behind():
    soak = Soak()
    soak.run(200)
    before = soak.left()
    soak.run(CONNECTIONS)
    assert leak(soak.left().grown(before), CONNECTIONS) == {}
    assert soak.connections == CONNECTIONS + 200
    assert before.sockets == before.ports == before.descriptors == 1  # the listener
    assert before.agenda == before.timers == 0


def test_every_ending_is_what_it_says():
    soak = Soak()
    states = States()
    soak.net.observe(states)
    soak.run(100 * len(ENDINGS))
    assert soak.ended == dict.fromkeys(ENDINGS, 100)
    # A connection closed from one side has one TIME-WAIT, one closed from both has two and came by CLOSING.
    assert states.entered["CLOSING"] == 200
    assert states.entered["TIME-WAIT"] == 400
    assert states.entered["LAST-ACK"] == 200
    # Every port was used again and again.
    assert soak.client.core.counters.counts == {"close-with-zero-linger": 100}
    assert len(ENDINGS) * 100 > 4 * PORTS
