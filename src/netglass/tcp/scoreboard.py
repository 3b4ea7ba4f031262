"""What was sent and is not acknowledged: which of it is in the network, which arrived out of order, which is lost.

A list of ranges tiles [una, nxt), one for each segment that went out, in order. A range is in flight, sacked, or lost
(and waits to be sent again, which puts it in flight). The bytes of each kind are counted, so nothing ever walks the
flight to know RFC 6675's pipe: it is `in_flight`.

An ACK in order touches the head of the list and nothing else. Neighbours that are sacked become one range, so a SACK
finds its place by bisection and walks over what is new. Ranges may be super-segments: they are split where a loss or a
SACK needs it, at multiples of the MSS, because only whole segments arrive or get lost (and because a peer who
acknowledges single bytes must not make the list as long as the window).
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import Final

_COMPACT_AT: Final = 64
NO_SAMPLE: Final = -1


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


class Scoreboard:
    """The ranges in flight of one connection. Sequence numbers are unwrapped; a FIN counts as one byte."""

    __slots__ = (
        "head",
        "highest_sacked",
        "in_flight",
        "lost",
        "lost_from",
        "mss",
        "nxt",
        "ranges",
        "sacked",
        "sacked_segments",
        "una",
    )

    def __init__(self, mss: int, una: int) -> None:
        self.mss: int = mss
        self.una: int = una
        self.nxt: int = una
        self.ranges: list[SentRange] = []
        self.head: int = 0  # ranges before this index are acknowledged
        self.in_flight: int = 0  # bytes believed to be in the network: RFC 6675's pipe
        self.sacked: int = 0  # bytes
        self.sacked_segments: int = 0
        self.highest_sacked: int = una
        self.lost: int = 0  # bytes
        self.lost_from: int = una  # nothing before this is lost

    # -- finding

    def holding(self, seq: int) -> int:
        """The index of the range that holds `seq`; the first one if `seq` is below."""
        index = bisect_right(self.ranges, seq, self.head, key=_START) - 1
        return index if index > self.head else self.head

    def first_lost(self) -> int:
        """The index of the first lost range; there must be one."""
        index = self.holding(self.lost_from)
        while not self.ranges[index].lost:
            index += 1
        self.lost_from = self.ranges[index].start
        return index

    def split(self, index: int, at: int) -> None:
        """Makes two ranges of one that is not sacked."""
        item = self.ranges[index]
        tail = SentRange(at, item.end, item.sent)
        tail.first_sent = item.first_sent
        tail.retransmissions = item.retransmissions
        tail.lost = item.lost
        item.end = at
        self.ranges.insert(index + 1, tail)

    # -- acknowledged

    def acknowledge_in_order(self, ack: int, now: int) -> int:
        """Takes [una, ack) off a scoreboard where everything is in flight and was sent once.

        Returns an RTT sample: that of the oldest byte, which includes the receiver's delay (as in Linux).
        """
        self.in_flight -= ack - self.una
        self.una = ack
        ranges = self.ranges
        head = self.head
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

    def acknowledge(self, ack: int, now: int) -> int:
        """The same for any scoreboard. No sample if any of it was sent twice (Karn's algorithm, RFC 6298 §3)."""
        self.una = ack
        ranges = self.ranges
        head = self.head
        count = len(ranges)
        sample = NO_SAMPLE
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
            self.sacked_segments -= item.segments
            head += 1
        self._move_head(head, count)
        return sample if once else NO_SAMPLE

    def _take_off(self, item: SentRange, size: int) -> None:
        if item.sacked:
            self.sacked -= size
        elif item.lost:
            self.lost -= size
        else:
            self.in_flight -= size

    def _move_head(self, head: int, count: int) -> None:
        if head == count:
            self.ranges.clear()
            head = 0
        elif head >= _COMPACT_AT and head * 2 > count:
            del self.ranges[:head]
            head = 0
        self.head = head

    # -- sacked

    def mark_sacked(self, left: int, right: int, now: int) -> int:
        """The peer holds [left, right): whole segments of it are done with. Returns the RTT of the oldest, or -1."""
        ranges = self.ranges
        first = self.holding(left)
        if ranges[first].sacked and right <= ranges[first].end:
            return NO_SAMPLE
        first = self._first_within(first, left)
        last = self._one_past_within(first, right)
        if first >= last:
            return NO_SAMPLE
        sample = NO_SAMPLE
        for index in range(first, last):
            item = ranges[index]
            if not item.sacked:
                if not item.retransmissions and now - item.sent > sample:
                    sample = now - item.sent
                self._sack(item)
        if ranges[last - 1].end > self.highest_sacked:
            self.highest_sacked = ranges[last - 1].end
        self._merge_sacked(first, last)
        return sample

    def _first_within(self, index: int, left: int) -> int:
        """The first range that does not begin before `left`; `index` holds it, and is split if that gains a segment."""
        item = self.ranges[index]
        if item.sacked or item.start >= left:
            return index
        whole = item.start + (left - item.start + self.mss - 1) // self.mss * self.mss
        if whole < item.end:
            self.split(index, whole)
        return index + 1

    def _one_past_within(self, index: int, right: int) -> int:
        """One past the last range from `index` on that ends by `right`; the next is split if that gains a segment."""
        ranges = self.ranges
        while index < len(ranges) and ranges[index].end <= right:
            index += 1
        if index == len(ranges) or ranges[index].sacked:
            return index
        item = ranges[index]
        whole = (right - item.start) // self.mss * self.mss
        if whole <= 0:
            return index
        self.split(index, item.start + whole)
        return index + 1

    def _sack(self, item: SentRange) -> None:
        size = item.end - item.start
        self._take_off(item, size)
        item.sacked = True
        item.lost = False
        item.segments = (size + self.mss - 1) // self.mss
        self.sacked += size
        self.sacked_segments += item.segments

    def _merge_sacked(self, first: int, last: int) -> None:
        """Makes one of the sacked ranges [first, last) and of sacked neighbours on both sides."""
        ranges = self.ranges
        if first > self.head and ranges[first - 1].sacked:
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

    def forget_sacks(self) -> None:
        """The peer dropped what it had told to hold (RFC 2018 §8): it counts as in flight again."""
        for index in range(self.head, len(self.ranges)):
            item = self.ranges[index]
            if item.sacked:
                item.sacked = False
                item.segments = 0
                self.in_flight += item.end - item.start
        self.sacked = 0
        self.sacked_segments = 0

    # -- lost, and sent again

    def mark_lost(self, item: SentRange) -> None:
        """`item` was in flight and is to be sent again."""
        size = item.end - item.start
        item.lost = True
        self.lost += size
        self.in_flight -= size
        if item.start < self.lost_from:
            self.lost_from = item.start

    def mark_sent_again(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent again; ranges that reach beyond are split."""
        ranges = self.ranges
        index = self.holding(start)
        if start > ranges[index].start:
            self.split(index, start)
            index += 1
        while index < len(ranges) and ranges[index].start < end:
            item = ranges[index]
            if item.end > end:
                self.split(index, end)
            if item.lost:
                item.lost = False
                self.lost -= item.end - item.start
                self.in_flight += item.end - item.start
            item.sent = now
            item.retransmissions += 1
            index += 1
