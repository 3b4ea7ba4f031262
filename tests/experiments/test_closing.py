"""What the experiments about closing must show, by what TCP demands."""

from __future__ import annotations

from typing import Any

from netglass.experiments import by_name
from netglass.experiments.experiment import Outcome
from netglass.times import MILLISECOND, SECOND

MS = MILLISECOND
TIME_WAIT = 60 * SECOND
ACTIVE = ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"]
PASSIVE = ["ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]


def show(name: str, **given: int | str) -> Outcome:
    return by_name(name).run(**given)


def figures(name: str, **given: int | str) -> dict[str, Any]:
    return show(name, **given).figures


def test_a_close_takes_four_segments_and_leaves_the_first_closer_in_time_wait() -> None:
    outcome = show("close")
    seen = outcome.figures
    assert seen["segments"] == 4
    assert seen["client_states"] == ACTIVE
    assert seen["server_states"] == PASSIVE
    assert seen["client_fin_acknowledged"] == seen["client_fin"] + 1
    assert seen["server_fin_acknowledged"] == seen["server_fin"] + 1
    assert seen["time_wait"] == TIME_WAIT
    assert seen["close_wait"] == 100 * MS
    assert "CLOSE-WAIT for 100 ms" in outcome.answer


def test_the_server_stays_in_close_wait_as_long_as_its_application_works() -> None:
    assert figures("close", work="3 s")["close_wait"] == 3 * SECOND


def test_time_wait_is_at_the_end_that_closes_first() -> None:
    seen = figures("close-from-server")
    assert seen["server_states"] == ACTIVE
    assert seen["client_states"] == PASSIVE
    assert seen["server_sockets_10s_later"] == ["LISTEN", "TIME-WAIT"]
    assert seen["client_sockets_10s_later"] == []


def test_a_delayed_ack_that_meets_the_fin_saves_a_segment() -> None:
    three = figures("three-segment-close")
    assert three["segments"] == 3
    assert three["fin_acknowledged_after"] == 0
    assert three["fin_wait_2"] == 0
    four = figures("three-segment-close", work="41ms")
    assert four["segments"] == 4
    assert four["fin_acknowledged_after"] == four["delayed_ack"] == 40 * MS
    assert four["fin_wait_2"] > 0
    assert figures("three-segment-close", work="39ms")["segments"] == 3


def test_data_flows_on_after_a_half_close_and_not_after_a_close() -> None:
    seen = figures("half-close")
    assert seen["client_states"] == ACTIVE[:-1]
    assert seen["server_states"] == PASSIVE
    assert seen["segments_after_fin"] == 2
    assert seen["bytes_received"] == 200
    assert seen["bytes_received_after_close"] == 0
    assert seen["resets_after_close"] == 1
    assert seen["server_errors_after_close"] == ["EPIPE"]
    assert figures("half-close", answers=5)["bytes_received"] == 500


def test_a_lost_fin_is_sent_again() -> None:
    seen = figures("lost-fin")
    assert seen["fins_sent"] == 2
    assert seen["gaps"] == [240 * MS]  # the measured RTT of 40 ms and Linux's least variance of 200 ms
    assert seen["fin_wait_1"] == 280 * MS
    assert seen["client_states"] == ACTIVE
    assert figures("lost-fin", losses=3)["gaps"] == [240 * MS, 480 * MS, 960 * MS]


def test_a_lost_last_ack_is_answered_again_and_time_wait_starts_over() -> None:
    seen = figures("lost-last-ack")
    assert seen["server_fins"] == 2
    assert seen["client_states"] == ACTIVE
    assert seen["server_states"] == PASSIVE
    assert seen["time_wait"] == TIME_WAIT + seen["time_wait_restarted_after"]
    assert seen["time_wait_after_last_fin"] == TIME_WAIT
    assert seen["time_wait_restarted_after"] == 240 * MS
    assert figures("lost-last-ack", losses=2)["server_fins"] == 3


def test_without_time_wait_the_repeated_fin_gets_a_reset() -> None:
    seen = figures("without-2msl")
    assert seen["time_wait"] == 0
    assert seen["resets"] == 1
    assert seen["server_error"] == "ECONNRESET"
    assert seen["time_wait_normally"] > TIME_WAIT
    assert seen["resets_normally"] == 0
    assert seen["server_error_normally"] == ""


def test_a_short_time_wait_is_enough_if_it_outlives_the_repeated_fin() -> None:
    assert figures("without-2msl", msl="100ms")["resets"] == 1
    seen = figures("without-2msl", msl="1s")
    assert seen["resets"] == 0
    assert seen["server_error"] == ""


def test_an_old_duplicate_enters_a_new_connection_unless_something_stops_it() -> None:
    outcome = show("time-wait-old-duplicate")
    seen = outcome.figures
    right = ["pay 100", "pay 200"]
    assert seen["orders"] == [["pay 100"], ["pay 100", "pay 100"], right, right]
    assert seen["second_connect"] == ["EADDRNOTAVAIL", "connected", "connected", "connected"]
    assert seen["stopped_by"] == [
        "no connection there",
        "nothing",
        "its sequence number",
        "its timestamp (PAWS)",
    ]


def test_an_old_duplicate_that_comes_before_the_new_connection_does_no_harm() -> None:
    assert figures("time-wait-old-duplicate", late="1s")["orders"][1] == ["pay 100", "pay 200"]


def test_a_new_syn_may_end_time_wait_and_an_old_one_is_answered_with_an_ack() -> None:
    seen = figures("time-wait-new-syn")
    assert seen["newer_syn_accepted"] == 1
    assert seen["time_wait_newer"] < 10 * SECOND
    assert seen["older_syn_acks"] == 1
    assert seen["older_syn_syn_acks"] == 0
    assert seen["resets"] == 1
    assert seen["time_wait_assassinated"] < 10 * SECOND
    assert seen["time_wait_older"] == TIME_WAIT
    later = figures("time-wait-new-syn", after="20s")
    assert later["time_wait_newer"] == seen["time_wait_newer"] + 15 * SECOND


def test_a_simultaneous_close_goes_through_closing_at_both_ends() -> None:
    seen = figures("simultaneous-close")
    way = ["ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT", "CLOSED"]
    assert seen["client_states"] == way
    assert seen["server_states"] == way
    assert seen["segments"] == 4
    assert seen["closing"] == 20 * MS
    assert seen["in_time_wait"] == ["client", "server"]


def test_a_close_that_comes_later_is_not_simultaneous() -> None:
    assert figures("simultaneous-close", later="19ms")["in_time_wait"] == ["client", "server"]
    seen = figures("simultaneous-close", later="21ms")
    assert seen["client_states"] == ACTIVE
    assert seen["in_time_wait"] == ["client"]


def test_a_reset_is_one_segment_and_an_error_once() -> None:
    seen = figures("reset")
    assert seen["segments"] == 1
    assert seen["client_states"] == seen["server_states"] == ["ESTABLISHED", "CLOSED"]
    assert seen["server_calls"] == ["ECONNRESET", "0 bytes", "EPIPE"]
    assert seen["over_after"] == 20 * MS
    assert figures("reset", rtt="100ms")["over_after"] == 50 * MS


def test_close_with_unread_data_resets() -> None:
    seen = figures("unread-data-resets")
    assert (seen["resets"] >= 1, seen["fins"]) == (True, 0)
    assert seen["ending"] == "ECONNRESET"
    assert seen["server_states"] == ["ESTABLISHED", "CLOSED"]
    assert (seen["received_if_answer_lost"], seen["ending_if_answer_lost"]) == (0, "ECONNRESET")
    assert seen["received_if_answer_lost_and_all_was_read"] == seen["received"] == 34
    assert seen["ending_if_all_was_read"] == "end of stream"
    assert seen["server_states_if_all_was_read"] == ACTIVE[:-1]


def test_close_without_unread_data_does_not_reset() -> None:
    seen = figures("unread-data-resets", body=0)
    assert (seen["resets"], seen["fins"]) == (0, 1)
    assert seen["ending"] == "end of stream"


def test_linger() -> None:
    seen = figures("linger")
    off, zero, some, gone = range(4)
    assert seen["close_took"] == [0, 0, 80 * MS, 5 * SECOND]  # two round trips; the time that was set
    assert seen["received"][off] == seen["received"][some] == 5000
    assert seen["received"][zero] == 2 * 1448
    assert seen["received"][gone] == 0
    assert seen["ending"][:3] == ["end of stream", "ECONNRESET", "end of stream"]
    assert seen["resets"] == 1
    assert seen["client_states"][zero] == ["ESTABLISHED", "CLOSED"]
    assert figures("linger", time="2s")["close_took"][gone] == 2 * SECOND


def test_both_sockets_need_reuseaddr() -> None:
    seen = figures("reuseaddr")
    assert (seen["neither"], seen["only_new"], seen["only_old"]) == ("EADDRINUSE",) * 3
    assert seen["both"] == "works"
    assert seen["time_wait_left"] == [1, 1, 1, 1]


def test_after_time_wait_nobody_needs_reuseaddr() -> None:
    seen = figures("reuseaddr", pause="61s")
    assert seen["neither"] == "works"
    assert seen["time_wait_left"] == [0, 0, 0, 0]


def test_out_of_ports_is_never_refused() -> None:
    seen = figures("out-of-ports")
    assert [result for _, result in seen["results"]] == [
        "EADDRNOTAVAIL",
        "works",
        "EADDRINUSE",
        "EADDRNOTAVAIL",
        "works",
        "works",
    ]
    assert seen["refused"] == 0
    assert seen["default_ports"] == 28232
    assert "here 5" in show("out-of-ports", ports=5).answer
