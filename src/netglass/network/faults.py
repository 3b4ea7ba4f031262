"""The ready-made faults. Exact ones hit named packets; random ones draw from the seed; `blackhole` swallows
everything for a time.

    drop(syn)                         the first SYN on this cable
    drop(syn, nth=2, times=3)         the second, third and fourth
    drop(data.from_("server"), times=ALL)
    delay(third_ack, by="2 s")        everything behind it overtakes it
    loss("5%", only=data)

A fault is made for one cable (both directions) and counts what it saw: make a new one for each network.
"""

from __future__ import annotations

from abc import abstractmethod

from netglass.build import mypyc_attr
from netglass.errors import MisuseError
from netglass.network.fault import DROP, PASS, Fault, Names, Verdict
from netglass.network.match import ALL, Matcher, Sightings, after_bytes, anything
from netglass.network.units import Share, share
from netglass.rng import Rng
from netglass.times import NEVER, duration, human
from netglass.wire.arp import ArpMessage, encode_arp
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, FIN, RST, SYN, TcpSegment


def check_matcher(matcher: object) -> None:
    if not isinstance(matcher, Matcher):
        raise MisuseError(
            f"which packets is said by netglass.match, such as match.syn or match.data; this is {matcher!r}"
        )


__all__ = [
    "ALL",
    "blackhole",
    "burst_loss",
    "corrupt",
    "corruption",
    "delay",
    "drop",
    "duplicate",
    "duplication",
    "loss",
    "reorder",
    "reset",
]


def __dir__() -> list[str]:
    return __all__


@mypyc_attr(allow_interpreted_subclasses=True)
class MatchingFault(Fault):
    """The parent of faults that look at packets through a matcher: `selects` is true for those that it names."""

    __slots__ = ("_attached", "_matcher", "_sightings")

    def __init__(self, name: str, matcher: Matcher) -> None:
        check_matcher(matcher)
        super().__init__(name)
        self._matcher: Matcher = matcher
        self._sightings: Sightings = Sightings(matcher.follows)
        self._attached: bool = False

    def attach(self, names: Names) -> None:
        if self._attached and self._sightings.names is not names:
            raise MisuseError(f'the fault "{self.name}" counts in another network already: make a new one for this one')
        self._attached = True
        self._sightings.names = names

    def selects(self, packet: IpPacket) -> bool:
        return self._matcher.matches(packet, self._sightings.look(packet))

    def selects_frame(self, frame: EthernetFrame) -> bool:
        """The same for a frame without an IP packet."""
        return self._matcher.matches_frame(frame, self._sightings.look_frame(frame))


@mypyc_attr(allow_interpreted_subclasses=True)
class ExactFault(MatchingFault):
    """Does one thing to the `nth` packet that matches and the `times` - 1 matching ones after it. All flows on the
    cable count together."""

    __slots__ = ("_first", "_last", "_matched")

    def __init__(self, verb: str, matcher: Matcher, nth: int, times: int) -> None:
        if nth < 1 or times < 1:
            raise MisuseError(f"nth and times count from 1 (times=ALL: every time); these are nth={nth}, times={times}")
        check_matcher(matcher)
        super().__init__(f"{verb} {matcher.name}", matcher)
        self._first: int = nth
        self._last: int = nth + times - 1
        self._matched: int = 0

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return self.verdict(packet, rng) if self.selects(packet) and self._is_meant() else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return self.verdict_on_frame(frame, rng) if self.selects_frame(frame) and self._is_meant() else PASS

    def _is_meant(self) -> bool:
        """Counts one more that matches."""
        self._matched += 1
        return self._first <= self._matched <= self._last

    @abstractmethod
    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        """What to do to a packet that was hit."""
        raise NotImplementedError

    def verdict_on_frame(self, frame: EthernetFrame, rng: Rng) -> Verdict:
        """What to do to a frame without an IP packet that was hit."""
        return PASS


class Drop(ExactFault):
    __slots__ = ()

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        return DROP

    def verdict_on_frame(self, frame: EthernetFrame, rng: Rng) -> Verdict:
        return DROP


class Duplicate(ExactFault):
    __slots__ = ("_verdict",)

    def __init__(self, matcher: Matcher, nth: int, times: int, copies: int) -> None:
        super().__init__("duplicate", matcher, nth, times)
        self._verdict: Verdict = Verdict(duplicates=copies)

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        return self._verdict

    def verdict_on_frame(self, frame: EthernetFrame, rng: Rng) -> Verdict:
        return self._verdict


class Delay(ExactFault):
    __slots__ = ("_verdict",)

    def __init__(self, matcher: Matcher, nth: int, times: int, by: int) -> None:
        super().__init__(f"delay {human(by)}", matcher, nth, times)
        self._verdict: Verdict = Verdict(delay=by)

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        return self._verdict

    def verdict_on_frame(self, frame: EthernetFrame, rng: Rng) -> Verdict:
        return self._verdict


class Corrupt(ExactFault):
    __slots__ = ("_bit",)

    def __init__(self, matcher: Matcher, nth: int, times: int, bit: int) -> None:
        super().__init__("corrupt", matcher, nth, times)
        self._bit: int = bit

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        return Verdict(frame=flipped(packet_bytes(packet), self._bit, rng))

    def verdict_on_frame(self, frame: EthernetFrame, rng: Rng) -> Verdict:
        return _corrupted(frame, self._bit, rng)


class Reset(ExactFault):
    __slots__ = ()

    def verdict(self, packet: IpPacket, rng: Rng) -> Verdict:
        segment = packet.payload
        if not isinstance(segment, TcpSegment) or segment.flags & RST:
            return PASS
        forward = reset_to_receiver(packet, segment)
        return Verdict(drop=forward is None, packet=forward, answer=reset_to_sender(packet, segment))


class Blackhole(MatchingFault):
    __slots__ = ("_begin", "_end")

    def __init__(self, begin: int, end: int, only: Matcher) -> None:
        super().__init__("blackhole", only)
        self._begin: int = begin
        self._end: int = end

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        selected = self.selects(packet)
        return DROP if selected and self._begin <= now < self._end else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return DROP if self._begin <= now < self._end and self.selects_frame(frame) else PASS


class Partition(Fault):
    """Loses everything between two groups of hosts, by whose addresses the packets carry."""

    __slots__ = ("_a", "_b", "_names")

    def __init__(self, a: frozenset[str], b: frozenset[str]) -> None:
        super().__init__("partition")
        self._a: frozenset[str] = a
        self._b: frozenset[str] = b
        self._names: Names = {}

    def attach(self, names: Names) -> None:
        self._names = names

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return self._between(self._names.get(packet.source, ""), self._names.get(packet.destination, ""))

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        message = frame.payload
        if not isinstance(message, ArpMessage):
            return PASS
        return self._between(self._names.get(message.sender_mac, ""), self._names.get(message.target, ""))

    def _between(self, source: str, destination: str) -> Verdict:
        if (source in self._a and destination in self._b) or (source in self._b and destination in self._a):
            return DROP
        return PASS


class Loss(MatchingFault):
    __slots__ = ("_chance",)

    def __init__(self, chance: int, name: str, only: Matcher) -> None:
        super().__init__(name, only)
        self._chance: int = chance

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return DROP if self.selects(packet) and rng.chance(self._chance) else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return DROP if self.selects_frame(frame) and rng.chance(self._chance) else PASS


class BurstLoss(MatchingFault):
    """Gilbert and Elliott's channel: a good and a bad state, each packet may change the state, each state has its
    loss. One state for each direction."""

    __slots__ = ("_bad", "_is_bad", "_loss_bad", "_loss_good", "_recover")

    def __init__(self, bad: int, recover: int, loss_bad: int, loss_good: int, name: str, only: Matcher) -> None:
        super().__init__(name, only)
        self._bad: int = bad
        self._recover: int = recover
        self._loss_bad: int = loss_bad
        self._loss_good: int = loss_good
        self._is_bad: bool = False

    def twin(self) -> Fault:
        return BurstLoss(self._bad, self._recover, self._loss_bad, self._loss_good, self.name, self._matcher)

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return self._draw(rng) if self.selects(packet) else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return self._draw(rng) if self.selects_frame(frame) else PASS

    def _draw(self, rng: Rng) -> Verdict:
        if rng.chance(self._recover if self._is_bad else self._bad):
            self._is_bad = not self._is_bad
        return DROP if rng.chance(self._loss_bad if self._is_bad else self._loss_good) else PASS


class Reorder(MatchingFault):
    __slots__ = ("_chance", "_verdict")

    def __init__(self, chance: int, by: int, name: str, only: Matcher) -> None:
        super().__init__(name, only)
        self._chance: int = chance
        self._verdict: Verdict = Verdict(delay=by)

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return self._verdict if self.selects(packet) and rng.chance(self._chance) else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return self._verdict if self.selects_frame(frame) and rng.chance(self._chance) else PASS


class Duplication(MatchingFault):
    __slots__ = ("_chance", "_verdict")

    def __init__(self, chance: int, name: str, only: Matcher) -> None:
        super().__init__(name, only)
        self._chance: int = chance
        self._verdict: Verdict = Verdict(duplicates=1)

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return self._verdict if self.selects(packet) and rng.chance(self._chance) else PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        return self._verdict if self.selects_frame(frame) and rng.chance(self._chance) else PASS


class Corruption(MatchingFault):
    __slots__ = ("_chance",)

    def __init__(self, chance: int, name: str, only: Matcher) -> None:
        super().__init__(name, only)
        self._chance: int = chance

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        if not self.selects(packet) or not rng.chance(self._chance):
            return PASS
        return Verdict(frame=flipped(packet_bytes(packet), -1, rng))

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        if not self.selects_frame(frame) or not rng.chance(self._chance):
            return PASS
        return _corrupted(frame, -1, rng)


# What people write --------------------------------------------------------------------------------------------------


def drop(matcher: Matcher, nth: int = 1, times: int = 1) -> Fault:
    """Loses the packet."""
    return Drop("drop", matcher, nth, times)


def duplicate(matcher: Matcher, nth: int = 1, times: int = 1, copies: int = 1) -> Fault:
    """Delivers it `copies` times more, right after it."""
    if copies < 1:
        raise MisuseError(f"a duplicate is one copy or more; this is copies={copies}")
    return Duplicate(matcher, nth, times, copies)


def delay(matcher: Matcher, by: int | str, nth: int = 1, times: int = 1) -> Fault:
    """Delivers it later by so much ("2 s", or nanoseconds); packets behind it overtake it."""
    return Delay(matcher, nth, times, duration(by))


def corrupt(matcher: Matcher, bit: int = -1, nth: int = 1, times: int = 1) -> Fault:
    """Flips one bit of its bytes, counted from the first bit of the IP header; -1: a bit that the seed draws."""
    if bit < -1:
        raise MisuseError(f"a bit is counted from 0, or -1 for any; this is {bit}")
    return Corrupt(matcher, nth, times, bit)


def reset(matcher: Matcher | None = None, after_bytes: int = 0, nth: int = 1, times: int = 1) -> Fault:
    """A middlebox that kills connections: the segment becomes a RST to its receiver, and a RST goes back to its sender.

    Without a matcher: the first data that takes its direction's stream beyond `after_bytes` bytes.
    """
    return Reset("reset", matcher if matcher is not None else _beyond(after_bytes), nth, times)


def blackhole(from_: int | str = 0, to: int | str = NEVER, only: Matcher = anything) -> Fault:
    """Loses everything from the virtual time `from_` until just before `to`."""
    begin, end = duration(from_), duration(to)
    if begin >= end:
        raise MisuseError(f"a blackhole ends after it begins; this is from {human(begin)} to {human(end)}")
    return Blackhole(begin, end, only)


def loss(probability: Share, only: Matcher = anything) -> Fault:
    """Loses each packet with this probability (0.05, or "5%")."""
    return Loss(share(probability), _named("loss", probability), only)


def burst_loss(
    bad: Share, recover: Share, loss_bad: Share = "100%", loss_good: Share = 0, only: Matcher = anything
) -> Fault:
    """Losses in bursts (Gilbert 1960, Elliott 1963): with `bad` a packet starts a bad period, with `recover` one ends
    it; mean length 1/recover packets."""
    name = f"{_named('burst loss', bad)} recover {recover}"
    return BurstLoss(share(bad), share(recover), share(loss_bad), share(loss_good), name, only)


def reorder(probability: Share, by: int | str, only: Matcher = anything) -> Fault:
    """Holds a packet back by so much with this probability, so that later ones overtake it."""
    return Reorder(share(probability), duration(by), _named("reorder", probability), only)


def duplication(probability: Share, only: Matcher = anything) -> Fault:
    """Delivers a packet twice with this probability."""
    return Duplication(share(probability), _named("duplication", probability), only)


def corruption(probability: Share, only: Matcher = anything) -> Fault:
    """Flips one bit of a packet with this probability."""
    return Corruption(share(probability), _named("corruption", probability), only)


def _beyond(count: int) -> Matcher:
    return after_bytes(count)


def _named(what: str, probability: Share) -> str:
    return f"{what} {probability}"


def _corrupted(frame: EthernetFrame, bit: int, rng: Rng) -> Verdict:
    """One bit of what a frame carries that is no IP packet the other way."""
    payload = frame.payload
    if isinstance(payload, ArpMessage):
        return Verdict(frame=flipped(encode_arp(payload), bit, rng))
    return Verdict(frame=flipped(payload, bit, rng)) if isinstance(payload, bytes) and payload else PASS


def flipped(frame: bytes, bit: int, rng: Rng) -> bytes:
    """`frame` with one bit the other way; -1: any bit."""
    place = bit if bit >= 0 else rng.below(len(frame) * 8)
    if place >= len(frame) * 8:
        raise MisuseError(f"this packet has bits 0 to {len(frame) * 8 - 1}; there is no bit {place}")
    changed = bytearray(frame)
    changed[place >> 3] ^= 0x80 >> (place & 7)
    return bytes(changed)


def reset_to_receiver(packet: IpPacket, segment: TcpSegment) -> IpPacket | None:
    """A RST as if from the sender of `segment`, which its receiver believes (RFC 9293 §3.5.2); None for a first SYN,
    which nobody can reset forward."""
    if not segment.flags & ACK:
        return None
    rst = TcpSegment(segment.source_port, segment.destination_port, segment.seq, segment.ack, RST | ACK, 0)
    return IpPacket(packet.source, packet.destination, TCP, rst)


def reset_to_sender(packet: IpPacket, segment: TcpSegment) -> IpPacket:
    """The RST with which the receiver of `segment` would refuse it (RFC 9293 §3.10.7.1)."""
    if segment.flags & ACK:
        rst = TcpSegment(segment.destination_port, segment.source_port, segment.ack, 0, RST, 0)
        return IpPacket(packet.destination, packet.source, TCP, rst)
    length = segment.length + (segment.flags & SYN > 0) + (segment.flags & FIN > 0)
    ack = (segment.seq + length) & 0xFFFFFFFF
    rst = TcpSegment(segment.destination_port, segment.source_port, 0, ack, RST | ACK, 0)
    return IpPacket(packet.destination, packet.source, TCP, rst)
