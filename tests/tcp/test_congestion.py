"""Congestion control: how the window grows and falls. CUBIC is held against the formulas of RFC 9438 in floats."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errors import MisuseError
from netglass.tcp import congestion
from netglass.tcp.congestion import CongestionControl
from netglass.tcp.congestion.cubic import Cubic, cube_root
from netglass.tcp.congestion.reno import Reno
from netglass.times import MILLISECOND, SECOND

MSS = 1000
EVERY = ["cubic", "reno"]


def round_trip(control: CongestionControl, now: int, rtt: int) -> int:
    """A window of segments, an ACK for every second one, spread over one round trip. Returns the end of it."""
    window = left = control.cwnd
    while left:
        size = min(left, 2 * control.mss)
        left -= size
        control.acked(size, window, rtt, now + rtt * (window - left) // window)
    return now + rtt


def avoiding(control: CongestionControl, segments: int) -> CongestionControl:
    """At `segments`, in congestion avoidance."""
    control.cwnd = control.ssthresh = segments * MSS
    return control


@pytest.mark.parametrize("name", EVERY)
def test_slow_start_doubles_the_window_each_round_trip(name):
    control = congestion.create(name, MSS, 10 * MSS)
    now = 0
    for expected in (20, 40, 80):
        now = round_trip(control, now, 100 * MILLISECOND)
        assert control.cwnd == expected * MSS


@pytest.mark.parametrize("name", EVERY)
def test_slow_start_ends_at_the_threshold(name):
    control = congestion.create(name, MSS, 10 * MSS)
    control.ssthresh = 15 * MSS
    control.acked(5 * MSS, 10 * MSS, 100 * MILLISECOND, 0)
    assert control.cwnd == 15 * MSS
    round_trip(control, 0, 100 * MILLISECOND)
    assert control.cwnd < 18 * MSS


def test_reno_grows_by_one_segment_each_round_trip():
    control = avoiding(Reno(MSS, 10 * MSS), 10)
    now = 0
    for expected in range(11, 40):
        now = round_trip(control, now, 100 * MILLISECOND)
        assert control.cwnd == expected * MSS


def test_reno_halves_the_flight():
    control = avoiding(Reno(MSS, 10 * MSS), 20)
    control.lost(16 * MSS, 0)
    assert control.ssthresh == 8 * MSS
    control.recovered(0)
    assert control.cwnd == 8 * MSS


@pytest.mark.parametrize("name", EVERY)
def test_the_threshold_is_never_below_two_segments(name):
    control = avoiding(congestion.create(name, MSS, 10 * MSS), 2)
    control.lost(1 * MSS, 0)
    assert control.ssthresh == 2 * MSS


@pytest.mark.parametrize(("name", "threshold"), [("reno", 10), ("cubic", 14)])
def test_a_timeout_leaves_one_segment(name, threshold):
    control = avoiding(congestion.create(name, MSS, 10 * MSS), 20)
    control.timed_out(20 * MSS, 0)
    assert control.cwnd == 1 * MSS
    assert control.ssthresh == threshold * MSS


@pytest.mark.parametrize("name", EVERY)
def test_an_idle_sender_forgets_its_window_by_halves(name):
    # Linux tcp_cwnd_restart: a half for each RTO, never below the initial window.
    control = avoiding(congestion.create(name, MSS, 10 * MSS), 64)
    control.idle(2 * SECOND + 1, 1 * SECOND, 0)
    assert control.cwnd == 16 * MSS
    assert control.ssthresh == 64 * MSS
    control.idle(60 * SECOND, 1 * SECOND, 0)
    assert control.cwnd == 10 * MSS


@pytest.mark.parametrize("name", EVERY)
def test_idling_never_makes_a_small_window_larger(name):
    control = avoiding(congestion.create(name, MSS, 10 * MSS), 4)
    control.idle(60 * SECOND, 1 * SECOND, 0)
    assert control.cwnd == 4 * MSS


@pytest.mark.parametrize("name", EVERY)
def test_after_slow_start_the_old_window_is_remembered(name):
    control = congestion.create(name, MSS, 10 * MSS)
    control.cwnd = 64 * MSS
    control.ssthresh = 20 * MSS
    control.idle(60 * SECOND, 1 * SECOND, 0)
    assert control.ssthresh == 48 * MSS


# -- CUBIC

C = 0.4
BETA = 0.7


class Formula:
    """RFC 9438 in floats, in segments and seconds."""

    def __init__(self, window: float, w_max: float, prior: float) -> None:
        self.cwnd = self.w_est = window
        self.prior = prior
        self.w_max = w_max
        self.k = ((w_max - window) / C) ** (1 / 3)
        self.begun = -1.0

    def acked(self, segments: float, rtt: float, now: float) -> None:
        if self.begun < 0:
            self.begun = now
        t = now - self.begun
        alpha = 3 * (1 - BETA) / (1 + BETA) if self.w_est < self.prior else 1
        self.w_est += alpha * segments / self.cwnd
        if C * (t - self.k) ** 3 + self.w_max < self.w_est:
            self.cwnd = max(self.cwnd, self.w_est)
            return
        target = C * (t + rtt - self.k) ** 3 + self.w_max
        target = min(max(target, self.cwnd), 1.5 * self.cwnd)
        self.cwnd += (target - self.cwnd) / self.cwnd * segments


def after_loss(segments: int) -> Cubic:
    control = Cubic(MSS, 10 * MSS)
    avoiding(control, segments)
    control.lost(segments * MSS, 0)
    control.recovered(0)
    return control


@pytest.mark.parametrize("milliseconds", [2, 20, 100, 400])
@pytest.mark.parametrize("segments", [20, 100, 1000])
def test_cubic_follows_the_formula(milliseconds, segments):
    control = after_loss(segments)
    formula = Formula(segments * BETA, segments, segments)
    rtt = milliseconds * MILLISECOND
    now = 0
    # Twice as long as the curve takes to come back.
    for _ in range(min(300, int(2 * formula.k * 1000 / milliseconds) + 10)):
        window = control.cwnd
        for number in range(5):
            at = now + rtt * (number + 1) // 5
            control.acked(window // 5, window, rtt, at)
            formula.acked(window // 5 / MSS, rtt / SECOND, at / SECOND)
        now += rtt
        assert control.cwnd / MSS == pytest.approx(formula.cwnd, rel=0.002)


def test_cubic_is_back_at_the_old_window_after_k():
    # (100 - 70) / 0.4 = 75, whose cube root is 4.217 s.
    control = after_loss(100)
    now = 0
    while now < 4217 * MILLISECOND:
        now = round_trip(control, now, 200 * MILLISECOND)
    assert control.k == pytest.approx(4_217_163, abs=2)
    assert control.cwnd == pytest.approx(100 * MSS, rel=0.01)


def test_cubic_slows_down_towards_the_old_window_and_speeds_up_beyond_it():
    control = after_loss(1000)
    windows = [control.cwnd]
    now = 0
    for _ in range(180):
        now = round_trip(control, now, 100 * MILLISECOND)
        windows.append(control.cwnd)
    grown = [after - before for before, after in pairwise(windows[1:])]
    slowest = grown.index(min(grown))
    assert grown[0] > 10 * grown[slowest]
    assert grown[-1] > 10 * grown[slowest]
    assert windows[slowest] == pytest.approx(1000 * MSS, rel=0.01)


def test_on_a_short_path_cubic_is_as_quick_as_reno_would_be():
    # RFC 9438 §4.3: 9/17 of a segment each round trip up to the window before the loss, then a whole one.
    control = after_loss(20)
    now = 0
    for _ in range(10):
        now = round_trip(control, now, 1 * MILLISECOND)
    assert control.cwnd == pytest.approx((14 + 10 * 9 / 17) * MSS, rel=0.02)
    for _ in range(40):
        now = round_trip(control, now, 1 * MILLISECOND)
    before = control.cwnd
    round_trip(control, now, 1 * MILLISECOND)
    assert control.cwnd - before == pytest.approx(MSS, rel=0.05)


def test_who_loses_early_makes_room_for_others():
    # RFC 9438 §4.7, fast convergence.
    control = after_loss(100)
    control.lost(control.cwnd, 0)
    assert control.w_max == 70 * MSS * 85 // 100


def test_after_a_timeout_the_curve_starts_anew():
    # RFC 9438 §4.8: K is 0 and W_max the window at which congestion avoidance begins.
    control = after_loss(100)
    control.timed_out(70 * MSS, 0)
    while control.cwnd < control.ssthresh:
        control.acked(MSS, MSS, 50 * MILLISECOND, SECOND)
    control.acked(MSS, MSS, 50 * MILLISECOND, SECOND)
    assert control.k == 0
    assert control.w_max == 49 * MSS


def test_time_without_anything_to_send_does_not_count():
    busy, paused = after_loss(100), after_loss(100)
    for control, pause in ((busy, 0), (paused, 30 * SECOND)):
        now = 0
        for _ in range(10):
            now = round_trip(control, now, 100 * MILLISECOND)
        now += pause
        control.restarted(now)
        for _ in range(10):
            now = round_trip(control, now, 100 * MILLISECOND)
    assert paused.cwnd == busy.cwnd


def test_many_small_acknowledgements_count_as_much_as_a_few_large_ones():
    few, many = after_loss(20), after_loss(20)
    rtt = 400 * MILLISECOND
    now = 0
    for _ in range(15):
        for control, parts in ((few, 5), (many, 2000)):
            window = control.cwnd
            for number in range(parts):
                control.acked(window // parts, window, rtt, now + rtt * (number + 1) // parts)
        now += rtt
    assert many.cwnd == pytest.approx(few.cwnd, rel=0.01)


def test_cubic_grows_by_half_a_window_each_round_trip_at_most():
    control = after_loss(100)
    now = round_trip(control, 0, 100 * MILLISECOND)
    now += 1000 * SECOND
    before = control.cwnd
    round_trip(control, now, 100 * MILLISECOND)
    assert before * 1.4 < control.cwnd < before * 1.7


@given(st.integers(0, 1 << 100))
def test_the_cube_root_is_the_largest_that_fits(number):
    root = cube_root(number)
    assert root**3 <= number < (root + 1) ** 3


# -- the registry


class Fixed(CongestionControl):
    """A window that never changes."""

    name = "test-fixed"

    def acked(self, size: int, in_flight: int, srtt: int, now: int) -> None:
        pass

    def lost(self, in_flight: int, now: int) -> None:
        pass

    def timed_out(self, in_flight: int, now: int) -> None:
        pass


def test_one_from_outside_registers_with_one_line():
    congestion.register("test-fixed", Fixed)
    control = congestion.create("test-fixed", MSS, 7 * MSS)
    assert isinstance(control, Fixed)
    assert control.cwnd == 7 * MSS
    assert "test-fixed" in congestion.names()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(MisuseError, match=r"'bbr'; there are: cubic, reno"):
        congestion.create("bbr", MSS, 10 * MSS)


def test_nobody_takes_the_name_of_another():
    with pytest.raises(MisuseError, match=re.escape("'reno' is Reno already")):
        congestion.register("reno", Fixed)


def test_registering_the_same_twice_is_harmless():
    congestion.register("reno", Reno)
    assert isinstance(congestion.create("reno", MSS, MSS), Reno)


def test_only_a_whole_congestion_control_is_registered():
    class Half(CongestionControl):
        def lost(self, in_flight, now):
            self.ssthresh = in_flight // 2

    with pytest.raises(MisuseError, match="subclass of CongestionControl; 'x' is <class 'int'>"):
        congestion.register("x", int)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match="Half lacks acked, timed_out"):
        congestion.register("half", Half)  # type: ignore[type-abstract]
    assert {"x", "half"}.isdisjoint(congestion.names())
