"""What the experiments about reliability must show, by what TCP demands."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.errors import MisuseError
from netglass.experiments import by_name
from netglass.times import HOUR, MILLISECOND, SECOND
from netglass.trace.describe import flags_match

MS = MILLISECOND


def figures(name: str, **given: int | str) -> dict[str, Any]:
    return by_name(name).run(**given).figures


def test_the_retransmission_timeout_doubles() -> None:
    seen = figures("retransmission-timeout")
    assert seen["rto"] == 240 * MS  # 40 ms and Linux's least variance of 200 ms
    assert seen["gaps"] == [240 * MS, 480 * MS, 960 * MS]
    assert seen["delivered_after"] == 1700 * MS
    assert seen["intact"]
    slower = figures("retransmission-timeout", rtt="100ms", losses=1)
    assert slower["gaps"] == [300 * MS]


def test_the_sender_gives_up_after_some_fifteen_minutes() -> None:
    seen = figures("retransmission-timeout", losses=100)
    assert seen["client_state"] == "CLOSED"
    assert seen["delivered_after"] == -1
    assert 900 * SECOND < seen["gave_up_after"] < 1000 * SECOND
    assert 14 <= len(seen["gaps"]) <= 15  # tcp_retries2 is 15, counted from an RTO of 200 ms: 924.6 s
    assert max(seen["gaps"]) == 120 * SECOND


def test_three_duplicate_acks_repeat_a_segment_after_one_round_trip() -> None:
    seen = figures("fast-retransmit")
    assert seen["duplicate_acks"] == seen["acks_with_sack"] == 3
    assert seen["retransmitted_after"] == [40 * MS]
    assert seen["timeouts"] == 0
    assert seen["complete_after"] == 60 * MS
    assert seen["reads"] == [1000, 4000]
    assert seen["intact"]


def test_two_duplicate_acks_are_not_enough() -> None:
    seen = figures("fast-retransmit", lost=3)
    assert seen["duplicate_acks"] == 2
    assert seen["timeouts"] == 1
    assert seen["retransmitted_after"][0] > 200 * MS
    assert seen["intact"]
    with pytest.raises(MisuseError):
        figures("fast-retransmit", lost=6)


def test_reordering_costs_duplicate_acks_and_no_byte() -> None:
    seen = figures("reordering")
    assert seen["duplicate_acks"] == 2
    assert seen["retransmissions"] == 0
    assert seen["first_read_after"] == 25 * MS
    assert seen["intact"]


def test_much_reordering_looks_like_loss() -> None:
    seen = figures("reordering")
    assert seen["duplicate_acks_of_six"] == 5
    assert seen["retransmissions_of_six"] == 1
    assert seen["dsacks_of_six"] == 1
    assert seen["intact_of_six"]
    assert figures("reordering", overtake=3)["retransmissions"] == 1


def test_a_duplicate_is_thrown_away_and_reported() -> None:
    seen = figures("duplicates")
    assert (seen["sent"], seen["arrived"], seen["thrown_away"]) == (3, 4, 1)
    assert seen["bytes_received"] == seen["bytes_sent"] == 3000
    assert (seen["dsacks"], seen["dsack_bytes"]) == (1, 1000)
    assert seen["retransmissions"] == 0
    assert seen["intact"]
    assert figures("duplicates", copies=3)["thrown_away"] == 3


def test_a_corrupted_segment_is_a_lost_one() -> None:
    seen = figures("corruption")
    assert seen["drops"] == {"tcp-checksum": 1}
    assert len(seen["retransmitted_after"]) == 1
    assert seen["intact"]
    assert "tcp-checksum" not in figures("corruption", bit=70)["drops"]  # in the IP header, which has its own


def test_a_corruption_that_keeps_the_sum_goes_unseen() -> None:
    seen = figures("corruption")
    assert seen["unlucky_drops"] == {}
    assert seen["unlucky_wrong_bytes"] == 2
    assert not seen["unlucky_intact"]


def test_a_closed_window_stops_the_sender_and_probes_find_it_open() -> None:
    seen = figures("zero-window")
    assert 0 in seen["windows"]
    assert seen["sent_while_closed"] == 0
    assert len(seen["probes"]) == 3
    assert seen["probe_gaps"] == [600 * MS, 1200 * MS]
    assert seen["received"] == seen["received_if_lost"] == 6000
    assert seen["done_after_reading"] == 100 * MS
    assert seen["updates_lost"] == 1
    assert seen["done_after_reading_if_lost"] > SECOND
    assert len(figures("zero-window", pause="10s")["probes"]) > 3


def test_without_scaling_a_window_a_round_trip_is_the_limit() -> None:
    seen = figures("window-scaling", megabytes=1)
    assert seen["window"] == 65535
    assert seen["window_scaled"] > 500_000
    assert seen["bandwidth_delay_product"] == 2_500_000
    assert seen["rate_bps"] <= seen["bound_bps"] == 65535 * 8 * 5
    assert seen["rate_scaled_bps"] > 2 * seen["rate_bps"]
    near = figures("window-scaling", megabytes=1, rtt="20ms")
    assert near["took"] < seen["took"] / 5


def test_keepalive_finds_a_dead_peer_and_nothing_else_does() -> None:
    seen = figures("keepalive-dead-peer")
    assert seen["noticed_after"] == [-1, 2 * HOUR + 9 * 75 * SECOND, 90 * SECOND]
    assert seen["probes"] == [0, 9, 3]
    assert seen["errors"] == ["", "ETIMEDOUT", "ETIMEDOUT"]
    assert seen["states"] == ["ESTABLISHED", "CLOSED", "CLOSED"]
    assert seen["probe_times"] == [0, 10 * SECOND, 20 * SECOND]
    assert figures("keepalive-dead-peer", idle="20s", count=1)["noticed_after"][2] == 30 * SECOND


def test_slow_start_doubles_each_round_trip() -> None:
    seen = figures("slow-start")
    assert seen["windows"] == [10, 20, 40, 80]
    assert seen["sent"][:3] == [10, 20, 40]
    assert seen["segments"] == -(-200_000 // 1448)
    assert seen["took"] == 350 * MS
    assert figures("slow-start", initial=3)["windows"][:4] == [3, 6, 12, 24]
    assert figures("slow-start", rtt="200ms")["took"] == 700 * MS


def test_a_loss_ends_slow_start() -> None:
    seen = figures("slow-start", lost=40)
    assert seen["retransmissions"] == 1
    assert max(seen["windows"]) < 80
    assert 0 < seen["ssthresh_at_end"] < 80


def test_nagle_and_delayed_ack_wait_for_each_other() -> None:
    seen = figures("delayed-ack-and-nagle")
    # Two round trips, and the delayed ACK once the connection is a conversation.
    assert seen["two_writes"] == [20 * MS, 60 * MS, 60 * MS]
    assert seen["nodelay"] == seen["one_write"] == [10 * MS] * 3
    assert seen["delayed_acks"] == [2, 0, 0]
    assert seen["segments"] == [6, 6, 3]
    assert figures("delayed-ack-and-nagle", rtt="20ms")["two_writes"][1] == 80 * MS


def test_the_experiments_walk_the_states_and_no_forbidden_way() -> None:
    outcome = by_name("states").run()
    seen = outcome.figures
    assert seen["states"] == 11
    assert seen["unknown"] == []
    assert seen["walked"] >= 12
    assert "FIN-WAIT-1 -> CLOSING" not in seen["missing"]
    assert outcome.diagram.startswith("stateDiagram-v2")
    assert "FIN_WAIT_2 --> TIME_WAIT" in outcome.diagram


def test_only_the_lost_segment_is_marked_lost() -> None:
    part = by_name("fast-retransmit").run().parts[0]
    (lost,) = part.trace.losses()
    assert flags_match(lost.segment, "A")
    assert lost.seq == 1001
