"""The experiments about opening: what they measure is what the protocol demands, and a changed parameter changes it."""

from __future__ import annotations

import pytest

from netglass import MILLISECOND, SECOND
from netglass.experiments import OPENING, by_name

HALF_RTT = 20 * MILLISECOND


def figures(name, **parameters):
    return by_name(name).run(**parameters).figures


def seconds(times):
    return [time / SECOND for time in times]


def test_handshake():
    found = figures("handshake")
    assert found["segments"] == 3
    assert found["client_states"] == ["CLOSED", "SYN-SENT", "ESTABLISHED"]
    assert found["server_states"] == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
    assert found["acknowledged"] == (found["client_isn"] + 1) % 2**32
    assert found["client_established_after"] == 2 * HALF_RTT
    assert found["server_established_after"] == 3 * HALF_RTT
    assert figures("handshake", rtt="200ms")["client_established_after"] == 200 * MILLISECOND


def test_with_two_segments_an_old_syn_opens_a_ghost():
    found = figures("why-not-two")
    three, two = found["three"], found["two"]
    assert three["syn_arrived_after"] == two["syn_arrived_after"] == 3 * SECOND + HALF_RTT
    assert three["server_states"] == ["LISTEN", "SYN-RECEIVED", "CLOSED"]
    assert not three["accepted"]
    assert two["server_states"] == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
    assert two["accepted"]
    assert two["server_told"] == two["syn_arrived_after"] + 2 * HALF_RTT  # the client's RST: ECONNRESET


def test_the_ghost_of_a_client_that_left_stays():
    outcome = by_name("why-not-two").run(gone="yes")
    three, two = outcome.figures["three"], outcome.figures["two"]
    assert three["resets"] == two["resets"] == 0
    assert three["server_closed_after"] - three["syn_arrived_after"] == 63 * SECOND
    assert not three["ghosts_after_an_hour"]
    assert two["ghosts_after_an_hour"] == ["ESTABLISHED"]
    assert "for the words of a ghost" in outcome.answer


def test_a_fixed_isn_lets_a_blind_attacker_in():
    found = figures("isn-guessing")
    fixed, keyed = found["fixed"], found["rfc6528"]
    assert fixed["isns"] == [1000]
    assert fixed["orders"] == ["open the door"]
    assert fixed["seen_by_attacker"] == 0
    assert keyed["orders"] == []
    assert keyed["missed_by"] > 1_000_000
    assert keyed["resets_to_trusted"] == 1
    assert figures("isn-guessing", isn=77)["fixed"]["isns"] == [77]


def test_the_third_segment_may_carry_data():
    found = figures("third-ack-with-data")
    apart, together = found["apart"], found["together"]
    assert (apart["segments_from_client"], together["segments_from_client"]) == (3, 2)
    assert (apart["bytes_in_third"], together["bytes_in_third"]) == (0, 5)
    assert apart["third_seq"] == together["third_seq"] == 1
    assert apart["bytes_in_syn"] == together["bytes_in_syn"] == 0
    assert together["server_established_after"] == 3 * HALF_RTT


def test_a_lost_syn_is_sent_again():
    found = figures("lost-syn")
    assert seconds(found["syn_times"]) == [0, 1]
    assert found["connected_after"] == SECOND + 2 * HALF_RTT
    assert seconds(figures("lost-syn", losses=2)["syn_times"]) == [0, 1, 3]


def test_after_seven_lost_syns_nobody_connects():
    found = figures("lost-syn", losses=9)
    assert seconds(found["syn_times"]) == [0, 1, 3, 7, 15, 31, 63]
    assert found["connected_after"] == -1
    assert found["server_half_open"] == 0
    assert found["client_states"][-1] == "CLOSED"


def test_a_lost_syn_ack_is_repeated_by_both_ends():
    found = figures("lost-syn-ack")
    assert seconds(found["syn_times"]) == [0, 1]
    assert seconds(found["syn_ack_times"]) == [0.02, 1.02, 1.02]  # by the timer, and for the repeated SYN
    assert found["server_state_meanwhile"] == "SYN-RECEIVED"
    assert found["half_open"] == 1
    assert found["connected_after"] == SECOND + 2 * HALF_RTT


def test_data_completes_the_handshake_whose_third_ack_was_lost():
    found = figures("lost-third-ack-client-first")
    assert found["lost"] == ["drop third ACK"]
    assert found["established_by_data"]
    assert found["server_established_after"] == 160 * MILLISECOND
    assert found["data_ack"] == 1
    assert found["syn_acks"] == 1
    assert found["resets"] == 0


def test_a_client_that_thinks_long_is_overtaken_by_the_syn_ack_timer():
    found = figures("lost-third-ack-client-first", pause="3s")
    assert not found["established_by_data"]
    assert found["server_established_after"] == SECOND + 3 * HALF_RTT
    assert found["syn_acks"] == 2
    assert found["resets"] == 0


def test_a_server_that_speaks_first_sends_its_syn_ack_again():
    found = figures("lost-third-ack-server-first")
    assert seconds(found["syn_ack_times"]) == [0.02, 1.02]
    assert found["client_established_after"] == 2 * HALF_RTT
    assert found["greeting_after"] == SECOND + 4 * HALF_RTT
    assert seconds(figures("lost-third-ack-server-first", losses=2)["syn_ack_times"]) == [0.02, 1.02, 3.02]


def test_a_server_that_has_given_up_tells_nobody():
    outcome = by_name("lost-third-ack-server-first").run(losses=100)
    assert outcome.figures["greeting_after"] == -1
    assert len(outcome.figures["syn_ack_times"]) == 6
    assert "waits for ever" in outcome.answer


def test_under_syn_cookies_the_client_hangs():
    found = figures("lost-third-ack-cookies")
    assert found["syn_acks"] == 1
    assert found["half_open"] == found["server_connections"] == 0
    assert found["client_state_at_the_end"] == "ESTABLISHED"
    assert found["server_established_after"] == -1
    assert found["application_gave_up_after"] == 30 * SECOND + 2 * HALF_RTT
    patient = figures("lost-third-ack-cookies", patience="5s")
    assert patient["application_gave_up_after"] == 5 * SECOND + 2 * HALF_RTT


@pytest.mark.parametrize(
    ("retries", "times", "end"), [(1, [0, 1], 3), (2, [0, 1, 3], 7), (5, [0, 1, 3, 7, 15, 31], 63)]
)
def test_syn_acks_back_off_and_end(retries, times, end):
    found = figures("synack-backoff", retries=retries)
    assert seconds(found["syn_ack_after"]) == times
    assert seconds(found["waits"]) == [2**each for each in range(retries + 1)]
    assert found["given_up_after"] == end * SECOND
    assert found["server_states"] == ["LISTEN", "SYN-RECEIVED", "CLOSED"]
    assert found["half_open_at_the_end"] == 0
    assert not found["accepted"]


def test_a_full_syn_queue_drops_or_sends_cookies():
    found = figures("syn-queue-full")
    without, with_cookies = found["without_cookies"], found["with_cookies"]
    assert without["most_half_open"] == 2  # backlog + 1
    assert without["syns_dropped"] == 2
    assert without["connected_after"] == 3 * SECOND + 2 * HALF_RTT
    assert with_cookies["connected_after"] == 2 * HALF_RTT
    assert with_cookies["cookies"] == 1
    assert with_cookies["syns_dropped"] == 0
    longer = figures("syn-queue-full", backlog=3, retries=2)["without_cookies"]
    assert longer["most_half_open"] == 4
    assert longer["connected_after"] == 7 * SECOND + 2 * HALF_RTT


def test_a_full_accept_queue_ignores_the_third_ack():
    found = figures("accept-queue-full")["third_ack"]
    assert found["most_complete"] == 2  # backlog + 1
    assert found["connect_took"] == 2 * HALF_RTT  # the client's application believes that it is connected
    assert found["dropped"] == 2
    gaps = [after - before for before, after in zip(found["syn_ack_times"], found["syn_ack_times"][1:], strict=False)]
    assert gaps == [SECOND, 2 * SECOND]
    assert found["server_established_after"] - found["client_established_after"] == 3 * SECOND + HALF_RTT
    assert figures("accept-queue-full", busy="500ms")["third_ack"]["dropped"] == 1


def test_a_full_accept_queue_drops_syns_cookies_or_not():
    found = figures("accept-queue-full")
    for run in (found["syn"], found["syn_with_cookies"]):
        assert run["dropped"] == 2
        assert [time - run["syn_times"][0] for time in run["syn_times"]] == [0, SECOND, 3 * SECOND]


def test_refused_takes_one_round_trip():
    found = figures("refused")
    assert found["error"] == "ECONNREFUSED"
    assert found["after"] == 2 * HALF_RTT
    assert (found["segments"], found["resets"]) == (2, 1)
    assert found["client_states"] == ["CLOSED", "SYN-SENT", "CLOSED"]
    assert figures("refused", rtt="500ms")["after"] == SECOND // 2


def test_filtered_takes_two_minutes():
    found = figures("filtered")
    assert found["error"] == "ETIMEDOUT"
    assert found["after"] == 127 * SECOND
    assert found["server_heard"] == 0
    fewer = figures("filtered", retries=2)
    assert seconds(fewer["syn_times"]) == [0, 1, 3]
    assert fewer["after"] == 7 * SECOND


def test_a_router_says_that_there_is_no_way():
    found = figures("unreachable")
    assert found["error"] == "ENETUNREACH"
    assert found["icmp"] == ["network unreachable"]
    assert found["after"] == HALF_RTT
    assert (found["syns"], found["server_heard"]) == (1, 0)


def test_two_syns_that_cross_make_one_connection():
    found = figures("simultaneous-open")
    states = ["CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
    assert found["client_states"] == found["server_states"] == states
    assert found["segments"] == 6, "two SYNs, two SYN-ACKs, and as on Linux an ACK for the SYN that came again"
    assert found["ends_established"] == 2
    assert found["errors"] == []
    assert found["established_after"] == 2 * HALF_RTT


def test_syns_that_do_not_cross_are_refused():
    outcome = by_name("simultaneous-open").run(apart="30ms")
    assert outcome.figures["ends_established"] == 0
    assert "ECONNREFUSED" in outcome.figures["errors"]
    assert "RST" in outcome.answer


def test_syn_and_fin_gets_three_answers():
    found = figures("syn-and-fin")
    listen, syn_sent, established = found["listen"], found["syn_sent"], found["established"]
    assert listen["drops"] == ["syn-fin"]
    assert listen["answers"] == []
    assert listen["heard_after"] == SECOND + 160 * MILLISECOND  # by the second, plain SYN
    assert (syn_sent["state_before"], syn_sent["state_after"]) == ("SYN-SENT", "ESTABLISHED")
    assert "CLOSE-WAIT" not in syn_sent["client_states"]
    assert (established["state_before"], established["state_after"]) == ("ESTABLISHED", "ESTABLISHED")
    assert established["answers"] == ["ACK"]
    assert established["counters"]["challenge-syn"] == 1
    assert established["resets"] == 0
    assert established["heard_after"] == 400 * MILLISECOND


def test_a_server_that_accepts_in_time_is_said_to():
    outcome = by_name("accept-queue-full").run(busy="10ms")
    assert outcome.figures["third_ack"]["dropped"] == 0
    assert "too early for its accept queue to be full" in outcome.answer


@pytest.mark.parametrize("rtt", ["1ms", "900ms"])
@pytest.mark.parametrize("name", OPENING)
def test_no_round_trip_time_breaks_an_answer(name, rtt):
    outcome = by_name(name.replace("_", "-")).run(rtt=rtt)
    assert "-1" not in outcome.answer.split()
    assert " -" not in outcome.answer.replace(" ->", "").replace(" --", "")  # no negative times


def test_the_third_ack_finds_the_queue_full_on_the_shortest_path_too():
    found = figures("accept-queue-full", rtt="8us")["third_ack"]
    assert found["connect_took"] == 8_000
    assert found["dropped"] == 2
