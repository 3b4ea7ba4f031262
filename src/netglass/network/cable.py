"""A cable: two ends, and for each direction a delay, a rate, a queue before the rate, jitter and faults. Sans-I/O: it
says what arrives when.

Nothing happens at the end of a transmission, so there is no event for it: a packet that is given to a cable at `now`
leaves its sender at max(now, when the one before has left) + its bits / rate, reaches the far end `delay` later, and
all of it is known at once, in integers. A transmission time that is not whole nanoseconds is rounded up: no cable is
faster than it says.

The order of things for one packet: its size against the MTU, the queue, the wire with its faults, the delay. What the
queue refuses the faults never see. Packets arrive in the order in which they were sent, whatever the jitter, unless
`reorders` is set; one that a fault delayed is overtaken.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.counters import Counters
from netglass.errors import MisuseError
from netglass.network.fault import PASS, Fault, Names, Verdict
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.times import NEVER, human
from netglass.wire.ethernet import ETHERNET_HEADER, VLAN_TAG, EthernetFrame, frame_bytes, frame_header
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_bytes, packet_size

Unit = IpPacket | EthernetFrame
"""What goes into a cable: packets if it is point-to-point, frames if it is Ethernet."""
Item = IpPacket | EthernetFrame | bytes
"""What arrives: the packet or frame itself, or its bytes if something on the way needed bytes."""
Delivery = tuple[int, int, Item]
"""(arrival time, end: 0 for a, 1 for b, what arrives there)"""

QUEUE_PACKETS: Final = 1000
"""The default queue; Linux's txqueuelen."""
_BIT_TIME: Final = 8_000_000_000  # byte times nanoseconds a second: divided by bits per second


class Tally:
    """The numbers that transmissions of one network have in the order in which they happen, and who is told."""

    __slots__ = ("count", "probe")

    def __init__(self) -> None:
        self.count: int = 0
        self.probe: Probe | None = None


class Lane:
    """One direction of a cable. Its attributes may be changed while packets are under way: those keep the times that
    they were given."""

    __slots__ = (
        "_jitter_rng",
        "_leaving",
        "_rng",
        "_streams",
        "busy_until",
        "counters",
        "delay",
        "destination",
        "far",
        "faults",
        "jitter",
        "last_arrival",
        "link",
        "mtu",
        "offered",
        "offload",
        "plain",
        "queue_bytes",
        "queue_packets",
        "rate_bps",
        "reorders",
        "return_delay",
        "serialise",
        "source",
        "tally",
    )

    def __init__(self, link: str, source: str, destination: str, far: int, tally: Tally, rng: Rng) -> None:
        self.link: str = link
        self.source: str = source  # names, for the trace
        self.destination: str = destination
        self.far: int = far  # 1 if this lane leads from a to b
        self.tally: Tally = tally
        # What the cable is like. 0 means: none, no limit.
        self.delay: int = 0
        self.return_delay: int = 0  # of the other direction: how long an answer from the far end takes
        self.jitter: int = 0
        self.rate_bps: int = 0
        self.queue_packets: int = QUEUE_PACKETS  # that wait behind the one on its way out; -1: bytes are counted
        self.queue_bytes: int = -1  # that have not left yet; -1: packets are counted
        self.mtu: int = 1500
        self.offload: bool = False  # super-segments pass whatever the MTU
        self.reorders: bool = False
        self.serialise: bool = False
        self.faults: list[Fault] = []
        self.plain: bool = True  # nothing but `transit` is needed
        # What it is doing.
        self.offered: int = 0  # packets given to it: the next one's number
        self.busy_until: int = 0
        self.last_arrival: int = 0
        self.counters: Counters = Counters()
        self._leaving: deque[int] = deque()  # departure times of those that have not left; kept if packets are counted
        self._rng: Rng = rng
        self._jitter_rng: Rng = rng.stream("jitter")
        self._streams: list[Rng] = []  # one for each fault

    # -- faults

    def attach(self, fault: Fault, names: Names) -> None:
        """Adds `fault` behind those that are there."""
        fault.attach(names)
        # By name, not by place in the list: a fault put before this one must not change what this one draws.
        twins = [each for each in self.faults if each.name == fault.name]
        self.faults.append(fault)
        self._streams.append(self._rng.stream("fault", fault.name, len(twins)))
        self.plain = False

    def detach(self, fault: Fault) -> None:
        """Takes `fault` away, if it is here."""
        for place, each in enumerate(self.faults):
            if each is fault:
                del self.faults[place]
                del self._streams[place]
                break
        self.plain = not self.faults and not self.serialise

    # -- packets

    def transit(self, packet: Unit, now: int) -> int:
        """For a `plain` lane: when `packet` arrives, NEVER if the queue refuses it."""
        arrival = self._admit(packet, now)
        if arrival != NEVER and self.tally.probe is not None:
            self._tell(self.source, self.destination, packet, None, now, arrival, "")
        return arrival

    def carry(self, packet: Unit, now: int) -> list[Delivery]:
        """For any lane: what arrives where and when, because of `packet`."""
        number = self.offered
        arrival = self._admit(packet, now)
        if arrival == NEVER:
            return []
        frame: bytes | None = None  # what a fault made of the packet; of a frame, of what is in it
        copies = 0
        delay = 0
        answers: list[IpPacket] = []
        notes: list[str] = []
        for fault, stream in zip(self.faults, self._streams, strict=True):
            verdict = _judge(fault, packet, now, stream.keyed(number))
            if verdict is PASS:
                continue
            if not isinstance(verdict, Verdict):
                raise MisuseError(f'a fault\'s judge() returns PASS or a Verdict; "{fault.name}" returned {verdict!r}')
            fault.fired += 1
            notes.append(fault.name)
            if verdict.answer is not None:
                answers.append(verdict.answer)
            if verdict.drop:
                return self._lost(packet, now, arrival, fault.name, notes, answers)
            if verdict.packet is not None:
                packet = _replaced(packet, verdict.packet)
            frame = _frame_after(verdict, frame)
            delay += verdict.delay
            copies += verdict.duplicates
        return self._deliver(packet, frame, now, arrival + delay, copies, answers, " + ".join(notes))

    def _admit(self, packet: Unit, now: int) -> int:
        """The size, the queue and the rate: when the packet arrives if nothing happens on the wire, or NEVER."""
        self.offered += 1
        size = packet.size or _reckon(packet)
        if size > self.mtu and not self.offload and not self._fits_tagged(packet):
            return self._refuse(packet, "mtu-exceeded", now)
        departure = now
        if self.rate_bps:
            if self.busy_until > now:
                if self._is_full(size, now):
                    return self._refuse(packet, "queue-full", now)
                departure = self.busy_until
            else:
                self._leaving.clear()
            departure += -(-size * _BIT_TIME // self.rate_bps)
            self.busy_until = departure
            if self.queue_packets >= 0:
                self._leaving.append(departure)
        arrival = departure + self.delay
        if self.jitter:
            arrival += self._jitter_rng.keyed(self.offered).u64() % (self.jitter + 1)
        if arrival < self.last_arrival and not self.reorders:
            arrival = self.last_arrival
        self.last_arrival = arrival
        return arrival

    def _fits_tagged(self, packet: Unit) -> bool:
        """A VLAN tag is not counted (IEEE 802.3 §3.2.7)."""
        return isinstance(packet, EthernetFrame) and packet.tag >= 0 and packet.size - VLAN_TAG <= self.mtu

    def _is_full(self, size: int, now: int) -> bool:
        if self.queue_packets < 0:
            unsent = -(-(self.busy_until - now) * self.rate_bps // _BIT_TIME)
            return unsent + size > self.queue_bytes
        leaving = self._leaving
        while leaving and leaving[0] <= now:
            leaving.popleft()
        return len(leaving) > self.queue_packets

    def _refuse(self, packet: Unit, reason: str, now: int) -> int:
        self.counters.add(reason)
        self._tell(self.source, self.destination, packet, None, now, NEVER, reason)
        return NEVER

    def _lost(
        self, packet: Unit, now: int, arrival: int, name: str, notes: list[str], answers: list[IpPacket]
    ) -> list[Delivery]:
        self.counters.add(name)
        self._tell(self.source, self.destination, packet, None, now, NEVER, " + ".join(notes))
        return [self._answer(_backwards(packet, answer), arrival, name) for answer in answers]

    def _deliver(
        self,
        packet: Unit,
        frame: bytes | None,
        now: int,
        arrival: int,
        copies: int,
        answers: list[IpPacket],
        note: str,
    ) -> list[Delivery]:
        if frame is not None and isinstance(packet, EthernetFrame):
            frame = frame_header(packet) + frame
        _reckon(packet)
        if self.serialise and frame is None:
            frame = _bytes_of(packet)
        item: Item = packet if frame is None else frame
        out: list[Delivery] = []
        for _ in range(copies + 1):
            self._tell(self.source, self.destination, packet, frame, now, arrival, note)
            out.append((arrival, self.far, item))
        out += [self._answer(_backwards(packet, answer), arrival, note) for answer in answers]
        return out

    def _answer(self, answer: Unit, sent: int, note: str) -> Delivery:
        """A packet from a middlebox at the far end, to the end that this lane comes from. It waits in no queue."""
        _reckon(answer)
        frame = _bytes_of(answer) if self.serialise else None
        arrival = sent + self.return_delay
        self._tell(self.destination, self.source, answer, frame, sent, arrival, note)
        return arrival, 1 - self.far, answer if frame is None else frame

    def _tell(
        self, source: str, destination: str, packet: Unit, frame: bytes | None, sent: int, arrival: int, note: str
    ) -> None:
        probe = self.tally.probe
        if probe is None:
            return
        self.tally.count += 1
        if isinstance(packet, IpPacket):
            probe.carried(self.link, source, destination, self.tally.count, packet, frame, sent, arrival, note)
        else:
            probe.frame_carried(self.link, source, destination, self.tally.count, packet, frame, sent, arrival, note)


# -- packets and frames alike


def _reckon(unit: Unit) -> int:
    return packet_size(unit) if isinstance(unit, IpPacket) else unit.size


def _bytes_of(unit: Unit) -> bytes:
    return packet_bytes(unit) if isinstance(unit, IpPacket) else frame_bytes(unit)


def _judge(fault: Fault, unit: Unit, now: int, rng: Rng) -> Verdict:
    """Faults look at IP packets, also at those in frames."""
    if isinstance(unit, IpPacket):
        return fault.judge(unit, now, rng)
    packet = unit.payload
    return fault.judge(packet, now, rng) if isinstance(packet, IpPacket) else fault.judge_frame(unit, now, rng)


def _replaced(unit: Unit, packet: IpPacket) -> Unit:
    """`packet` in the place of `unit`, or of what is in it."""
    return packet if isinstance(unit, IpPacket) else EthernetFrame(unit.destination, unit.source, packet, tag=unit.tag)


def _backwards(unit: Unit, answer: IpPacket) -> Unit:
    """`answer` on its way to where `unit` came from."""
    return answer if isinstance(unit, IpPacket) else EthernetFrame(unit.source, unit.destination, answer, tag=unit.tag)


def _frame_after(verdict: Verdict, frame: bytes | None) -> bytes | None:
    """The bytes after one more verdict: a replaced packet has none yet."""
    if verdict.frame is not None:
        return verdict.frame
    return None if verdict.packet is not None else frame


class Cable:
    """Two lanes between the ends named `a` and `b`."""

    __slots__ = ("_twins", "a", "b", "ethernet", "lanes", "name", "names")

    def __init__(self, name: str, a: str, b: str, tally: Tally, rng: Rng, names: Names, ethernet: bool = False) -> None:
        self.name: str = name
        self.ethernet: bool = ethernet  # it carries frames, not packets
        self.a: str = a
        self.b: str = b
        self.names: Names = names
        self._twins: list[tuple[Fault, Fault]] = []  # (judge of a to b, judge of b to a)
        self.lanes: tuple[Lane, Lane] = (
            Lane(name, a, b, 1, tally, rng.stream("cable", name, "a-b")),
            Lane(name, b, a, 0, tally, rng.stream("cable", name, "b-a")),
        )

    def __repr__(self) -> str:
        faults = "".join([f", {fault.name}" for fault, _ in self._twins])
        return f"<cable {self.name}: {human(self.lanes[0].delay)} one way{faults}>"

    def set_delay(self, delay: int, jitter: int = 0, reorders: bool = False) -> None:
        """Nanoseconds one way; jitter adds up to so much, drawn for each packet."""
        for lane in self.lanes:
            lane.delay = delay
            lane.return_delay = delay
            lane.jitter = jitter
            lane.reorders = reorders

    def set_rate(self, rate_bps: int, queue_packets: int = QUEUE_PACKETS, queue_bytes: int = -1) -> None:
        """Bits per second, 0 for no limit; one of the queue limits is -1."""
        for lane in self.lanes:
            lane.rate_bps = rate_bps
            lane.queue_packets = queue_packets
            lane.queue_bytes = queue_bytes

    def set_size(self, mtu: int, offload: bool = False) -> None:
        """`mtu` is that of IP; an Ethernet cable carries so much in each frame."""
        for lane in self.lanes:
            lane.mtu = mtu + (ETHERNET_HEADER if self.ethernet else 0)
            lane.offload = offload

    def set_serialise(self, serialise: bool) -> None:
        """True: every packet travels as bytes."""
        for lane in self.lanes:
            lane.serialise = serialise
            lane.plain = not lane.faults and not serialise

    def add_fault(self, fault: Fault) -> None:
        """From now on, in both directions. A fault that belongs to one direction says so with its matcher:
        `syn.from_("client")`."""
        if not isinstance(fault, Fault):
            raise MisuseError(f"a fault is made by netglass.faults, such as faults.drop(match.syn); this is {fault!r}")
        if not hasattr(fault, "name"):
            raise MisuseError(f'{type(fault).__name__}.__init__ must call super().__init__("its name")')
        twin = fault.twin()
        self._twins.append((fault, twin))
        self.lanes[0].attach(fault, self.names)
        self.lanes[1].attach(twin, self.names)

    def remove_fault(self, fault: Fault) -> None:
        """From now on it judges no more."""
        for pair in self._twins:
            if pair[0] is fault:
                self.lanes[0].detach(pair[0])
                self.lanes[1].detach(pair[1])
                self._twins.remove(pair)
                return

    def carry(self, packet: Unit, direction: int, now: int) -> list[Delivery]:
        """What arrives because of `packet`, sent at `now` in `direction`: 0 from a to b, 1 from b to a."""
        return self.lanes[direction].carry(packet, now)
