"""The neighbour cache under any sequence of events: what must hold whatever happens."""

from __future__ import annotations

import random

import pytest

from netglass.neighbor.cache import DELAY, FAILED, INCOMPLETE, PROBE, REACHABLE, NeighborCache
from netglass.neighbor.config import NeighborConfig
from netglass.rng import Rng
from netglass.times import NEVER, SECOND
from netglass.wire.ip import IpPacket

A = bytes([10, 0, 0, 1])
MACS = [bytes([2, 0, 0, 0, 0, each]) for each in range(3)]


def packet() -> IpPacket:
    return IpPacket(A, A, 17, b"")


class Model:
    """Keeps account of packets: each one waits, was sent, or has failed, once."""

    def __init__(self, seed: int) -> None:
        config = NeighborConfig()
        config.table_limit = 6
        config.queue_packets = 3
        self.cache = NeighborCache(config, Rng(seed))
        self.draw = random.Random(seed)
        self.now = 0
        self.given = self.sent = self.failed = self.refused = 0
        self.bound: dict[bytes, bytes] = {}

    def step(self) -> None:
        address = bytes([10, 0, 0, self.draw.randrange(9)])
        mac = self.draw.choice(MACS)
        match self.draw.randrange(8):
            case 0 | 1 | 2:
                self.send(address)
            case 3 | 4:
                self.learn(address, mac)
            case 5:
                self.pass_time(self.draw.choice([0, 1, SECOND, 6 * SECOND, 100 * SECOND]))
            case 6 if len(self.bound) < 3:
                self.cache.bind(address, mac, self.now)
                self.bound[address] = mac
                self.flush(address)
            case 7 if self.draw.random() < 0.2:
                self.cache.forget(address)
                self.bound.pop(address, None)
        self.poll()
        self.check()

    def send(self, address: bytes) -> None:
        self.given += 1
        if self.cache.mac_for(address, self.now):
            self.sent += 1
        elif self.cache.wait(address, packet(), self.now) is not None:
            self.refused += 1

    def learn(self, address: bytes, mac: bytes) -> None:
        draw = self.draw
        self.cache.learn(address, mac, self.now, draw.random() < 0.5, draw.random() < 0.5, draw.random() < 0.5)
        self.flush(address)

    def flush(self, address: bytes) -> None:
        entry = self.cache.entries.get(address)
        if entry is not None and entry.mac:
            self.sent += len(entry.queue)
            entry.queue.clear()

    def pass_time(self, span: int) -> None:
        end = self.now + span
        while self.cache.deadline <= end:
            self.now = self.cache.deadline
            self.cache.handle_timeout(self.now)
            self.poll()
        self.now = end

    def poll(self) -> None:
        while (entry := self.cache.poll_question()) is not None:
            assert entry.state in (INCOMPLETE, PROBE)
            assert bool(entry.mac) == (entry.state == PROBE)
        while (lost := self.cache.poll_lost()) is not None:
            assert lost not in self.bound
        while self.cache.poll_failed() is not None:
            self.failed += 1

    def check(self) -> None:
        cache = self.cache
        waiting = 0
        for address, entry in cache.entries.items():
            assert entry.address == address
            assert bool(entry.mac) == (entry.state not in (INCOMPLETE, FAILED))
            assert not entry.queue or entry.state == INCOMPLETE
            assert len(entry.queue) <= cache.config.queue_packets
            assert (entry.due < NEVER) == (entry.state in (INCOMPLETE, DELAY, PROBE))
            assert entry.due > self.now
            waiting += len(entry.queue)
        assert self.given == self.sent + self.failed + self.refused + waiting
        assert len(cache.entries) <= cache.config.table_limit + len(self.bound)
        for address, mac in self.bound.items():
            bound = cache.entries[address]
            assert (bound.mac, bound.state, bound.permanent) == (mac, REACHABLE, True)
        dues = [entry.due for entry in cache.entries.values() if entry.due < NEVER]
        assert cache.deadline == min(dues, default=NEVER)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens(seed: int) -> None:
    model = Model(seed)
    for _ in range(600):
        model.step()
    assert model.sent > 50
    assert model.failed > 5
    assert model.refused > 5
    model.pass_time(1000 * SECOND)
    assert model.cache.deadline == NEVER  # it comes to rest
