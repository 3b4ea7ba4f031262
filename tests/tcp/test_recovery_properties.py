"""Recovery under random fates: its counters against a recount, its judgement against RFC 6675 by brute force, and every
byte delivered in the end."""

from __future__ import annotations

import heapq

from hypothesis import given, settings
from hypothesis import strategies as st

from netglass.rng import ONE, Rng
from netglass.tcp import congestion
from netglass.tcp.config import TcpConfig
from netglass.tcp.recovery import Recovery
from netglass.tcp.recvbuf import ReceiveBuffer
from netglass.tcp.rtt import RttEstimator
from netglass.times import MILLISECOND, NEVER

MSS = 1000
START = 1_000_000


def sender(sack: bool, control: str = "reno") -> Recovery:
    config = TcpConfig()
    rtt = RttEstimator(config.initial_rto, config.rto_min, config.rto_max)
    recovery = Recovery(config, rtt, congestion.create(control, MSS, 10 * MSS), MSS, START)
    recovery.sack_ok = sack
    return recovery


def recount(recovery: Recovery) -> tuple[int, int, int]:
    """Bytes not sacked and not lost; sacked; lost. The ranges must tile what is unacknowledged."""
    flying = sacked = lost = 0
    position = recovery.una
    for item in recovery.ranges[recovery.head :]:
        assert item.start == position
        assert item.end > item.start
        assert not (item.sacked and item.lost)
        size = item.end - item.start
        position = item.end
        sacked += size if item.sacked else 0
        lost += size if item.lost else 0
        flying += 0 if item.sacked or item.lost else size
    assert position == recovery.nxt
    return flying, sacked, lost


class Peer:
    """Receives whole segments by number and acknowledges each."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.next = 0

    def receive(self, segment: int) -> list[tuple[int, int]]:
        """The SACK blocks of the ACK, the one with `segment` first."""
        if segment >= self.next:
            self.held.add(segment)
        while self.next in self.held:
            self.held.remove(self.next)
            self.next += 1
        blocks: list[tuple[int, int]] = []
        for each in sorted(self.held):
            if blocks and blocks[-1][1] == each:
                blocks[-1] = (blocks[-1][0], each + 1)
            else:
                blocks.append((each, each + 1))
        blocks.sort(key=lambda block: not block[0] <= segment < block[1])
        return blocks[:3]


FLYING, SACKED, LOST = "flying", "sacked", "lost"


class Model:
    """RFC 6675 over a list of whole segments, recomputed from nothing each time."""

    def __init__(self) -> None:
        self.una = 0
        self.state: list[str] = []
        self.again: list[int] = []

    def send(self, count: int) -> None:
        self.state += [FLYING] * count
        self.again += [0] * count

    def acknowledge(self, una: int, blocks: list[tuple[int, int]]) -> None:
        self.una = max(self.una, una)
        news = False
        for left, right in blocks:
            for segment in range(max(left, self.una), right):
                news = news or self.state[segment] != SACKED
                self.state[segment] = SACKED
        if news:
            for segment in range(self.una, len(self.state)):
                above = self.state[segment + 1 :].count(SACKED)
                if self.state[segment] == FLYING and not self.again[segment] and above >= 3:
                    self.state[segment] = LOST

    def time_out(self) -> None:
        out = range(self.una, len(self.state))
        if self.state[self.una] == SACKED:
            for segment in out:
                self.state[segment] = LOST
        for segment in out:
            if self.state[segment] == FLYING:
                self.state[segment] = LOST

    def resend(self, segment: int) -> None:
        assert self.state[segment] == LOST
        assert LOST not in self.state[self.una : segment]
        self.state[segment] = FLYING
        self.again[segment] += 1

    def bytes_in(self, state: str) -> int:
        return self.state[self.una :].count(state) * MSS


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 12)),
        st.tuples(st.just("send together"), st.integers(1, 12)),
        st.tuples(st.just("arrive"), st.integers(0, 30)),
        st.tuples(st.just("arrive"), st.integers(0, 3)),
        st.tuples(st.just("old ack"), st.integers(0, 50)),
        st.tuples(st.just("resend"), st.integers(1, 5)),
        st.tuples(st.just("time out"), st.just(0)),
        st.tuples(st.just("renege"), st.just(0)),
    ),
    min_size=30,
    max_size=120,
)


@given(STEPS)
def test_sack_recovery_judges_as_rfc_6675_does(steps):
    recovery = sender(sack=True)
    model = Model()
    peer = Peer()
    acks: list[tuple[int, list[tuple[int, int]]]] = []
    now = 0

    def arrived(una: int, blocks: list[tuple[int, int]]) -> None:
        # A reordered ACK: what it says below una is old, the rest is still true.
        una = max(una, model.una)
        sane = [(left, right) for left, right in blocks if right > una]
        duplicate = una == model.una
        sacks = tuple((START + left * MSS, START + right * MSS) for left, right in sane)
        recovery.ack_arrived(START + una * MSS, sacks, duplicate, -1, True, now)
        model.acknowledge(una, sane)

    for name, number in steps:
        now += MILLISECOND
        out = len(model.state) - model.una
        if name.startswith("send"):
            together = number if name == "send together" else 1
            for _ in range(0, number, together):
                recovery.record_sent(recovery.nxt, recovery.nxt + together * MSS, now)
            model.send(number)
        elif name == "arrive" and out:
            blocks = peer.receive(model.una + number % out)
            acks.append((peer.next, blocks))
            arrived(peer.next, blocks)
        elif name == "old ack" and acks:
            arrived(*acks[-1 - number % len(acks)])
        elif name == "resend":
            for _ in range(number):
                due = recovery.retransmission_due()
                if due is None:
                    break
                recovery.record_retransmission(due.start, due.start + MSS, now)
                model.resend((due.start - START) // MSS)
        elif name == "time out" and out:
            recovery.timed_out(now)
            model.time_out()
        elif name == "renege":
            peer.held.clear()
        counted = (model.bytes_in(FLYING), model.bytes_in(SACKED), model.bytes_in(LOST))
        assert (recovery.in_flight, recovery.sacked, recovery.lost) == counted == recount(recovery)


BYTE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 9000), st.just(0)),
        st.tuples(st.just("ack"), st.integers(0, 4000), st.just(0)),
        st.tuples(st.just("duplicate"), st.integers(1, 5), st.just(0)),
        st.tuples(st.just("sack"), st.integers(0, 20_000), st.integers(1, 9000)),
        st.tuples(st.just("resend"), st.integers(1, 1500), st.just(0)),
        st.tuples(st.just("time out"), st.just(0), st.just(0)),
        st.tuples(st.just("shrink"), st.integers(300, 999), st.just(0)),
    ),
    min_size=30,
    max_size=120,
)


@given(BYTE_STEPS, st.booleans())
def test_no_byte_gets_lost_from_the_scoreboard(steps, sack):
    """Whatever the sizes, whatever the peer claims: the counters agree with a recount and never fall below zero."""
    recovery = sender(sack)
    now = 0
    for name, first, second in steps:
        now += MILLISECOND
        out = recovery.nxt - recovery.una
        if name == "send":
            recovery.record_sent(recovery.nxt, recovery.nxt + first, now)
        elif name == "ack" and out:
            size = min(first, out)
            assert recovery.ack_arrived(recovery.una + size, (), size == 0, -1, True, now) == size
        elif name == "duplicate" and out:
            for _ in range(first):
                recovery.ack_arrived(recovery.una, (), True, -1, True, now)
        elif name == "sack" and out:
            left = recovery.una + first % out
            block = (left, min(left + second, recovery.nxt))
            recovery.ack_arrived(recovery.una, (block,), True, -1, True, now)
        elif name == "resend":
            due = recovery.retransmission_due()
            if due is not None:
                assert due.start >= recovery.una
                recovery.record_retransmission(due.start, min(due.end, due.start + first), now)
        elif name == "time out":
            recovery.timed_out(now)
        elif name == "shrink":
            recovery.mss = first
            recovery.path_shrank(now)
        flying, sacked, lost = recount(recovery)
        assert (recovery.sacked, recovery.lost) == (sacked, lost)
        assert 0 <= recovery.in_flight <= flying
        assert recovery.in_flight == flying or not sack
        assert recovery.outstanding() == (recovery.nxt > recovery.una)
    if recovery.outstanding():
        recovery.ack_arrived(recovery.nxt, (), False, -1, True, now)
    assert (recovery.in_flight, recovery.sacked, recovery.lost) == (0, 0, 0)


class Path:
    """A sender and a receiver with a bad network between them; one way takes 20 ms and a bit."""

    def __init__(self, seed: int, loss: int, sack: bool, control: str, together: int) -> None:
        self.recovery = sender(sack, control)
        self.received = ReceiveBuffer(START)
        self.rng = Rng(seed)
        self.loss = loss  # percent, both ways
        self.together = together  # segments sent as one
        self.now = 0
        self.timer = NEVER
        self.backoff = 0
        self.events: list[tuple[int, int, int, int, tuple[tuple[int, int], ...]]] = []

    def put(self, start: int, end: int, sacks: tuple[tuple[int, int], ...] = ()) -> None:
        if self.rng.chance(ONE * self.loss // 100):
            return
        copies = 2 if self.rng.chance(ONE // 50) else 1
        for _ in range(copies):
            delay = 20 * MILLISECOND + self.rng.below(5 * MILLISECOND)
            heapq.heappush(self.events, (self.now + delay, self.rng.u32(), start, end, sacks))

    def send(self, total: int) -> None:
        recovery = self.recovery
        while (due := recovery.retransmission_due()) is not None:
            end = min(due.end, due.start + MSS)
            recovery.record_retransmission(due.start, end, self.now)
            self.put(due.start, end)
        while recovery.nxt < START + total * MSS and recovery.send_allowance() >= MSS:
            whole = min(recovery.send_allowance() // MSS, self.together) * MSS
            end = min(recovery.nxt + whole, START + total * MSS)
            for start in range(recovery.nxt, end, MSS):
                self.put(start, min(start + MSS, end))
            recovery.record_sent(recovery.nxt, end, self.now)
        if self.timer == NEVER and recovery.outstanding():
            self.timer = self.now + recovery.rtt.backed_off(self.backoff)

    def step(self) -> None:
        """The next event: a segment, an ACK, or the timer."""
        if not self.events or self.timer < self.events[0][0]:
            self.now = self.timer
            self.backoff += 1
            self.recovery.timed_out(self.now)
            self.timer = self.now + self.recovery.rtt.backed_off(self.backoff)
            return
        self.now, _, start, end, sacks = heapq.heappop(self.events)
        if end > start:
            self.received.insert(start, (bytes(end - start),), end - start)
            self.put(self.received.next, 0, self.received.sack_blocks(3))
        elif start >= self.recovery.una:
            duplicate = start == self.recovery.una
            if self.recovery.ack_arrived(start, sacks, duplicate, -1, True, self.now):
                self.backoff = 0
                self.timer = self.now + self.recovery.rtt.rto if self.recovery.outstanding() else NEVER


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1 << 30),
    loss=st.sampled_from([0, 1, 5, 20, 40]),
    sack=st.booleans(),
    control=st.sampled_from(["cubic", "reno"]),
    together=st.sampled_from([1, 4, 44]),
)
def test_everything_arrives_in_the_end(seed, loss, sack, control, together):
    total = 300
    path = Path(seed, loss, sack, control, together)
    steps = 0
    path.send(total)
    while path.recovery.una < START + total * MSS:
        path.step()
        path.send(total)
        steps += 1
        assert steps < 200 * total, "it stands still"
    assert path.received.readable == total * MSS
    assert (path.recovery.in_flight, path.recovery.sacked, path.recovery.lost) == (0, 0, 0)
