"""The retransmission timeout: RFC 6298 with Linux's floor and memory."""

from __future__ import annotations

from fractions import Fraction

import pytest

from netglass.tcp.rtt import RttEstimator
from netglass.times import MICROSECOND, MILLISECOND, MINUTE, SECOND


def estimator() -> RttEstimator:
    return RttEstimator(1 * SECOND, 200 * MILLISECOND, 2 * MINUTE)


def rounds(rtt: RttEstimator, sample: int, count: int) -> None:
    """One sample a round trip."""
    for _ in range(count):
        rtt.measure(sample)
        rtt.end_round()


def test_one_second_before_the_first_measurement():
    rtt = estimator()
    assert rtt.rto == 1 * SECOND
    assert rtt.srtt == 0


def test_the_first_measurement():
    # RFC 6298 §2.2: SRTT = R, RTTVAR = R/2.
    rtt = estimator()
    rtt.measure(400 * MILLISECOND)
    assert (rtt.srtt, rtt.rttvar) == (400 * MILLISECOND, 200 * MILLISECOND)
    assert rtt.rto == 1200 * MILLISECOND


@pytest.mark.parametrize("milliseconds", [1, 20, 100])
def test_a_short_path_waits_200_ms_longer_than_its_round_trip(milliseconds):
    # Linux puts tcp_rto_min under the variance: 4 * R/2 is below it here, so the first RTO is the last one, too.
    rtt = estimator()
    rtt.measure(milliseconds * MILLISECOND)
    assert rtt.rto == (milliseconds + 200) * MILLISECOND
    rounds(rtt, milliseconds * MILLISECOND, 100)
    assert rtt.rto == (milliseconds + 200) * MILLISECOND


def test_a_steady_long_path_comes_down_to_200_ms_more():
    rtt = estimator()
    seen = []
    for _ in range(30):
        rounds(rtt, 400 * MILLISECOND, 1)
        seen.append(rtt.rto)
    assert seen == sorted(seen, reverse=True)
    assert abs(seen[-1] - 600 * MILLISECOND) < MILLISECOND


def test_how_fast_it_comes_down():
    # In Linux's terms: mdev 800, 600, 450, 337.5; rttvar stays for the first round trip, then goes a quarter of the way
    # to the largest mdev of each.
    rtt = estimator()
    rtt.measure(400 * MILLISECOND)
    seen = [rtt.rto]
    for _ in range(3):
        rounds(rtt, 400 * MILLISECOND, 1)
        seen.append(rtt.rto)
    assert [each // MICROSECOND for each in seen] == [1_200_000, 1_200_000, 1_112_500, 1_018_750]


def test_the_timeout_falls_once_a_round_trip_however_many_samples_it_has():
    few, many = estimator(), estimator()
    rounds(few, 400 * MILLISECOND, 1)
    rounds(many, 400 * MILLISECOND, 1)
    for _ in range(10):
        many.measure(400 * MILLISECOND)
    assert many.rto == few.rto


def test_the_timeout_rises_at_once():
    rtt = estimator()
    rounds(rtt, 100 * MILLISECOND, 20)
    rtt.measure(500 * MILLISECOND)
    # SRTT 150; RTTVAR is 100 after a quarter of 400; so 150 + 400.
    assert rtt.srtt == 150 * MILLISECOND
    assert abs(rtt.rto - 550 * MILLISECOND) < MILLISECOND


def test_a_quicker_path_is_no_reason_to_wait_longer():
    rtt = estimator()
    rounds(rtt, 500 * MILLISECOND, 40)
    before = rtt.rto
    rtt.measure(10 * MILLISECOND)
    assert rtt.rto < before


def test_alpha_and_beta_are_exact():
    rtt = estimator()
    srtt = Fraction(0)
    rttvar = Fraction(0)
    samples = [300, 310, 350, 420, 500, 640, 800]  # rising, where Linux and the RFC agree
    for each in [sample * MILLISECOND for sample in samples]:
        rtt.measure(each)
        if not srtt:
            srtt, rttvar = Fraction(each), Fraction(each, 2)
        else:
            rttvar = Fraction(3, 4) * rttvar + Fraction(1, 4) * abs(srtt - each)
            srtt = Fraction(7, 8) * srtt + Fraction(1, 8) * each
        assert abs(rtt.srtt - srtt) < 10
        assert abs(rtt.rttvar - rttvar) < 10


def test_the_lowest_and_the_latest_sample():
    rtt = estimator()
    for each in (30, 10, 20):
        rtt.measure(each * MILLISECOND)
    assert (rtt.minimum, rtt.latest) == (10 * MILLISECOND, 20 * MILLISECOND)


def test_no_time_at_all_is_a_measurement():
    # Two hosts on a cable without delay.
    rtt = estimator()
    rtt.measure(0)
    assert rtt.srtt > 0
    rounds(rtt, 0, 50)
    assert rtt.srtt > 0
    assert abs(rtt.rto - 200 * MILLISECOND) < MICROSECOND


def test_each_expiry_doubles_the_timeout_up_to_the_limit():
    rtt = estimator()
    rtt.measure(100 * MILLISECOND)
    assert [rtt.backed_off(count) for count in range(4)] == [each * MILLISECOND for each in (300, 600, 1200, 2400)]
    assert rtt.backed_off(9) == 2 * MINUTE
    assert rtt.backed_off(200) == 2 * MINUTE


def test_the_limit_holds_without_backoff():
    rtt = RttEstimator(1 * SECOND, 200 * MILLISECOND, 500 * MILLISECOND)
    assert rtt.rto == 500 * MILLISECOND
    rtt.measure(400 * MILLISECOND)
    assert rtt.rto == 500 * MILLISECOND


def test_a_handshake_that_measured_nothing():
    # RFC 6298 §5.7.
    rtt = estimator()
    rtt.handshake_unmeasured()
    assert rtt.rto == 3 * SECOND
