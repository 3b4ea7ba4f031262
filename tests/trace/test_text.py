"""The ladder in a terminal."""

from __future__ import annotations

import re

import pytest

from netglass import MILLISECOND, MisuseError, faults, match
from netglass.experiments import by_name
from netglass.trace import Ladder
from netglass.trace.cells import width_of
from netglass.wire.tcp import ACK
from tests.trace.scenes import SCENES, Play, conversation, handshake, two_losses


def test_the_handshake():
    assert (
        Ladder.of(handshake()).text()
        == """\
                client                                       server
            10.0.0.1:40000                                 10.0.0.2:80
            CLOSED │                                            │ LISTEN
    0     SYN-SENT ├─ SYN seq=0 win=65535 ───────────╮          │
10 ms              │                                 ╰─────────►│ SYN-RECEIVED
                   │                                            │ SYN queue 1
                   │          ╭─ SYN,ACK seq=0 ack=1 win=65535 ─┤
20 ms  ESTABLISHED │◄─────────╯                                 │
                   ├─ ACK seq=1 ack=1 win=65535 ─────╮          │
30 ms              │                                 ╰─────────►│ ESTABLISHED
                   │                                            │ SYN queue 0
                   │                                            │ accept queue 1
"""
    )


def test_the_handshake_in_ascii():
    drawn = Ladder.of(handshake()).text(ascii=True)
    assert drawn.isascii()
    assert drawn.splitlines()[3:5] == [
        "    0     SYN-SENT +- SYN seq=0 win=65535 -----------+          |",
        "10 ms              |                                 +--------->| SYN-RECEIVED",
    ]


def test_losses():
    drawn = Ladder.of(two_losses()).text(100)
    assert "FIN,ACK seq=1 ack=1 win=65535 ─✗ drop FIN" in drawn
    assert "FIN,ACK seq=1 ack=1 [retransmission] ─✗ drop FIN" in drawn
    assert "retransmission timer ├─" in drawn


def test_arrows_that_cross_can_be_followed():
    play = Play()
    there = play.packet("client", ACK, 1, 1)
    back = play.packet("server", ACK, 1, 1)
    play.leave("client", there)
    play.leave("server", back)
    play.now += 10 * MILLISECOND
    play.reach("server", there)
    play.reach("client", back)
    assert (
        Ladder.of(play.trace).text(60)
        == """\
     client                                           server
 10.0.0.1:40000                                  10.0.0.2:80
        │                                                 │
    0   ├─ ACK seq=1 ack=1 win=65535 ─────────╮           │
        │           ╭─────── ACK seq=1 ack=1 ─┼───────────┤
        │           │              win=65535  │           │
10 ms   │           │                         ╰──────────►│
        │◄──────────╯                                     │
"""
    )


@pytest.mark.parametrize("width", [70, 80, 120])
@pytest.mark.parametrize("scene", SCENES)
def test_no_line_is_too_long(scene, width):
    for ascii_only in (False, True):
        drawn = Ladder.of(SCENES[scene]()).text(width, ascii=ascii_only)
        assert max(len(line) for line in drawn.splitlines()) <= width


@pytest.mark.parametrize("scene", SCENES)
def test_everything_is_said(scene):
    ladder = Ladder.of(SCENES[scene]())
    drawn = ladder.text(120)
    flat = re.sub(r"[^\w=,>.-]", "", drawn)
    for arrow in ladder.arrows():
        assert drawn.count("►") + drawn.count("◄") == len([each for each in ladder.arrows() if not each.lost])
        assert all(word.split("=")[0] in flat for word in arrow.words)
    for remark in ladder.remarks():
        assert all(word in drawn for word in remark.text.split("-"))


@pytest.mark.parametrize("scene", SCENES)
def test_colours_change_nothing_else(scene):
    ladder = Ladder.of(SCENES[scene]())
    coloured = ladder.text(colour=True)
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == ladder.text().splitlines()


def test_a_crowd_takes_one_row_each_and_says_when_it_arrives():
    drawn = Ladder.of(conversation(size=20_000, rate="10 Mbit/s")).text(100)
    rows = [line for line in drawn.splitlines() if "len=1448" in line]
    assert len(rows) > 6
    assert all("◄" in row and " ms ─" in row for row in rows[:6])


def test_a_crowd_never_overwrites_its_labels():
    (_, crowd) = by_name("reordering").run().parts
    rows = [line for line in crowd.ladder().text(80).splitlines() if "►" in line and "├" in line]
    assert len(rows) >= 6
    assert all(re.search(r" ─+ \d+ ms ─►", row) for row in rows[:6])


def test_a_long_mark_leaves_the_wires_whole():
    (_, second) = by_name("corruption").run().parts
    lines = second.ladder().text(80).splitlines()
    assert "".join(lines).count("╮") == "".join(lines).count("╰")


def test_long_transfers_stay_short():
    drawn = Ladder.of(conversation(size=3_000_000, rate="100 Mbit/s")).text()
    assert len(drawn.splitlines()) < 150
    assert re.search(r"[\d,]+ packets, [\d,]+ bytes", drawn)


def test_notes_in_chinese_keep_the_columns():
    trace = handshake()
    trace.note("client", "shell", "连接已建立", 30 * MILLISECOND)
    line = next(line for line in Ladder.of(trace).text().splitlines() if "连接已建立" in line)
    assert width_of(line[: line.index("│")]) == Ladder.of(trace).text().splitlines()[2].index("│")


def test_a_router_between():
    drawn = Ladder.of(conversation(router=True)).text(100)
    assert drawn.splitlines()[0].split() == ["client", "router", "server"]
    assert all(line.count("│") + line.count("├") + line.count("┤") >= 3 for line in drawn.splitlines()[2:])


def test_too_narrow_is_refused():
    with pytest.raises(MisuseError, match="a ladder needs 40 columns or more; width is 39"):
        Ladder.of(handshake()).text(39)
    with pytest.raises(MisuseError, match="3 hosts do not fit into 44 columns"):
        Ladder.of(conversation(router=True)).text(44)


def test_a_width_that_fits_is_known():
    ladder = Ladder.of(conversation(router=True))
    least = ladder.fitting_width(40)
    assert 60 < least < 80
    assert max(len(line) for line in ladder.text(least).splitlines()) <= least
    assert Ladder.of(handshake()).fitting_width(40) < least
    assert [ladder.fitting_width(width) for width in (least - 5, 80)] == [least - 5, 80]  # as narrow as was asked for


def test_addresses_never_touch():
    ladder = by_name("isn-guessing").run().parts[0].ladder()
    assert ladder.text(ladder.fitting_width(40)).splitlines()[1].split()[1:] == ["10.0.1.3:80", "10.0.2.4:1023"]
    assert ladder.text(58).splitlines()[1].split() == ["10.0.0.2", "10.0.1.3", "10.0.2.4"]


def test_no_remark_stands_beside_a_gap():
    drawn = by_name("window-scaling").run(megabytes=1).parts[0].ladder().text()
    (line,) = [line for line in drawn.splitlines() if "more" in line]
    assert line.endswith("┊")


def test_nothing_a_peer_sends_moves_the_cursor():
    trace = handshake()
    trace.note("client", "shell", "\x1b[2J\r\nhello", 30 * MILLISECOND)
    assert "\x1b" not in Ladder.of(trace).text()
    assert "\r" not in Ladder.of(trace).text()


def test_a_delayed_packet_arrives_where_its_time_is():
    drawn = Ladder.of(conversation(faults.delay(match.third_ack, by="2 s"))).text()
    (line,) = [line for line in drawn.splitlines() if line.lstrip().startswith("2.03 s")]
    assert line.rstrip("│ ").endswith("►")
