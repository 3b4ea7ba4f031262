"""The picture: where things stand, and that what is drawn is well-formed and complete."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest

from netglass import Network, faults, match
from netglass.experiments import by_name
from netglass.trace import Ladder, Recorder
from netglass.trace.geometry import crosses, overlap
from netglass.trace.layout import TITLE, cut_text, lay_out, note_corners
from netglass.trace.metrics import text_width
from tests.trace.scenes import SCENES, conversation, handshake

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=SCENES, scope="module")
def ladder(request):
    return Ladder.of(SCENES[request.param]())


def labels(layout):
    return [(placed, label) for placed in layout.arrows for label in placed.labels]


def test_no_label_covers_another(ladder):
    for (_, one), (_, other) in combinations(labels(lay_out(ladder)), 2):
        assert not overlap(one.corners(), other.corners()), (one.text, other.text)


def test_no_arrow_runs_through_a_label(ladder):
    layout = lay_out(ladder)
    for placed, label in labels(layout):
        for other in layout.arrows:
            if other is not placed:
                assert not crosses((other.begin, other.end), label.corners()), (label.text, other.arrow.words)


def test_time_never_runs_upwards(ladder):
    layout = lay_out(ladder)
    places = [(each.arrow.sent, each.begin[1]) for each in layout.arrows]
    places += [(each.arrow.arrives, each.end[1]) for each in layout.arrows if not each.arrow.lost]
    for (one, above), (other, below) in combinations(places, 2):
        assert one == other or (one < other) == (above < below) or above == below
    assert all(each.end[1] >= each.begin[1] for each in layout.arrows)


def test_everything_lies_within_the_picture(ladder):
    layout = lay_out(ladder, "A title")
    points = [point for each in layout.arrows for point in (each.begin, each.end)]
    points += [corner for _, label in labels(layout) for corner in label.corners()]
    points += [each.at for each in layout.remarks]
    assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in points)


def test_remarks_do_not_cover_each_other(ladder):
    lines = sorted((each.at[0] > 300, each.remark.column, each.at[1]) for each in lay_out(ladder).remarks)
    for (side, column, above), (other_side, other_column, below) in pairwise(lines):
        assert (side, column) != (other_side, other_column) or below - above >= 14


def test_equal_delays_have_equal_slants():
    syn, syn_ack, ack = lay_out(Ladder.of(handshake())).arrows
    falls = [each.end[1] - each.begin[1] for each in (syn, syn_ack, ack)]
    assert max(falls) - min(falls) < 10


def test_bands_show_every_state_from_top_to_bottom():
    layout = lay_out(Ladder.of(handshake()))
    for lane, states in ((0, ["CLOSED", "SYN-SENT", "ESTABLISHED"]), (1, ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"])):
        bands = [each for each in layout.bands if each.lane == lane]
        assert [each.state for each in bands] == states
        assert (bands[0].top, bands[-1].bottom) == (layout.top, layout.bottom)
        assert [each.bottom for each in bands[:-1]] == [each.top for each in bands[1:]]


def test_a_long_wait_is_cut_and_marked():
    layout = lay_out(Ladder.of(conversation()))
    (cut,) = layout.cuts
    assert cut.duration > 59 * 10**9
    assert layout.height < 1000
    assert "59.99 s later" in Ladder.of(conversation()).svg()


def part_of(name, number=0, **options):
    return by_name(name).run(**options).parts[number].ladder()


@pytest.mark.parametrize(("name", "part"), [("why-not-two", 0), ("why-not-two", 1), ("slow-start", 0)])
def test_no_label_covers_what_stands_between_the_lifelines(name, part):
    layout = lay_out(part_of(name, part))
    notes = [note_corners(layout, cut_text(each), 12, each.y) for each in layout.cuts]
    notes += [note_corners(layout, each.gap.text, 12, each.y) for each in layout.gaps]
    assert notes
    assert not [label.text for _, label in labels(layout) for note in notes if overlap(label.corners(), note)]


def test_a_lost_arrow_is_parallel_to_its_neighbours_and_crosses_none():
    layout = lay_out(part_of("fast-retransmit"))
    flight = list(layout.arrows[:5])
    slopes = [(each.end[1] - each.begin[1]) / (each.end[0] - each.begin[0]) for each in flight]
    assert flight[1].arrow.lost
    assert max(slopes) - min(slopes) < 0.02
    (reason,) = [label for label in flight[1].labels if label.text == flight[1].arrow.lost]
    assert not [each for each in flight if each is not flight[1] and crosses((each.begin, each.end), reason.corners())]


@pytest.mark.parametrize("name", ["lost-last-ack", "fast-retransmit", "lost-syn", "filtered"])
def test_why_a_packet_is_lost_stands_before_the_far_lifeline(name):
    layout = lay_out(part_of(name))
    lost = [each for each in layout.arrows if each.arrow.lost]
    assert lost
    for placed in lost:
        for label in placed.labels:
            assert all(layout.lanes[0].right < x < layout.lanes[1].left for x, _ in label.corners())


def test_long_words_take_two_lines():
    layout = lay_out(part_of("isn-guessing", 1))
    for placed, label in labels(layout):
        low, high = sorted((placed.begin[0], placed.far or placed.end[0]))
        assert all(low - 6 <= x <= high + 6 for x, _ in label.corners()), label.text


def test_a_title_has_lines_and_is_never_cut_off():
    drawn = Ladder.of(handshake()).svg("What is it?\n" + "a long line " * 20)
    layout = lay_out(Ladder.of(handshake()), "What is it?\n" + "a long line " * 20)
    assert layout.title[0] == "What is it?"
    assert len(layout.title) > 3
    assert all(text_width(line, TITLE, True) + 36 <= layout.width + 1 for line in layout.title)
    assert all(f">{line}</text>" in drawn for line in layout.title if line)
    assert layout.width == lay_out(Ladder.of(handshake())).width


def test_every_time_stands_on_the_axis_once():
    layout = lay_out(part_of("slow-start"))
    texts = [each.text for each in layout.ticks]
    assert len(texts) == len(set(texts))
    assert "0 ns" not in part_of("slow-start").svg()


def test_it_is_well_formed_and_needs_nothing_from_outside(ladder):
    drawn = ladder.svg("<Title> & more")
    root = ET.fromstring(drawn)
    width, height = root.get("width"), root.get("height")
    assert root.get("viewBox") == f"0 0 {width} {height}"
    assert root.findtext(f"{SVG}title") == "<Title> & more"
    assert not re.search(r"(href|src|url\()", drawn)
    assert drawn == ladder.svg("<Title> & more")


def test_every_arrow_is_drawn(ladder):
    root = ET.fromstring(ladder.svg())
    groups = [each for each in root.iter(f"{SVG}g") if each.get("class") == "ng-arrow"]
    assert len(groups) == len(ladder.arrows())
    for group, arrow in zip(groups, ladder.arrows(), strict=True):
        said = " ".join(group.itertext())
        assert all(word in said for word in arrow.words)
        heads = group.findall(f"{SVG}polygon")
        crosses_drawn = [each for each in group.findall(f"{SVG}path") if "ng-cross" in (each.get("class") or "")]
        assert (len(heads), len(crosses_drawn)) == ((0, 1) if arrow.lost else (1, 0))


def test_every_class_that_is_used_has_a_rule(ladder):
    drawn = ladder.svg()
    used = {name for names in re.findall(r'class="([^"]+)"', drawn) for name in names.split()}
    ruled = set(re.findall(r"\.(ng-[\w-]+)", drawn))
    assert used - ruled <= {"netglass", "ng-arrow"}


def test_a_loss_tells_its_fault():
    drawn = Ladder.of(conversation(faults.drop(match.third_ack))).svg()
    assert "drop third ACK" in drawn
    assert "lost: drop third ACK" in drawn


def test_both_papers_are_there_for_a_picture_of_its_own():
    assert "prefers-color-scheme:dark" in Ladder.of(handshake()).svg()


def test_a_cut_does_not_cross_what_is_lost_before_it():
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", faults=[faults.drop(match.udp)])

    def ask(io):
        socket = io.udp()
        for _ in range(2):
            io.note("asks")
            yield from socket.send_to(b"who?", "server", 53)
            yield from io.sleep("2 s")

    client.spawn(ask)
    net.run(until="3 s")
    layout = lay_out(Ladder.of(trace))
    lost = layout.arrows[0]
    assert lost.arrow.lost
    assert [cut.y > lost.end[1] + 15 for cut in layout.cuts] == [True]
