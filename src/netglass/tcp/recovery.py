"""Which of the bytes in flight are lost, and when to send them again.

The scoreboard is a list of ranges that tile [una, what was sent last), one for each segment that went out, in order. A
range is in flight, sacked, or lost (and waits to be sent again, which puts it in flight); the bytes of each kind are
counted, so nothing ever walks the flight to know RFC 6675's pipe: it is `in_flight`.

An ACK in order touches the head of the list and nothing else. Neighbours that are sacked become one range, so a SACK
finds its place by bisection and walks over what is new. Ranges may be super-segments: they are split where a loss or a
SACK needs it, at multiples of the MSS, because only whole segments arrive or get lost (and because a peer who
acknowledges single bytes must not make the list as long as the window).

Detection, now: RFC 6675 with SACK; duplicate ACKs and NewReno (RFC 6582) without, where each duplicate ACK takes one
segment off the pipe, as a SACK would. So both share one rule for sending: what `cwnd` leaves beside `in_flight`.
Limited transmit (RFC 3042) follows from that rule. RACK-TLP, PRR and F-RTO will live beside this file and ask the same
scoreboard; for their sake each range remembers when it was sent.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import Final

from netglass.errors import MisuseError
from netglass.tcp.config import TcpConfig
from netglass.tcp.congestion.base import CongestionControl
from netglass.tcp.rtt import RttEstimator
from netglass.times import NEVER

_COMPACT_AT: Final = 64
_NO_SAMPLE: Final = -1


class SentRange:
    """Sequence numbers [start, end) that went out in one segment (perhaps a super-segment) and are not acknowledged."""

    __slots__ = ("end", "first_sent", "lost", "retransmissions", "sacked", "segments", "sent", "start")

    def __init__(self, start: int, end: int, now: int) -> None:
        self.start: int = start
        self.end: int = end
        self.first_sent: int = now
        self.sent: int = now  # last (re)transmission
        self.retransmissions: int = 0
        self.sacked: bool = False
        self.lost: bool = False  # to be sent again
        self.segments: int = 0  # of those sacked: how many they were on the wire


_START: Final = attrgetter("start")


class Recovery:
    """The sender's view of one connection's flight. A FIN counts as one byte, like any other sequence number."""

    __slots__ = (
        "_credit",
        "_duplicates",
        "_fast",
        "_forced",
        "_head",
        "_highest_sacked",
        "_lost",
        "_lost_from",
        "_marked_to",
        "_nxt",
        "_point",
        "_ranges",
        "_round_end",
        "_sacked",
        "_sacked_segments",
        "_timeout_una",
        "_troubled",
        "_twice_to",
        "cc",
        "config",
        "in_flight",
        "in_recovery",
        "mss",
        "rtt",
        "sack_ok",
        "una",
    )

    def __init__(self, config: TcpConfig, rtt: RttEstimator, cc: CongestionControl, mss: int, una: int) -> None:
        self.config: TcpConfig = config
        self.rtt: RttEstimator = rtt
        self.cc: CongestionControl = cc
        self.mss: int = mss
        self.sack_ok: bool = False
        self.una: int = una
        self.in_flight: int = 0  # bytes believed to be in the network: RFC 6675's pipe
        self.in_recovery: bool = False  # fast recovery, or after a timeout until all sent before it is acknowledged
        # The scoreboard: _ranges[_head:] tile [una, _nxt).
        self._ranges: list[SentRange] = []
        self._head: int = 0
        self._nxt: int = una
        self._sacked: int = 0  # bytes
        self._sacked_segments: int = 0
        self._highest_sacked: int = una
        self._lost: int = 0  # bytes
        self._lost_from: int = una  # nothing is lost before
        self._marked_to: int = una  # RFC 6675's IsLost() has been answered up to here
        self._twice_to: int = una  # one past the highest byte that was sent twice
        self._troubled: bool = False  # False: all in flight, sent once, no duplicate ACK: the short way through an ACK
        # Duplicate ACKs without SACK.
        self._duplicates: int = 0
        self._credit: int = 0  # bytes that they took off in_flight
        # Recovery.
        self._fast: bool = False  # in_recovery, and not because of a timeout
        self._point: int = una  # RecoveryPoint: what was sent before it is acknowledged when recovery ends
        self._forced: bool = False  # one segment goes out whatever the window says
        self._timeout_una: int = -1  # una when the timer last expired
        self._round_end: int = una

    # -- sending

    def record_sent(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent for the first time."""
        if start != self._nxt:
            raise MisuseError(f"new data starts at {self._nxt}, where the last ended; not at {start}")
        if start == self.una:
            self.cc.restarted(now)
        self._ranges.append(SentRange(start, end, now))
        self._nxt = end
        self.in_flight += end - start

    def record_retransmission(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent again; it may be the head of a longer range."""
        ranges = self._ranges
        index = self._holding(start)
        if start > ranges[index].start:
            self._split(index, start)
            index += 1
        while index < len(ranges) and ranges[index].start < end:
            item = ranges[index]
            if item.end > end:
                self._split(index, end)
            if item.lost:
                item.lost = False
                self._lost -= item.end - item.start
                self.in_flight += item.end - item.start
            item.sent = now
            item.retransmissions += 1
            index += 1
        self._forced = False
        self._troubled = True
        if end > self._twice_to:
            self._twice_to = end

    def retransmission_due(self) -> SentRange | None:
        """The first range marked lost that the congestion window lets out now, all of it, or None."""
        if not self._lost:
            return None
        index = self._holding(self._lost_from)
        while not self._ranges[index].lost:
            index += 1
        item = self._ranges[index]
        self._lost_from = item.start
        size = item.end - item.start
        room = self.cc.cwnd - self.in_flight
        if room < size:
            if room < self.mss and self.in_flight > 0 and not self._forced:
                return None
            whole = max(room - room % self.mss, self.mss)
            if whole < size:
                self._split(index, item.start + whole)
        return item

    def send_allowance(self) -> int:
        """Bytes of new data that the congestion window lets out now (limited transmit, RFC 3042, included)."""
        room = self.cc.cwnd - self.in_flight
        if room <= 0 or self._lost:
            # What is lost goes first (RFC 6675 §4, NextSeg rule 1).
            return 0
        return room

    def outstanding(self) -> bool:
        """True while anything sent is unacknowledged: the retransmission timer runs."""
        return self._nxt > self.una

    def first_sent_at(self) -> int:
        """When the oldest unacknowledged range was first sent; for the user timeout. NEVER if nothing is out."""
        if self._nxt == self.una:
            return NEVER
        return self._ranges[self._head].first_sent

    # -- an ACK

    def ack_arrived(
        self, ack: int, sacks: tuple[tuple[int, int], ...], duplicate: bool, ts_rtt: int, window_limited: bool, now: int
    ) -> int:
        """An acceptable ACK: una <= `ack` (unwrapped) <= what was sent. Returns the bytes newly acknowledged by `ack`.

        `sacks`: (left, right), unwrapped, right <= what was sent; blocks of RFC 2883 among them do no harm.
        `duplicate` as RFC 5681 §2 defines it. `ts_rtt`: a sample from timestamps, or -1. Measures the round-trip time,
        moves the scoreboard, detects loss, drives the congestion control.
        """
        in_flight = self.in_flight
        advance = ack - self.una
        sample = _NO_SAMPLE
        counts = 0
        if advance > 0:
            if not self._troubled:
                counts = advance
                sample = self._acknowledge(ack, now)
            else:
                before = self._sacked
                sample = self._acknowledge_troubled(ack, now)
                counts = advance - before + self._sacked
            if sample < 0:
                sample = ts_rtt
        if self._troubled or sacks or duplicate:
            if self._fast:
                counts = 0
            sacked_sample = self._judge(advance, sacks, duplicate, now)
            if sample < 0:
                sample = sacked_sample
            if self._fast:
                counts = 0
        if sample >= 0:
            self._measure(sample)
        if counts > 0 and (window_limited or self.in_recovery):
            self.cc.acked(counts, in_flight, self.rtt.srtt, now)
        return advance

    def _measure(self, sample: int) -> None:
        rtt = self.rtt
        first = rtt.srtt == 0
        rtt.measure(sample)
        if first or self.una > self._round_end:
            self._round_end = self._nxt
            if not first:
                rtt.end_round()

    def _acknowledge(self, ack: int, now: int) -> int:
        """Takes [una, ack) off a scoreboard where everything is in flight and was sent once. Returns an RTT sample:
        that of the oldest byte, which includes the receiver's delay (as in Linux)."""
        self.in_flight -= ack - self.una
        self.una = ack
        ranges = self._ranges
        head = self._head
        item = ranges[head]
        sample = now - item.sent
        count = len(ranges)
        while item.end <= ack:
            head += 1
            if head == count:
                break
            item = ranges[head]
        else:
            item.start = ack
        self._move_head(head, count)
        return sample

    def _acknowledge_troubled(self, ack: int, now: int) -> int:
        """The same for any scoreboard. No sample if any of it was sent twice (Karn's algorithm, RFC 6298 §3)."""
        acknowledged = ack - self.una
        self.una = ack
        ranges = self._ranges
        head = self._head
        count = len(ranges)
        sample = _NO_SAMPLE
        once = True
        while head < count and ranges[head].start < ack:
            item = ranges[head]
            if item.retransmissions:
                once = False
            elif sample < 0 and not item.sacked:
                sample = now - item.sent
            if item.end > ack:
                self._take_off(item, ack - item.start)
                item.start = ack
                break
            self._take_off(item, item.end - item.start)
            self._sacked_segments -= item.segments
            head += 1
        self._move_head(head, count)
        if not self.sack_ok:
            self._use_credit(acknowledged)
        return sample if once else _NO_SAMPLE

    def _take_off(self, item: SentRange, size: int) -> None:
        if item.sacked:
            self._sacked -= size
        elif item.lost:
            self._lost -= size
        else:
            self.in_flight -= size

    def _move_head(self, head: int, count: int) -> None:
        if head == count:
            self._ranges.clear()
            head = 0
        elif head >= _COMPACT_AT and head * 2 > count:
            del self._ranges[:head]
            head = 0
        self._head = head

    def _judge(self, advance: int, sacks: tuple[tuple[int, int], ...], duplicate: bool, now: int) -> int:
        """What else an ACK says: what is sacked, what is lost, is recovery over? Returns an RTT sample or -1."""
        sample = _NO_SAMPLE
        news = False
        if self.sack_ok:
            before = self._sacked
            for left, right in sacks:
                if right > self.una:
                    sample = max(sample, self._mark_sacked(left, right, now))
            news = self._sacked > before
        elif duplicate and self._nxt > self.una:
            self._count_duplicate()
        if self.in_recovery and self._is_over():
            self._leave(now)
        if self.sack_ok:
            if news:
                self._find_lost()
        elif self._head_is_lost(advance):
            self._mark_head_lost()
        if self._lost and not self.in_recovery:
            self._enter(now)
        self._troubled = (
            self.in_recovery or self._sacked + self._lost + self._duplicates > 0 or self._twice_to > self.una
        )
        return sample

    # -- the scoreboard

    def _holding(self, seq: int) -> int:
        """The index of the range that holds `seq`; the first one if `seq` is below."""
        index = bisect_right(self._ranges, seq, self._head, key=_START) - 1
        return index if index > self._head else self._head

    def _split(self, index: int, at: int) -> None:
        item = self._ranges[index]
        tail = SentRange(at, item.end, item.sent)
        tail.first_sent = item.first_sent
        tail.retransmissions = item.retransmissions
        tail.lost = item.lost
        item.end = at
        self._ranges.insert(index + 1, tail)

    def _mark_sacked(self, left: int, right: int, now: int) -> int:
        """The peer holds [left, right): whole segments of it are done with. Returns the RTT of the oldest, or -1."""
        ranges = self._ranges
        first = self._holding(left)
        if ranges[first].sacked and right <= ranges[first].end:
            return _NO_SAMPLE
        first = self._first_within(first, left)
        last = self._one_past_within(first, right)
        if first >= last:
            return _NO_SAMPLE
        sample = _NO_SAMPLE
        for index in range(first, last):
            item = ranges[index]
            if not item.sacked:
                if not item.retransmissions and now - item.sent > sample:
                    sample = now - item.sent
                self._sack(item)
        if ranges[last - 1].end > self._highest_sacked:
            self._highest_sacked = ranges[last - 1].end
        self._merge_sacked(first, last)
        return sample

    def _first_within(self, index: int, left: int) -> int:
        """The first range that does not begin before `left`; `index` holds it, and is split if that gains a segment."""
        item = self._ranges[index]
        if item.sacked or item.start >= left:
            return index
        whole = item.start + (left - item.start + self.mss - 1) // self.mss * self.mss
        if whole < item.end:
            self._split(index, whole)
        return index + 1

    def _one_past_within(self, index: int, right: int) -> int:
        """One past the last range from `index` on that ends by `right`; the next is split if that gains a segment."""
        ranges = self._ranges
        while index < len(ranges) and ranges[index].end <= right:
            index += 1
        if index == len(ranges) or ranges[index].sacked:
            return index
        item = ranges[index]
        whole = (right - item.start) // self.mss * self.mss
        if whole <= 0:
            return index
        self._split(index, item.start + whole)
        return index + 1

    def _sack(self, item: SentRange) -> None:
        size = item.end - item.start
        self._take_off(item, size)
        item.sacked = True
        item.lost = False
        item.segments = (size + self.mss - 1) // self.mss
        self._sacked += size
        self._sacked_segments += item.segments

    def _merge_sacked(self, first: int, last: int) -> None:
        """Makes one of the sacked ranges [first, last) and of sacked neighbours on both sides."""
        ranges = self._ranges
        if first > self._head and ranges[first - 1].sacked:
            first -= 1
        if last < len(ranges) and ranges[last].sacked:
            last += 1
        item = ranges[first]
        for index in range(first + 1, last):
            other = ranges[index]
            item.end = other.end
            item.segments += other.segments
            item.retransmissions = max(item.retransmissions, other.retransmissions)
        del ranges[first + 1 : last]

    def _mark_lost(self, item: SentRange) -> None:
        size = item.end - item.start
        item.lost = True
        self._lost += size
        self.in_flight -= size
        if item.start < self._lost_from:
            self._lost_from = item.start

    # -- detection with SACK

    def _find_lost(self) -> None:
        """RFC 6675 §4, IsLost(): a range is lost once `reordering` segments above it are sacked.

        The RFC also counts bytes, more than (reordering - 1) * mss; that many bytes are `reordering` segments.
        A range that was sent again is judged by the timer only.
        """
        if self._sacked_segments < self.config.reordering:
            return
        ranges = self._ranges
        last = self._holding(self._highest_sacked - 1)
        above = ranges[last].segments
        while above < self.config.reordering:
            last -= 1
            above += ranges[last].segments
        edge = ranges[last].start
        if edge <= self._marked_to:
            return
        for index in range(self._holding(self._marked_to), last):
            item = ranges[index]
            if not item.sacked and not item.lost and not item.retransmissions:
                self._mark_lost(item)
        self._marked_to = edge

    # -- detection without SACK

    def _count_duplicate(self) -> None:
        """A segment has left the network; which one, nobody says. Never the first: that one is missing."""
        if self.in_recovery and not self._fast and self._nxt <= self._point:
            # After a timeout: the ACK of something sent twice, not of something new.
            return
        self._duplicates += 1
        room = self.in_flight if self._lost else self.in_flight - self.mss
        taken = min(room, self.mss)
        if taken > 0:
            self._credit += taken
            self.in_flight -= taken

    def _use_credit(self, acknowledged: int) -> None:
        """`acknowledged` bytes left the scoreboard: one segment was missing, duplicate ACKs had told of the others."""
        credit = 0
        if self._fast and self.una < self._point:
            credit = max(0, self._credit - max(0, acknowledged - self.mss))
        self._duplicates = 0
        self.in_flight += self._credit - credit
        self._credit = credit
        if self.in_flight < 0:
            self._credit += self.in_flight
            self.in_flight = 0

    def _head_is_lost(self, advance: int) -> bool:
        if not self.in_recovery:
            # RFC 5681 §3.2: the third duplicate ACK.
            return self._duplicates >= self.config.reordering
        # RFC 6582 §3.2, step 3: an ACK that moves, but not past everything, shows the next hole.
        return self._fast and advance > 0 and self.una < self._point

    def _mark_head_lost(self) -> None:
        item = self._ranges[self._head]
        if item.lost:
            return
        if item.end - item.start > self.mss:
            self._split(self._head, item.start + self.mss)
        self._mark_lost(item)
        self._forced = True

    # -- recovery

    def _enter(self, now: int) -> None:
        """Fast recovery (RFC 6675 §5, RFC 6582 §3.2): the window is what the congestion control makes of the loss, and
        the first lost segment goes out at once."""
        # Limited transmit sends beyond cwnd; that does not count (RFC 5681 §3.2, step 2).
        self.cc.lost(min(self._nxt - self.una, self.cc.cwnd), now)
        self.cc.cwnd = self.cc.ssthresh
        self.in_recovery = True
        self._fast = True
        self._forced = True
        self._point = self._nxt

    def _is_over(self) -> bool:
        if self.sack_ok:
            return self.una >= self._point
        # RFC 6582 §3.2, step 1: duplicate ACKs of what was sent twice must not start another recovery.
        return self.una > self._point

    def _leave(self, now: int) -> None:
        if self._fast:
            self.cc.recovered(now)
        self.in_recovery = False
        self._fast = False
        self._forced = False
        self._duplicates = 0

    def timed_out(self, now: int) -> None:
        """The retransmission timer expired: everything unsacked is lost, the window is one segment.

        RFC 6298 §5.4, RFC 5681 §3.1. What was in flight is sent again in order, as slow start lets it out.
        """
        if not self.outstanding():
            return
        flight = min(self._nxt - self.una, self.cc.cwnd)
        if self._ranges[self._head].sacked:
            self._forget_sacks()
        self._drop_credit()
        for index in range(self._head, len(self._ranges)):
            item = self._ranges[index]
            if not item.sacked and not item.lost:
                self._mark_lost(item)
        # RFC 5681 §3.1: ssthresh is held if the same segment times out again; Linux holds it in fast recovery, too.
        again = self._fast or (self.in_recovery and self.una == self._timeout_una)
        held = self.cc.ssthresh
        self.cc.timed_out(flight, now)
        if again:
            self.cc.ssthresh = held
        self._timeout_una = self.una
        self._recover_from_here()

    def _recover_from_here(self) -> None:
        self.in_recovery = True
        self._fast = False
        self._forced = False
        self._troubled = True
        self._point = self._nxt

    def _drop_credit(self) -> None:
        self.in_flight += self._credit
        self._credit = 0
        self._duplicates = 0

    def _forget_sacks(self) -> None:
        """The peer dropped what it had told to hold: it sacked the very byte that it asks for (RFC 2018 §8)."""
        for index in range(self._head, len(self._ranges)):
            item = self._ranges[index]
            if item.sacked:
                item.sacked = False
                item.segments = 0
                self.in_flight += item.end - item.start
        self._sacked = 0
        self._sacked_segments = 0

    def path_shrank(self, now: int) -> None:
        """`mss` fell because of the path's MTU: what is longer cannot arrive (RFC 1191 §6.5, RFC 8201 §5.4).

        No sign of congestion: `cwnd` and `ssthresh` stay.
        """
        self._drop_credit()
        for index in range(self._head, len(self._ranges)):
            item = self._ranges[index]
            if item.end - item.start > self.mss and not item.sacked and not item.lost:
                self._mark_lost(item)
        if self._lost and not self.in_recovery:
            self._recover_from_here()
