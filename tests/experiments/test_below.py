"""ping, traceroute, fragmentation, overlap-attack: figures that are known beforehand."""

from __future__ import annotations

from netglass.experiments import by_name
from netglass.times import MILLISECOND, NEVER, SECOND


def test_ping_says_who_answers_and_silence_says_nothing():
    outcome = by_name("ping").run()
    figures = outcome.figures
    assert figures["says"] == ["echo reply", "echo reply", "time exceeded", "unreachable", ""]
    assert figures["from"] == ["server", "server", "router", "router", ""]
    assert figures["times"] == [40 * MILLISECOND, 40 * MILLISECOND, 20 * MILLISECOND, 20 * MILLISECOND, NEVER]
    assert (figures["ttl"], figures["fragments"], figures["sockets"]) == (63, 3, 0)
    assert outcome.table is not None
    assert by_name("ping").run(size=100).figures["fragments"] == 0
    assert by_name("ping").run(size=65507).figures["says"][1] == "echo reply"


def test_traceroute_names_every_router_and_explains_the_stars():
    figures = by_name("traceroute").run(routers=3).figures
    assert figures["names"] == ["router1", "router2", "router3", "server"]
    assert figures["times"] == [10 * MILLISECOND, 20 * MILLISECOND, 30 * MILLISECOND, 40 * MILLISECOND]
    assert figures["says"] == ["time exceeded"] * 3 + ["port unreachable"]
    assert figures["unanswered"][-1] == 0
    assert sum(figures["unanswered"]) == sum(figures["limited"]) > 0
    assert by_name("traceroute").run(routers=1).figures["names"] == ["router1", "server"]


def test_fragmentation_cuts_twice_loses_whole_and_is_refused_when_unwanted():
    figures = by_name("fragmentation").run().figures
    # 3,008 bytes in pieces of 1,480, then in pieces of 976.
    assert (figures["from_client"], figures["from_router"]) == (3, 5)
    assert figures["heard"] == [3000]
    assert figures["lost_heard"] == []
    assert figures["given_up_after"] == 30 * SECOND
    assert figures["told"] == 1
    assert figures["refused"] == ["sent", "EMSGSIZE"]
    assert figures["refused_heard"] == []
    assert figures["six_heard"] == [3000]
    assert figures["six_cut_by_router"] < 0  # some never got through, none was cut
    assert figures["six_too_big"] == 2


def test_an_overlap_gets_past_a_filter_only_where_the_last_wins():
    outcome = by_name("overlap-attack").run()
    figures = outcome.figures
    assert figures["stolen"] == {"last wins": "the secret", "first wins": "", "drop all": ""}
    assert figures["drops"] == {
        "last wins": {},
        "first wins": {"tcp-checksum": 1},
        "drop all": {"ip-fragment-overlap": 1},
    }
    assert figures["states"]["last wins"] == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
    assert figures["filtered"] >= 1
    assert "RFC 5722" in outcome.answer
