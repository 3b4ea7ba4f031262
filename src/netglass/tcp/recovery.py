"""Which of the bytes in flight are lost, and when to send them again.

Detection, now: RFC 6675 with SACK; duplicate ACKs and NewReno (RFC 6582) without, where each duplicate ACK takes one
segment off the pipe, as a SACK would. So both share one rule for sending: what `cwnd` leaves beside `in_flight`.
Limited transmit (RFC 3042) follows from that rule. RACK-TLP, PRR and F-RTO will live beside this file and ask the same
scoreboard; for their sake each range remembers when it was sent.
"""

from __future__ import annotations

from netglass.errors import MisuseError
from netglass.tcp.config import TcpConfig
from netglass.tcp.congestion.base import CongestionControl
from netglass.tcp.rtt import RttEstimator
from netglass.tcp.scoreboard import NO_SAMPLE, Scoreboard, SentRange
from netglass.times import NEVER

__all__ = ["Recovery", "SentRange"]


class Recovery(Scoreboard):
    """The sender's view of one connection's flight."""

    __slots__ = (
        "_credit",
        "_duplicates",
        "_fast",
        "_forced",
        "_judged_to",
        "_point",
        "_round_end",
        "_timeout_una",
        "_troubled",
        "cc",
        "config",
        "in_recovery",
        "rtt",
        "sack_ok",
    )

    def __init__(self, config: TcpConfig, rtt: RttEstimator, cc: CongestionControl, mss: int, una: int) -> None:
        super().__init__(mss, una)
        self.config: TcpConfig = config
        self.rtt: RttEstimator = rtt
        self.cc: CongestionControl = cc
        self.sack_ok: bool = False
        self.in_recovery: bool = False  # fast recovery, or after a timeout until all sent before it is acknowledged
        self._fast: bool = False  # in_recovery, and not because of a timeout
        self._point: int = una  # RecoveryPoint: recovery ends when what was sent before it is acknowledged
        self._forced: bool = False  # one segment goes out whatever the window says
        self._timeout_una: int = -1  # una when the timer last expired
        self._judged_to: int = una  # RFC 6675's IsLost() has been answered up to here
        self._duplicates: int = 0  # duplicate ACKs, where there is no SACK
        self._credit: int = 0  # bytes that they took off in_flight
        self._troubled: bool = False  # False: all in flight and sent once, no duplicate ACK: an ACK goes the short way
        self._round_end: int = una  # a round trip is over when this is acknowledged

    # -- sending

    def record_sent(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent for the first time."""
        if start != self.nxt:
            raise MisuseError(f"new data starts at {self.nxt}, where the last ended; not at {start}")
        if start == self.una:
            self.cc.restarted(now)
        self.ranges.append(SentRange(start, end, now))
        self.nxt = end
        self.in_flight += end - start

    def record_retransmission(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent again; it may be the head of a longer range."""
        self.mark_sent_again(start, end, now)
        self._forced = False
        self._troubled = True

    def retransmission_due(self) -> SentRange | None:
        """The first range marked lost that the congestion window lets out now, all of it, or None."""
        if not self.lost:
            return None
        index = self.first_lost()
        item = self.ranges[index]
        size = item.end - item.start
        room = self.cc.cwnd - self.in_flight
        if room < size:
            if room < self.mss and not self._forced:
                return None
            whole = max(room - room % self.mss, self.mss)
            if whole < size:
                self.split(index, item.start + whole)
        return item

    def send_allowance(self) -> int:
        """Bytes of new data that the congestion window lets out now (limited transmit, RFC 3042, included)."""
        room = self.cc.cwnd - self.in_flight
        if room <= 0 or self.lost:
            # What is lost goes first (RFC 6675 §4, NextSeg rule 1).
            return 0
        return room

    def outstanding(self) -> bool:
        """True while anything sent is unacknowledged: the retransmission timer runs."""
        return self.nxt > self.una

    def first_sent_at(self) -> int:
        """When the oldest unacknowledged range was first sent; for the user timeout. NEVER if nothing is out."""
        if self.nxt == self.una:
            return NEVER
        return self.ranges[self.head].first_sent

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
        sample = NO_SAMPLE
        counts = 0  # bytes of which we hear for the first time
        if advance > 0:
            if not self._troubled:
                sample = self.acknowledge_in_order(ack, now)
                counts = advance
            else:
                before = self.sacked
                sample = self.acknowledge(ack, now)
                counts = advance - before + self.sacked
                self._use_credit(advance)
            if sample < 0:
                sample = ts_rtt
        if self._troubled or sacks or duplicate:
            was_fast = self._fast
            sacked_sample = self._judge(advance, sacks, duplicate, now)
            if sample < 0:
                sample = sacked_sample
            if was_fast or self._fast:
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
            self._round_end = self.nxt
            if not first:
                rtt.end_round()

    def _judge(self, advance: int, sacks: tuple[tuple[int, int], ...], duplicate: bool, now: int) -> int:
        """What else an ACK says: what is sacked, what is lost, is recovery over? Returns an RTT sample or -1."""
        sample = NO_SAMPLE
        news = False
        if self.sack_ok:
            before = self.sacked
            for left, right in sacks:
                if right > self.una:
                    sample = max(sample, self.mark_sacked(left, right, now))
            news = self.sacked > before
        elif duplicate and self.nxt > self.una:
            self._count_duplicate()
        if self.in_recovery and self._is_over():
            self._leave(now)
        if self.sack_ok:
            if news:
                self._find_lost()
        elif self._head_is_lost(advance):
            self._lose_head()
        if self.in_flight < 0:
            self._limit_credit()
        if self.lost and not self.in_recovery:
            self._enter(now)
        self._troubled = self.in_recovery or self.sacked + self.lost + self._duplicates > 0
        return sample

    # -- detection with SACK

    def _find_lost(self) -> None:
        """RFC 6675 §4, IsLost(): a range is lost once `reordering` segments above it are sacked.

        The RFC also counts bytes, more than (reordering - 1) * mss; that many bytes are `reordering` segments.
        A range that was sent again is judged by the timer only.
        """
        if self.sacked_segments < self.config.reordering:
            return
        ranges = self.ranges
        last = self.holding(self.highest_sacked - 1)
        above = ranges[last].segments
        while above < self.config.reordering:
            last -= 1
            above += ranges[last].segments
        edge = ranges[last].start
        if edge <= self._judged_to:
            return
        for index in range(self.holding(self._judged_to), last):
            item = ranges[index]
            if not item.sacked and not item.lost and not item.retransmissions:
                self.mark_lost(item)
        self._judged_to = edge

    # -- detection without SACK

    def _count_duplicate(self) -> None:
        """A segment has left the network; which one, nobody says. Never the first: that one is missing."""
        if self.in_recovery and not self._fast and self.nxt <= self._point:
            # After a timeout: the ACK of something sent twice, not of something new.
            return
        self._duplicates += 1
        room = self.in_flight if self.lost else self.in_flight - self.mss
        taken = min(room, self.mss)
        if taken > 0:
            self._credit += taken
            self.in_flight -= taken

    def _use_credit(self, acknowledged: int) -> None:
        """`acknowledged` bytes left the scoreboard: one segment was missing, duplicate ACKs had told of the others."""
        self._duplicates = 0
        if not self._credit:
            return
        credit = 0
        if self._fast and self.una < self._point:
            credit = max(0, self._credit - max(0, acknowledged - self.mss))
        self.in_flight += self._credit - credit
        self._credit = credit

    def _limit_credit(self) -> None:
        """There were more duplicate ACKs than segments: the network duplicates, or the peer lies."""
        self._credit += self.in_flight
        self.in_flight = 0

    def _drop_credit(self) -> None:
        self.in_flight += self._credit
        self._credit = 0
        self._duplicates = 0

    def _head_is_lost(self, advance: int) -> bool:
        if not self.in_recovery:
            # RFC 5681 §3.2: the third duplicate ACK.
            return self._duplicates >= self.config.reordering
        # RFC 6582 §3.2, step 3: an ACK that moves, but not past everything, shows the next hole.
        return self._fast and advance > 0 and self.una < self._point

    def _lose_head(self) -> None:
        item = self.ranges[self.head]
        if item.lost:
            return
        if item.end - item.start > self.mss:
            self.split(self.head, item.start + self.mss)
        self.mark_lost(item)
        self._forced = True

    # -- recovery begins and ends

    def _enter(self, now: int) -> None:
        """Fast recovery (RFC 6675 §5, RFC 6582 §3.2): the congestion control sets the window, and the first lost
        segment goes out at once."""
        # Limited transmit sends beyond cwnd; that does not count (RFC 5681 §3.2, step 2).
        self.cc.lost(min(self.nxt - self.una, self.cc.cwnd), now)
        self.cc.cwnd = self.cc.ssthresh
        self.in_recovery = True
        self._fast = True
        self._forced = True
        self._point = self.nxt

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
        if self.nxt == self.una:
            return
        self._drop_credit()
        if self.ranges[self.head].sacked:
            # RFC 2018 §8: the peer asks for a byte that it had told to hold, so it dropped what it held.
            self.forget_sacks()
        for index in range(self.head, len(self.ranges)):
            item = self.ranges[index]
            if not item.sacked and not item.lost:
                self.mark_lost(item)
        # RFC 5681 §3.1: ssthresh is held if the same segment times out again; Linux holds it in fast recovery, too.
        again = self._fast or (self.in_recovery and self.una == self._timeout_una)
        held = self.cc.ssthresh
        self.cc.timed_out(min(self.nxt - self.una, self.cc.cwnd), now)
        if again:
            self.cc.ssthresh = held
        self._timeout_una = self.una
        self._send_again_to_here()

    def path_shrank(self, now: int) -> None:
        """`mss` fell because of the path's MTU: what is longer cannot arrive (RFC 1191 §6.5, RFC 8201 §5.4).

        No sign of congestion: `cwnd` and `ssthresh` stay.
        """
        self._drop_credit()
        for index in range(self.head, len(self.ranges)):
            item = self.ranges[index]
            if item.end - item.start > self.mss and not item.sacked and not item.lost:
                self.mark_lost(item)
        if self.lost and not self.in_recovery:
            self._send_again_to_here()

    def _send_again_to_here(self) -> None:
        self.in_recovery = True
        self._fast = False
        self._forced = False
        self._troubled = True
        self._point = self.nxt
