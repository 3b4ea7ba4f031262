"""Loss recovery, as a dialogue between a sender and the ACKs that come back. Numbers are segments of 1000 bytes."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.tcp import congestion
from netglass.tcp.config import TcpConfig
from netglass.tcp.congestion import CongestionControl
from netglass.tcp.recovery import Recovery
from netglass.tcp.rtt import RttEstimator
from netglass.times import MILLISECOND, NEVER

MSS = 1000
START = 5000
RTT = 100 * MILLISECOND


class Flow:
    """A sender that sends whatever recovery lets out, and the peer's ACKs."""

    def __init__(self, window: int = 10, sack: bool = True, control: str = "reno") -> None:
        config = TcpConfig()
        self.rtt = RttEstimator(config.initial_rto, config.rto_min, config.rto_max)
        self.cc = congestion.create(control, MSS, window * MSS)
        self.recovery = Recovery(config, self.rtt, self.cc, MSS, START)
        self.recovery.sack_ok = sack
        self.sent = 0  # segments
        self.now = 0

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds * MILLISECOND

    def send(self, segments: int) -> None:
        """That many new segments, whatever the window says."""
        for _ in range(segments):
            self._record(1)

    def send_together(self, segments: int) -> None:
        """One super-segment."""
        self._record(segments)

    def _record(self, segments: int) -> None:
        start = START + self.sent * MSS
        self.recovery.record_sent(start, start + segments * MSS, self.now)
        self.sent += segments

    def fill(self) -> int:
        """New segments until the window is full; how many."""
        before = self.sent
        while self.recovery.send_allowance() >= MSS:
            self.send(1)
        return self.sent - before

    def resend(self, most: int = 100) -> list[int]:
        """Sends what is lost as far as the window allows, as single segments; which ones."""
        again: list[int] = []
        while len(again) < most:
            item = self.recovery.retransmission_due()
            if item is None:
                break
            again.append((item.start - START) // MSS)
            self.recovery.record_retransmission(item.start, min(item.end, item.start + MSS), self.now)
        return again

    def ack(self, segment: int, *blocks: tuple[int, int], ts_rtt: int = -1) -> int:
        """Everything before `segment`, and these blocks."""
        number = START + segment * MSS
        duplicate = number == self.recovery.una
        sacks = tuple((START + left * MSS, START + right * MSS) for left, right in blocks)
        return self.recovery.ack_arrived(number, sacks, duplicate, ts_rtt, True, self.now) // MSS

    @property
    def in_flight(self) -> float:
        return self.recovery.in_flight / MSS

    @property
    def window(self) -> float:
        return self.cc.cwnd / MSS


# -- nothing is lost


def test_acknowledged_segments_leave_the_network():
    flow = Flow()
    flow.send(10)
    assert flow.in_flight == 10
    flow.wait(100)
    assert flow.ack(2) == 2
    assert flow.in_flight == 8
    assert flow.recovery.outstanding()
    assert flow.ack(10) == 8
    assert flow.in_flight == 0
    assert not flow.recovery.outstanding()


def test_the_window_grows_and_lets_more_out():
    flow = Flow()
    assert flow.fill() == 10
    flow.wait(100)
    flow.ack(2)
    assert flow.window == 12
    assert flow.fill() == 4


def test_a_window_that_is_not_in_use_does_not_grow():
    flow = Flow()
    flow.send(2)
    flow.recovery.ack_arrived(START + MSS, (), False, -1, False, flow.now)
    assert flow.window == 10


def test_each_ack_measures_the_round_trip_of_the_oldest_byte_it_covers():
    flow = Flow()
    flow.send(1)
    flow.wait(30)
    flow.send(1)
    flow.wait(70)
    flow.ack(2)
    assert flow.rtt.latest == 100 * MILLISECOND


def test_part_of_a_super_segment_is_acknowledged():
    flow = Flow()
    flow.send_together(8)
    flow.wait(100)
    assert flow.ack(3) == 3
    assert flow.in_flight == 5
    assert flow.rtt.latest == 100 * MILLISECOND
    assert flow.ack(8) == 5


def test_the_oldest_unacknowledged_byte_tells_since_when_the_peer_is_silent():
    flow = Flow()
    assert flow.recovery.first_sent_at() == NEVER
    flow.wait(5)
    flow.send(1)
    flow.wait(5)
    flow.send(1)
    assert flow.recovery.first_sent_at() == 5 * MILLISECOND
    flow.ack(1)
    assert flow.recovery.first_sent_at() == 10 * MILLISECOND
    flow.recovery.timed_out(flow.now)
    flow.wait(500)
    flow.resend()
    assert flow.recovery.first_sent_at() == 10 * MILLISECOND


def test_new_data_follows_what_was_sent():
    flow = Flow()
    flow.send(1)
    with pytest.raises(MisuseError, match="new data starts at 6000"):
        flow.recovery.record_sent(START, START + MSS, 0)


def test_the_timeout_comes_down_once_a_round_trip():
    # Linux looks at the variance of a whole round trip: 1200, 1200, then a quarter of the way to 450 more than 400.
    flow = Flow()
    seen = []
    for _ in range(4):
        flow.send(10)
        flow.wait(400)
        for segment in range(flow.sent - 9, flow.sent + 1):
            flow.ack(segment)
            seen.append(flow.rtt.rto)
    assert seen[:20] == [1200 * MILLISECOND] * 20
    assert len(set(seen[21:30])) == 1
    assert seen[30] < seen[29]


# -- what the congestion control is told


class Diary(CongestionControl):
    """Writes down what it is told."""

    name = "diary"

    def __init__(self, mss: int, initial_window: int) -> None:
        super().__init__(mss, initial_window)
        self.told: list[str] = []

    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        self.told.append(f"acked {size // MSS} of {in_flight // MSS}")

    def lost(self, in_flight: int, now: int) -> None:
        self.told.append(f"lost with {in_flight // MSS} out")
        self.ssthresh = 4 * MSS

    def timed_out(self, in_flight: int, now: int) -> None:
        self.told.append(f"timed out with {in_flight // MSS} out")
        self.cwnd = MSS

    def recovered(self, now: int) -> None:
        self.told.append("recovered")

    def restarted(self, now: int) -> None:
        self.told.append("restarted")


def test_what_a_congestion_control_is_told():
    flow = Flow()
    diary = Diary(MSS, 10 * MSS)
    flow.recovery.cc = diary
    flow.send(10)
    flow.ack(2)
    flow.ack(2, (3, 6))
    flow.resend()
    flow.ack(10)
    flow.send(2)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.ack(11)
    assert diary.told == [
        "restarted",
        "acked 2 of 10",
        "lost with 8 out",
        "recovered",
        "restarted",
        "timed out with 2 out",
        "acked 1 of 1",
    ]


# -- fast retransmit, with and without SACK


def duplicates(flow: Flow, una: int, *arrived: int) -> None:
    """The segments in `arrived` reach the peer, one after the other; each makes a duplicate ACK for `una`."""
    for segment in arrived:
        flow.ack(una, (segment, segment + 1))


@pytest.mark.parametrize("sack", [True, False])
def test_the_third_duplicate_ack_sends_the_first_segment_again(sack):
    flow = Flow(sack=sack)
    flow.send(10)
    duplicates(flow, 0, 1, 2)
    assert flow.resend() == []
    duplicates(flow, 0, 3)
    assert flow.recovery.in_recovery
    assert flow.resend() == [0]
    assert flow.cc.ssthresh == 5 * MSS
    assert flow.window == 5


@pytest.mark.parametrize("sack", [True, False])
def test_the_first_two_duplicate_acks_let_one_new_segment_out_each(sack):
    # RFC 3042, limited transmit.
    flow = Flow(sack=sack)
    assert flow.fill() == 10
    duplicates(flow, 0, 1)
    assert flow.fill() == 1
    duplicates(flow, 0, 2)
    assert flow.fill() == 1
    assert flow.window == 10


@pytest.mark.parametrize("sack", [True, False])
def test_limited_transmit_does_not_soften_the_reduction(sack):
    # RFC 5681 §3.2, step 2: FlightSize without those two.
    flow = Flow(sack=sack)
    flow.fill()
    for segment in (1, 2, 3):
        duplicates(flow, 0, segment)
        flow.fill()
    assert flow.cc.ssthresh == 5 * MSS


@pytest.mark.parametrize("sack", [True, False])
def test_new_data_flows_again_when_half_of_the_flight_has_arrived(sack):
    flow = Flow(sack=sack)
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3)
    flow.resend()
    assert flow.in_flight == 7
    new = []
    for segment in range(4, 10):
        duplicates(flow, 0, segment)
        new.append(flow.fill())
    assert new == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("sack", [True, False])
def test_recovery_ends_when_all_that_was_out_has_arrived(sack):
    flow = Flow(sack=sack)
    flow.send(10)
    duplicates(flow, 0, *range(1, 10))
    flow.resend()
    new = flow.fill()
    flow.ack(10)
    flow.ack(10 + new)
    assert not flow.recovery.in_recovery
    assert flow.window == 5
    assert flow.in_flight == 0


@pytest.mark.parametrize("sack", [True, False])
def test_one_loss_reduces_the_window_once(sack):
    flow = Flow(sack=sack)
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    flow.resend()
    assert flow.cc.ssthresh == 5 * MSS


def test_cubic_keeps_seven_tenths():
    flow = Flow(control="cubic")
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3)
    assert flow.window == 7


def test_the_first_retransmission_does_not_wait_for_the_window():
    # RFC 6675 §5 (4.3): at the third duplicate ACK six segments are still out and the window is five.
    flow = Flow()
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3)
    assert flow.in_flight == 6
    assert flow.window == 5
    assert flow.resend() == [0]


def test_the_second_retransmission_does():
    flow = Flow(window=20)
    flow.send(20)
    flow.ack(0, (1, 2), (3, 6))
    assert flow.in_flight == 14
    assert flow.window == 10
    assert flow.resend() == [0]
    flow.ack(1, (1, 2), (3, 10))
    assert flow.resend() == []
    flow.ack(1, (1, 2), (3, 11))
    assert flow.resend() == [2]


# -- SACK


def test_all_holes_are_known_at_once():
    flow = Flow(window=20)
    flow.send(20)
    duplicates(flow, 0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)
    assert flow.resend() == [0, 2, 4]
    assert flow.ack(20) == 20
    assert not flow.recovery.in_recovery


def test_a_hole_with_too_little_above_it_waits():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (1, 6), (7, 9))
    assert flow.resend() == [0]
    flow.ack(1, (1, 6), (7, 9))
    assert flow.resend() == []
    flow.ack(6, (7, 10))
    assert flow.resend() == [6]


def test_one_block_of_three_segments_is_enough():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (1, 4))
    assert flow.resend() == [0]


def test_segments_count_even_if_they_are_small():
    flow = Flow()
    for number in range(4):
        flow.recovery.record_sent(START + number * 10, START + number * 10 + 10, 0)
    flow.recovery.ack_arrived(START, ((START + 10, START + 30),), True, -1, True, 0)
    assert flow.recovery.retransmission_due() is None
    flow.recovery.ack_arrived(START, ((START + 10, START + 40),), True, -1, True, 0)
    due = flow.recovery.retransmission_due()
    assert due is not None
    assert (due.start, due.end) == (START, START + 10)


def test_more_reordering_can_be_tolerated():
    flow = Flow()
    flow.recovery.config.reordering = 5
    flow.send(10)
    flow.ack(0, (1, 5))
    assert flow.resend() == []
    flow.ack(0, (1, 6))
    assert flow.resend() == [0]


def test_a_reordered_segment_is_no_loss():
    flow = Flow()
    flow.send(10)
    duplicates(flow, 0, 1, 2)
    flow.ack(3)
    assert not flow.recovery.in_recovery
    assert flow.in_flight == 7
    duplicates(flow, 3, 4, 5)
    assert flow.resend() == []


def test_a_duplicate_ack_without_news_is_no_sign_of_loss():
    flow = Flow()
    flow.send(10)
    for _ in range(5):
        flow.ack(0)
    assert flow.in_flight == 10
    assert flow.resend() == []


def test_a_duplicate_reported_by_the_peer_does_no_harm():
    # RFC 2883: the first block lies below the ACK, or inside the second one.
    flow = Flow()
    flow.send(10)
    flow.ack(4, (1, 2))
    assert flow.in_flight == 6
    flow.ack(4, (6, 7), (5, 7))
    flow.ack(4, (6, 7), (5, 7))
    assert flow.in_flight == 4
    assert flow.resend() == []


def test_the_round_trip_is_measured_by_sacks_too():
    flow = Flow()
    flow.send(2)
    flow.wait(70)
    flow.ack(0, (1, 2))
    assert flow.rtt.latest == 70 * MILLISECOND


def test_losses_during_recovery_start_another_one_after_it():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (1, 10))
    flow.resend()
    assert flow.fill() == 4
    flow.ack(10, (11, 14))
    assert flow.recovery.in_recovery
    assert flow.cc.ssthresh == 2 * MSS
    assert flow.resend() == [10]


# -- without SACK


def test_a_partial_ack_shows_the_next_hole():
    # RFC 6582: segments 0 and 4 are lost.
    flow = Flow(sack=False)
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3, 5, 6, 7, 8, 9)
    assert flow.resend() == [0]
    flow.ack(4)
    assert flow.resend() == [4]
    assert flow.recovery.in_recovery
    flow.ack(10)
    flow.send(1)
    flow.ack(11)
    assert not flow.recovery.in_recovery


def test_a_partial_ack_takes_back_what_its_duplicates_had_told():
    # Segments 0 and 4 are lost; 1 to 3 have made a duplicate ACK each, and are acknowledged with 0.
    flow = Flow(sack=False)
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3)
    flow.resend()
    assert flow.in_flight == 7
    flow.ack(4)
    assert flow.in_flight == 5
    assert flow.resend() == [4]
    assert flow.in_flight == 6


def test_duplicate_acks_of_retransmissions_start_no_second_recovery():
    # RFC 6582 §3.2, step 1: nothing above the recovery point is acknowledged yet.
    flow = Flow(sack=False)
    flow.send(10)
    duplicates(flow, 0, 1, 2, 3)
    flow.resend()
    flow.ack(10)
    threshold = flow.cc.ssthresh
    flow.send(4)
    for _ in range(4):
        flow.ack(10)
    assert flow.resend() == []
    assert flow.cc.ssthresh == threshold


def test_more_duplicates_than_segments_are_survived():
    flow = Flow(sack=False)
    flow.send(3)
    for _ in range(50):
        flow.ack(0)
    assert flow.in_flight == 0
    assert flow.resend() == [0]
    for _ in range(50):
        flow.ack(0)
    assert flow.in_flight == 1
    flow.ack(1)
    assert flow.in_flight >= 0
    flow.ack(3)
    assert flow.in_flight == 0


# -- timeouts


@pytest.mark.parametrize("sack", [True, False])
def test_a_timeout_sends_everything_again_in_order(sack):
    flow = Flow(sack=sack)
    flow.send(10)
    flow.recovery.timed_out(flow.now)
    assert flow.in_flight == 0
    assert flow.window == 1
    assert flow.cc.ssthresh == 5 * MSS
    assert flow.resend() == [0]
    flow.ack(1)
    assert flow.resend() == [1, 2]
    flow.ack(3)
    assert flow.resend() == [3, 4, 5, 6]
    flow.ack(7)
    assert flow.resend() == [7, 8, 9]


def test_new_data_waits_until_the_old_is_sent_again():
    flow = Flow()
    flow.send(3)
    flow.recovery.timed_out(flow.now)
    assert flow.fill() == 0
    flow.resend()
    flow.ack(1)
    assert flow.resend() == [1, 2]
    flow.ack(3)
    assert flow.fill() == 3


def test_what_is_sacked_is_not_sent_again():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (5, 7))
    flow.recovery.timed_out(flow.now)
    sent_again = flow.resend()
    flow.ack(1, (5, 7))
    sent_again += flow.resend()
    flow.ack(3, (5, 7))
    sent_again += flow.resend()
    assert sent_again == [0, 1, 2, 3, 4, 7, 8]


def test_a_peer_that_dropped_what_it_had_sacked_gets_it_again():
    # RFC 2018 §8: it asks for the first byte of a block that it had told to hold.
    flow = Flow()
    flow.send(6)
    flow.ack(0, (1, 3))
    flow.ack(1)
    flow.recovery.timed_out(flow.now)
    assert flow.resend() == [1]
    flow.ack(2)
    assert flow.resend() == [2, 3]


def test_what_the_peer_dropped_counts_no_more():
    flow = Flow()
    flow.send(6)
    flow.ack(0, (1, 4))
    flow.resend()
    flow.ack(1)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.ack(6)
    flow.send(5)
    flow.ack(6, (7, 9))
    assert flow.resend() == []
    flow.ack(6, (7, 10))
    assert flow.resend() == [6]


def test_a_segment_sent_twice_is_not_measured():
    # Karn's algorithm.
    flow = Flow()
    flow.send(1)
    flow.wait(1000)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.wait(50)
    flow.ack(1)
    assert flow.rtt.srtt == 0


def test_a_timestamp_vouches_for_a_segment_sent_twice():
    flow = Flow()
    flow.send(1)
    flow.wait(1000)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.wait(50)
    flow.ack(1, ts_rtt=50 * MILLISECOND)
    assert flow.rtt.latest == 50 * MILLISECOND


def test_the_same_loss_does_not_reduce_the_threshold_twice():
    # RFC 5681 §3.1: held constant when a retransmission is lost as well.
    flow = Flow()
    flow.send(10)
    for _ in range(3):
        flow.recovery.timed_out(flow.now)
        flow.resend()
        assert flow.window == 1
        assert flow.cc.ssthresh == 5 * MSS


def test_a_new_loss_after_progress_reduces_it_again():
    flow = Flow()
    flow.send(20)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.ack(1)
    flow.resend()
    flow.recovery.timed_out(flow.now)
    assert flow.cc.ssthresh == 2 * MSS


def test_a_timeout_in_fast_recovery_keeps_the_threshold():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (1, 4))
    flow.resend()
    flow.recovery.timed_out(flow.now)
    assert flow.cc.ssthresh == 5 * MSS
    assert flow.window == 1


def test_slow_start_goes_on_after_a_timeout_until_the_threshold():
    flow = Flow(window=20)
    flow.send(20)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.ack(1)
    assert flow.window == 2
    flow.resend()
    flow.ack(3)
    assert flow.window == 4


def test_what_was_sacked_before_does_not_open_the_window_again():
    flow = Flow()
    flow.send(10)
    flow.ack(0, (1, 3), (4, 10))
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.ack(3, (4, 10))
    assert flow.window == 2


def test_slow_start_after_a_timeout_does_not_ask_whether_the_window_is_full():
    flow = Flow()
    flow.send(10)
    flow.recovery.timed_out(flow.now)
    flow.resend()
    flow.recovery.ack_arrived(START + MSS, (), False, -1, False, flow.now)
    assert flow.window == 2


def test_duplicate_acks_after_a_timeout_do_not_open_the_window():
    flow = Flow(sack=False)
    flow.send(10)
    flow.recovery.timed_out(flow.now)
    assert flow.resend() == [0]
    for _ in range(5):
        flow.ack(0)
    assert flow.resend() == []


def test_a_timer_without_anything_in_flight_does_nothing():
    flow = Flow()
    flow.recovery.timed_out(flow.now)
    assert flow.window == 10
    assert not flow.recovery.in_recovery


# -- super-segments


def test_the_halves_of_a_super_segment_remember_when_it_was_sent():
    flow = Flow()
    flow.wait(5)
    flow.send_together(10)
    flow.wait(70)
    flow.ack(0, (4, 5))
    assert flow.rtt.latest == 70 * MILLISECOND
    flow.ack(4)
    assert flow.recovery.first_sent_at() == 5 * MILLISECOND
    flow.wait(7)
    flow.ack(6)
    assert flow.rtt.latest == 77 * MILLISECOND


def test_the_halves_of_a_super_segment_remember_that_it_was_sent_twice():
    flow = Flow()
    flow.send_together(2)
    flow.recovery.timed_out(flow.now)
    flow.recovery.record_retransmission(START, START + 2 * MSS, flow.now)
    flow.wait(100)
    flow.ack(0, (1, 2))
    assert flow.rtt.srtt == 0


def test_the_halves_of_what_was_sent_twice_remember_the_first_time():
    flow = Flow()
    flow.wait(5)
    flow.send_together(2)
    for _ in range(2):
        flow.wait(1000)
        flow.recovery.timed_out(flow.now)
        flow.recovery.record_retransmission(START, START + 2 * MSS, flow.now)
    flow.recovery.record_retransmission(START, START + MSS, flow.now)
    flow.ack(1)
    assert flow.recovery.first_sent_at() == 5 * MILLISECOND


@pytest.mark.parametrize("sack", [True, False])
def test_only_the_lost_part_of_a_super_segment_goes_out_again(sack):
    flow = Flow(sack=sack)
    flow.send_together(10)
    duplicates(flow, 0, 1, 2, 3)
    assert flow.resend() == [0]
    assert flow.in_flight == 7


def test_a_hole_in_the_middle_of_a_super_segment():
    flow = Flow()
    flow.send_together(10)
    flow.ack(2, (4, 10))
    assert flow.resend() == [2, 3]
    flow.ack(10)
    assert flow.in_flight == 0


def test_what_is_due_fits_into_the_window():
    flow = Flow()
    flow.send_together(10)
    flow.recovery.timed_out(flow.now)
    due = flow.recovery.retransmission_due()
    assert due is not None
    assert (due.start, due.end) == (START, START + MSS)


def test_single_bytes_that_the_peer_acknowledges_do_not_lengthen_the_scoreboard():
    flow = Flow()
    flow.send_together(10)
    for byte in range(1, 10 * MSS, 2):
        flow.recovery.ack_arrived(START, ((START + byte, START + byte + 1),), True, -1, True, 0)
    assert len(flow.recovery.ranges) <= 11
    assert flow.in_flight == 10
    for byte in range(1, 8 * MSS):
        block = (START + MSS, START + MSS + byte)
        flow.recovery.ack_arrived(START, (block,), True, -1, True, 0)
        assert len(flow.recovery.ranges) <= 11
    assert flow.recovery.sacked == 7 * MSS


def test_a_long_flow_leaves_nothing_behind():
    flow = Flow()
    flow.send(10)
    for segment in range(10_000):
        flow.ack(segment + 1)
        flow.send(1)
    assert len(flow.recovery.ranges) < 200


def test_many_sacks_make_a_short_scoreboard():
    flow = Flow(window=1000)
    flow.send(1000)
    for segment in range(1, 1000):
        flow.ack(0, (max(1, segment - 3), segment + 1))
    assert len(flow.recovery.ranges) == 2
    flow = Flow(window=1000)
    flow.send(1000)
    for segment in range(999, 0, -1):
        flow.ack(0, (segment, segment + 1))
    assert len(flow.recovery.ranges) == 2


# -- the path's MTU shrinks


def test_segments_too_long_for_the_path_go_out_again_without_a_reduction():
    # RFC 1191 §6.5.
    flow = Flow()
    flow.send(4)
    flow.recovery.mss = flow.cc.mss = 600
    flow.recovery.path_shrank(flow.now)
    assert flow.in_flight == 0
    pieces = []
    while (due := flow.recovery.retransmission_due()) is not None:
        end = min(due.end, due.start + 600)
        pieces.append(end - due.start)
        flow.recovery.record_retransmission(due.start, end, flow.now)
    assert pieces == [600, 400] * 4
    assert flow.window == 10
    flow.ack(4)
    assert not flow.recovery.in_recovery
