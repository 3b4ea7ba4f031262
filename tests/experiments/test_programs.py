"""What the experiments with real programs tell is what such programs do on Linux."""

from __future__ import annotations

import pytest

from netglass.experiments import by_name
from netglass.times import MILLISECOND


def figures(name, **given):
    return by_name(name).run(**given).figures


# -- epoll-thread-pool


def test_a_slow_client_holds_one_thread_and_nobody_else():
    found = figures("epoll-thread-pool")
    assert found["held"] > 300 * MILLISECOND
    assert found["slow"] > 480 * MILLISECOND  # 60 kB at 1 Mbit/s, without headers
    assert max(found["quick"]) < found["held"]
    assert found["acceptor_sleeps_in"] == ["epoll.poll"]
    assert found["accepted"] == 6


def test_a_pool_of_one_thread_is_stopped_by_a_slow_client():
    outcome = by_name("epoll-thread-pool").run(threads=1)
    assert min(outcome.figures["quick"]) > outcome.figures["held"]
    assert "There is no other thread" in outcome.answer
    assert "There is no other thread" not in by_name("epoll-thread-pool").run(rate=100_000).answer


def test_each_way_to_send_a_file_carries_other_bytes_over_the_border():
    cost = figures("epoll-thread-pool", kilobytes=200)["cost"]
    head = len(b"200000\n")
    assert [cost[way]["read"] for way in ("read", "sendfile", "mmap", "writev")] == [200_000, 0, 0, 200_000]
    assert [cost[way]["inside"] for way in ("read", "sendfile", "mmap", "writev")] == [0, 200_000, 0, 0]
    assert cost["sendfile"]["written"] == head
    assert {cost[way]["written"] for way in ("read", "mmap", "writev")} == {200_000 + head}
    assert cost["read"]["calls"] == 10  # the head, four times a piece of 64 kB in and out, and the end
    assert max(cost[way]["calls"] for way in ("sendfile", "mmap", "writev")) == 2


def test_each_thread_has_a_lane_that_ends_with_the_slow_client():
    outcome = by_name("epoll-thread-pool").run()
    assert outcome.lanes is not None
    lines = outcome.lanes.text(100).splitlines()
    assert [line.split()[0] for line in lines] == ["serve", "worker_0", "worker_1", "worker_2", "worker_3", "0"]
    assert "sendfile(slow) ──" in lines[1]
    assert max(map(len, lines)) <= 100
    assert "+ sendfile(slow) --" in outcome.lanes.text(100, plain=True)
    assert outcome.lanes.text(40, plain=True).isascii()


# -- io-kinds


def test_who_waits_for_one_after_the_other_hears_the_quick_one_with_the_slow_one():
    found = figures("io-kinds")
    assert found["blocking"]["order"] == ["slow", "quick"]
    assert found["blocking"]["answers"] == {"slow": 210 * MILLISECOND, "quick": 210 * MILLISECOND}
    for kind in ("threads", "multiplexed", "asyncio"):
        assert found[kind]["order"] == ["quick", "slow"]
        assert found[kind]["answers"] == {"slow": 210 * MILLISECOND, "quick": 60 * MILLISECOND}


def test_each_kind_sleeps_in_a_place_of_its_own():
    found = figures("io-kinds")
    assert {kind: each["sleeps_in"] for kind, each in found.items()} == {
        "blocking": ["recv"],
        "threads": ["recv"],
        "non-blocking": ["sleep"],
        "multiplexed": ["select"],
        "asyncio": ["epoll.poll"],
    }


def test_only_who_asks_without_knowing_is_told_to_try_again():
    again = {kind: each["again"] for kind, each in figures("io-kinds").items()}
    assert again == {"blocking": 0, "threads": 0, "non-blocking": 14, "multiplexed": 0, "asyncio": 2}
    later = figures("io-kinds", slow="400ms")["non-blocking"]
    assert later["again"] == 24  # ten looks of 20 ms more
    assert later["answers"]["slow"] == 420 * MILLISECOND  # ready after 410


def test_recv_copies_in_the_thread_that_calls_it():
    copied = {kind: each["copied_by"] for kind, each in figures("io-kinds").items()}
    assert copied.pop("threads") == ["for quick", "for slow"]
    assert set(map(tuple, copied.values())) == {("main",)}


# -- epoll-edge-level


def test_level_tells_as_long_as_there_is_something_and_edge_only_of_news():
    found = figures("epoll-edge-level")
    assert found["level"] == {"told": 6, "taken": 12, "left": 0, "again": 0}
    assert found["edge"] == {"told": 2, "taken": 4, "left": 8, "again": 0}
    assert found["edge, until EAGAIN"] == {"told": 2, "taken": 12, "left": 0, "again": 2}


def test_one_shot_is_silent_until_it_is_armed_again():
    found = figures("epoll-edge-level", size=10)
    assert found["one-shot"] == {"told": 1, "taken": 2, "left": 18, "again": 0}
    assert found["one-shot, armed again"] == {"told": 10, "taken": 20, "left": 0, "again": 0}


def test_who_waits_exclusively_is_not_woken_for_nothing():
    found = figures("epoll-edge-level", threads=7)["together"]
    assert found["shared"] == {"told": 3, "taken": 3, "in_vain": 18}
    assert found["exclusive"] == {"told": 3, "taken": 3, "in_vain": 0}


# -- chat-select, chat-poll


@pytest.mark.parametrize(("name", "call"), [("chat-select", "select"), ("chat-poll", "poll")])
def test_one_thread_serves_a_chat_and_sleeps_in_one_place(name, call):
    found = figures(name)
    assert found["heard"] == {
        "ann": ["ben: hello Ann"],
        "ben": ["ann: hello"],
        "eve": ["ann: hello", "ben: hello Ann", "ann: anybody?"],
    }
    assert found["slept_in"] == [call]
    assert found["again"] == 0
    assert found["waits"] == found["told"] == 8  # three arrive, three lines, two leave


def test_poll_says_what_happened_and_select_only_that_something_did():
    assert figures("chat-select")["events"]["ben"] == "POLLIN"
    found = figures("chat-poll")
    assert found["events"]["ben"] == "POLLIN|POLLERR|POLLHUP"  # his RST
    assert found["events"]["ann"] == "POLLIN"  # her FIN
    assert found["like_select"]


def test_the_table_tells_who_was_readable_and_what_was_done():
    table = by_name("chat-select").run().table
    assert table is not None
    assert table.rows[3] == (
        "350 ms",
        "4",
        "ann",
        "recv(ann) returns 11 bytes; sendall(eve) returns 11 bytes; sendall(ben) returns 11 bytes",
    )
    assert [row[3] for row in table.rows if row[2] == "ben"][-1] == "recv(ben): ECONNRESET; close(ben) returns"


def test_each_call_looks_at_everybody():
    few, many = figures("chat-select"), figures("chat-select", silent=50)
    assert (few["most_asked"], many["most_asked"]) == (4, 54)
    assert many["asked"] > 50 * 10


# -- deadlock


def test_two_locks_in_opposite_orders_are_a_deadlock_and_it_is_told_at_once():
    outcome = by_name("deadlock").run()
    assert outcome.figures["found_at"] == 10 * MILLISECOND
    assert outcome.figures["balances"]["giver first"] == {}
    report = "\n".join(outcome.figures["report"])
    assert "deadlock: 2 tasks wait for each other: teller 2 -> teller 1 -> teller 2" in report
    for condition in ("mutual exclusion", "hold and wait", "no preemption", "circular wait"):
        assert f"  {condition}  " in report
    # Each lock by the line that made it, each wait by the line where it is.
    assert len({line.split()[-1] for line in report.splitlines() if " holds the lock " in line}) == 2
    assert report.count("in giver_first") == 2
    assert report.replace("\n", " ") in outcome.answer.replace("\n", " ")
    assert outcome.diagram.count("waits for") == 2


def test_one_order_or_a_time_limit_brings_everybody_home():
    found = figures("deadlock")
    assert found["balances"]["in one order"] == found["balances"]["with a time limit"] == {"Ann": 120, "Ben": 80}
    assert found["held_and_waited"] == [2, 0, 2]
    assert found["gave_up"] == 1


def test_who_is_quick_enough_never_sees_it():
    outcome = by_name("deadlock").run(ledger="0s")
    assert outcome.figures["report"] == []
    assert outcome.figures["balances"]["giver first"] == {"Ann": 120, "Ben": 80}
    assert "hard to find" in outcome.answer
    assert not outcome.diagram


# -- mutex-kinds


def test_the_kinds_differ_in_what_their_owner_may_do_again():
    found = figures("mutex-kinds")
    assert {kind: each["twice"] for kind, each in found.items()} == {
        "timed": "waits for ever",
        "recursive": "locked again, free after two unlocks",
        "errorcheck": "EDEADLK",
        "adaptive": "waits for ever",
    }
    assert {each["anothers"] for each in found.values()} == {"EPERM"}
    assert {each["in_time"] for each in found.values()} == {"gives up after 500 ms"}


def test_an_adaptive_mutex_does_not_sleep_at_short_work():
    found = figures("mutex-kinds")
    assert {kind: each["naps_at_short_work"] for kind, each in found.items()} == {
        "timed": 1,
        "recursive": 1,
        "errorcheck": 1,
        "adaptive": 0,
    }
    assert {each["naps_at_long_work"] for each in found.values()} == {1}
    assert figures("mutex-kinds", turns=500)["adaptive"]["naps_at_short_work"] == 1  # a hundred tries were too few


# -- netstat


def netstat_at(at):
    found = figures("netstat", at=at)
    return {(each["Local Address"], each["Foreign Address"]): each for each in found["lines"]}, found


def test_netstat_shows_half_open_connections_and_what_else_there_is():
    lines, found = netstat_at("1s")
    half_open = lines["10.0.0.1:80", "10.0.0.200:40009"]
    assert (half_open["State"], half_open["Timer"]) == ("SYN_RECV", "on (0.51/0/0)")  # 1 s after its SYN-ACK
    assert found["half_open"] == 1
    assert set(found["states"]) == {
        *("LISTEN", "SYN_RECV", "SYN_SENT", "ESTABLISHED"),
        *("CLOSE_WAIT", "LAST_ACK", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
    }
    unread = lines["10.0.0.1:80", "10.0.0.2:40002"]
    assert (unread["State"], unread["Recv-Q"]) == ("ESTABLISHED", "6")  # b"unread"
    full = lines["10.0.0.1:83", "10.0.0.2:40007"]
    assert int(full["Send-Q"]) > 100_000
    assert full["Timer"].startswith("probe")
    assert lines["0.0.0.0:90", "0.0.0.0:*"]["Recv-Q"] == "1"  # ready for accept()
    assert lines["0.0.0.0:53", "0.0.0.0:*"]["Proto"] == "udp"


def test_lines_of_netstat_go_as_their_timers_do():
    lines, _ = netstat_at("30s")
    assert lines["10.0.0.1:81", "10.0.0.2:40003"]["Timer"] == "timewait (30.05/0/0)"
    lines, found = netstat_at("2min")
    assert found["half_open"] == 0  # given up after 63 s
    assert not {"TIME_WAIT", "FIN_WAIT2", "SYN_RECV"} & set(found["states"])
    assert lines["10.0.0.1:80", "10.0.0.2:40001"]["State"] == "CLOSE_WAIT"  # its program never closes
    assert "SYN_SENT" not in netstat_at("3min")[1]["states"]  # ETIMEDOUT after 131 s
