"""The model of a ladder: what belongs to which end of which arrow."""

from __future__ import annotations

import json

import pytest

from netglass import MILLISECOND, SECOND, MisuseError, Network, faults, match
from netglass.experiments import by_name
from netglass.trace import Ladder, Recorder
from netglass.trace.items import NOTE, STATE, Gap, Remark
from netglass.wire.tcp import ACK
from tests.trace.scenes import FLOW, Play, conversation, corrupted, handshake, simultaneous_open, two_losses


def texts(remarks):
    return [each.text for each in remarks]


def alone(ladder):
    return [each for each in ladder.items if isinstance(each, Remark)]


def test_states_stand_at_the_ends_of_their_arrows():
    ladder = Ladder.of(handshake())
    syn, syn_ack, ack = ladder.arrows()
    assert texts(syn.starts) == ["SYN-SENT"]
    assert texts(syn.ends) == ["SYN-RECEIVED", "SYN queue 1"]
    assert (texts(syn_ack.starts), texts(syn_ack.ends)) == ([], ["ESTABLISHED"])
    assert texts(ack.ends) == ["ESTABLISHED", "SYN queue 0", "accept queue 1"]  # the state comes first
    assert alone(ladder) == []
    assert ladder.initial == ["CLOSED", "LISTEN"]
    assert ladder.labels == ["10.0.0.1:40000", "10.0.0.2:80"]


def test_words():
    arrows = Ladder.of(conversation()).arrows()
    assert [" ".join(each.words) for each in arrows[:5]] == [
        "SYN seq=0 win=65535",
        "SYN,ACK seq=0 ack=1 win=65535",
        "ACK seq=1 ack=1 win=1048576",
        "PSH,ACK seq=1 ack=1 len=5",
        "ACK seq=1 ack=6 win=1048576",
    ]
    assert [each.kind for each in arrows[:4]] == ["syn", "syn-ack", "ack", "data"]


def test_a_window_is_told_again_when_it_closes_and_opens():
    play = Play()
    for window in (1000, 900, 500, 0, 0, 600):
        packet = play.packet("client", ACK, 1, 1)
        packet.payload.window = window
        play.leave("client", packet)
        play.now += MILLISECOND
    told = [each.words[-1] for each in Ladder.of(play.trace).arrows()]
    assert told == ["win=1000", "ack=1", "win=500", "win=0", "win=0", "win=600"]


def test_losses_and_timers():
    first, second, third = Ladder.of(two_losses()).arrows()
    assert (first.lost, first.marks, first.arrival_order) == ("drop FIN", [], -1)
    assert (second.lost, second.marks, texts(second.starts)) == (
        "drop FIN",
        ["retransmission"],
        ["retransmission timer"],
    )
    assert (third.lost, third.marks) == ("", ["retransmission"])


def test_what_a_fault_did_is_marked():
    arrows = Ladder.of(conversation(faults.delay(match.third_ack, by="2 s"), faults.duplicate(match.fin))).arrows()
    assert [each.marks for each in arrows if each.marks] == [
        ["delay 2 s third ACK"],
        ["duplicate FIN"],
        ["duplicate FIN"],
    ]


def test_bytes_that_were_no_packet_are_dropped_at_the_arrows_end():
    (arrow,) = Ladder.of(corrupted()).arrows()
    assert (texts(arrow.ends), arrow.marks, arrow.lost) == (["tcp-checksum"], ["corrupt data"], "")


def test_a_syn_that_comes_again_with_an_ack_is_no_retransmission():
    arrows = Ladder.of(simultaneous_open()).arrows()
    assert [each.kind for each in arrows[:4]] == ["syn", "syn", "syn-ack", "syn-ack"]
    assert [each.marks for each in arrows] == [[]] * len(arrows)


def test_a_note_before_its_arrow_and_one_after_what_came():
    net = Network()
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    trace = Recorder()
    net.observe(trace)

    def knock(io):
        io.note("knocks")
        try:
            yield from io.connect("server", 80)
        except ConnectionRefusedError:
            io.note("nobody in")

    client.spawn(knock)
    net.run()
    ladder = Ladder.of(trace)
    syn, rst = ladder.arrows()
    assert texts(alone(ladder)) == ["knocks"]
    assert ladder.items.index(alone(ladder)[0]) < ladder.items.index(syn)
    assert (texts(syn.starts), texts(syn.ends)) == (["SYN-SENT"], ["tcp-closed-port"])
    assert texts(rst.ends) == ["CLOSED", "nobody in"]


def test_hosts_in_between_are_passed_over():
    trace = conversation(faults.drop(match.syn), router=True)
    assert Ladder.of(trace).hosts == ["client", "router", "server"]
    ladder = Ladder.of(trace, hosts=["client", "server"])
    lost, syn = ladder.arrows()[:2]
    assert (lost.lost, lost.source, lost.destination) == ("drop SYN", 0, 1)
    assert (syn.arrives - syn.sent, len(syn.hops)) == (20 * MILLISECOND, 2)
    assert len(ladder.arrows()) == len(trace.sent("client")) + len(trace.sent("server"))


def test_columns_in_the_order_that_was_asked_for():
    ladder = Ladder.of(handshake(), hosts=["server", "client"])
    assert [(each.source, each.destination) for each in ladder.arrows()] == [(1, 0), (0, 1), (1, 0)]
    with pytest.raises(MisuseError, match=r"nothing was recorded of \['tom'\]; there are client, server"):
        Ladder.of(handshake(), hosts=["tom"])


def test_a_part_of_the_time():
    trace = handshake()
    assert len(Ladder.of(trace, start="10 ms", end="15 ms").arrows()) == 1
    late = Ladder.of(trace, start=20 * MILLISECOND)
    assert (late.initial, late.origin, late.since(late.origin)) == (["ESTABLISHED", "SYN-RECEIVED"], 20_000_000, "0")
    assert [each.kind for each in Ladder.of(trace, last=2).arrows()] == ["syn-ack", "ack"]
    with pytest.raises(MisuseError, match="last is a number of packets"):
        Ladder.of(trace, last=0)


def test_what_comes_after_the_end_is_counted():
    trace = conversation(size=20_000)
    whole, part = Ladder.of(trace, elide=False), Ladder.of(trace, end="50 ms", elide=False)
    rest = part.items[-1]
    assert isinstance(rest, Gap)
    assert len(part.arrows()) + rest.arrows == len(whole.arrows())
    assert rest.text.startswith(f"{rest.arrows} more packets, ")
    assert part.text().splitlines()[-1].count("more") == 1
    assert "more packets" in part.svg()
    # A timer that ends a TIME-WAIT is nothing that the picture hides.
    assert not [each for each in Ladder.of(trace, end="1 s").items if isinstance(each, Gap)]


def test_what_an_application_says_when_the_picture_begins_is_in_it():
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")

    def serve(io):
        stream = yield from io.listen(80).accept()
        yield from stream.receive()
        io.note("and now")
        yield from stream.send(b"answer")

    def ask(io):
        stream = yield from io.connect("server", 80)
        yield from stream.send(b"question")

    server.spawn(serve)
    client.spawn(ask)
    net.run(until="1 s")
    first, second = Ladder.of(trace, start=trace.notes("server")[-1].time).items[:2]
    assert isinstance(first, Remark)
    assert first.text == "and now"
    assert not isinstance(second, Remark)


def test_an_old_packet_that_comes_in_from_before_the_start():
    trace = conversation(faults.delay(match.third_ack, by="2 s"))
    ladder = Ladder.of(trace, start="1 s")
    assert ladder.initial == ["CLOSED", "TIME-WAIT"]
    first = ladder.arrows()[0]
    assert first.marks == ["delay 2 s third ACK", "sent 980 ms before"]
    assert (first.sent, first.arrives) == (SECOND, 2030 * MILLISECOND)
    assert json.loads(Ladder.of(trace, start="1 s").json())["items"][0]["sent_ns"] == -980 * MILLISECOND


def test_states_after_an_answer_stand_below_it():
    ladder = by_name("without-2msl").run().parts[0].ladder()
    (ack,) = [each for each in ladder.arrows() if each.lost]
    after = ladder.items[ladder.items.index(ack) + 1 :]
    assert [each.text for each in after[:2] if isinstance(each, Remark)] == ["time-wait timer", "CLOSED"]
    ladder = by_name("time-wait-old-duplicate").run().parts[0].ladder()
    assert texts([each for each in alone(ladder) if each.kind != NOTE]) == ["time-wait timer", "CLOSED"] * 2


def test_a_reset_that_is_ignored_says_so():
    ends, ignored = [part.ladder().arrows()[-1] for part in by_name("time-wait-new-syn").run().parts[1:]]
    assert (ends.kind, texts(ends.ends)) == ("rst", ["CLOSED"])
    assert (ignored.kind, texts(ignored.ends)) == ("rst", ["ignored"])


@pytest.mark.parametrize(("name", "part"), [("keepalive-dead-peer", 0), ("time-wait-old-duplicate", 1)])
def test_a_picture_does_not_begin_within_a_handshake(name, part):
    ladder = by_name(name).run().parts[part].ladder()
    assert (ladder.initial, ladder.arrows()[0].kind) == (["CLOSED", "LISTEN"], "syn")


def test_every_host_has_an_address_if_one_can_be_known():
    assert by_name("filtered").run().parts[0].ladder().labels[1] == "10.0.0.2:80"
    attacker, _, trusted = by_name("isn-guessing").run().parts[0].ladder().labels
    assert attacker.startswith("10.0.0.2:")
    assert trusted == "10.0.2.4:1023"
    assert all(by_name("syn-queue-full").run().parts[0].ladder().labels)
    assert by_name("unreachable").run().parts[0].ladder().labels[1] == "10.0.0.2"  # of its ICMP


def test_a_forged_source_is_shown():
    ladder = by_name("isn-guessing").run().parts[0].ladder()
    forged = [each for each in ladder.arrows() if "1023>80" in each.words]
    assert all("from 10.0.2.4" in each.words for each in forged)
    assert sum("from 10.0.2.4" in each.words for each in ladder.arrows()) == len(forged) == 2


@pytest.mark.parametrize("name", ["filtered", "lost-third-ack-cookies"])
def test_a_listener_without_connections_listens(name):
    assert by_name(name).run().parts[0].ladder().initial == ["CLOSED", "LISTEN"]


def test_only_some_remarks():
    trace = handshake()
    trace.note("client", "shell", "ready", SECOND)
    ladder = Ladder.of(trace, remarks=[NOTE])
    assert texts(ladder.remarks()) == ["ready"]
    assert {each.kind for each in Ladder.of(trace, remarks=[STATE]).remarks()} == {STATE}


def test_several_connections_are_told_apart():
    play = Play(handshake())
    play.now = 40 * MILLISECOND
    play.trace.state_changed("client", (*FLOW[:1], 40001, *FLOW[2:]), "CLOSED", "SYN-SENT", play.now)
    packet = play.packet("client", ACK, 1, 1)
    packet.payload.source_port = 40001
    play.leave("client", packet)
    ladder = Ladder.of(play.trace)
    assert ladder.arrows()[-1].words[0] == "40001>80"
    assert ":40001 SYN-SENT" in texts(ladder.remarks())
    assert ladder.banded == [False, True]
    only = Ladder.of(play.trace, flow=FLOW)
    assert len(only.arrows()) == 3
    assert only.arrows()[0].words[0] == "SYN"


def test_what_repeats_is_left_out_and_counted():
    trace = conversation(size=300_000)
    whole = Ladder.of(trace, elide=False)
    short = Ladder.of(trace)
    gaps = [each for each in short.items if isinstance(each, Gap)]
    assert len(short.arrows()) < 60 < len(whole.arrows())
    assert len(short.arrows()) + sum(each.arrows for each in gaps) == len(whole.arrows())
    drawn = sum(each.first.length for each in short.arrows())
    assert drawn + sum(each.payload for each in gaps) == 300_005
    assert [each.kind for each in short.arrows()].count("fin") == 2  # what is new is never left out


def test_nothing_recorded():
    ladder = Ladder.of(Recorder())
    assert (ladder.hosts, ladder.items) == ([], [])
    assert ladder.text() == "(nothing was recorded)\n"


def test_json():
    model = json.loads(Ladder.of(handshake()).json())
    assert model["hosts"][0] == {"name": "client", "address": "10.0.0.1:40000", "state": "CLOSED"}
    syn = model["items"][0]
    assert (syn["type"], syn["sent_ns"], syn["arrives_ns"], syn["words"][0]) == ("arrow", 0, 10 * MILLISECOND, "SYN")
    assert syn["ends"][0] == {"host": "server", "kind": "state", "text": "SYN-RECEIVED"}
    assert syn["packet"]["flags"] == "SYN"
    assert syn["sender"]["state"] == "SYN-SENT"
    assert json.loads(Ladder.of(two_losses()).json())["items"][0]["arrives_ns"] is None


def test_mermaid():
    assert (
        Ladder.of(handshake()).mermaid()
        == """\
sequenceDiagram
    participant h0 as client<br/>10.0.0.1:40000
    participant h1 as server<br/>10.0.0.2:80
    Note over h0: CLOSED
    Note over h1: LISTEN
    Note over h0: SYN-SENT
    h0->>h1: 0: SYN seq=0 win=65535
    Note over h1: SYN-RECEIVED<br/>SYN queue 1
    h1->>h0: 10 ms: SYN,ACK seq=0 ack=1 win=65535
    Note over h0: ESTABLISHED
    h0->>h1: 20 ms: ACK seq=1 ack=1 win=65535
    Note over h1: ESTABLISHED<br/>SYN queue 0<br/>accept queue 1
"""
    )
    assert "h0-xh1: 0: FIN,ACK seq=1 ack=1 win=65535 ✗ drop FIN" in Ladder.of(two_losses()).mermaid()


def test_a_host_that_talks_to_itself():
    net = Network()
    box, other = net.host("box"), net.host("other")
    net.cable(box, other, delay="5 ms")
    trace = Recorder()
    net.observe(trace)

    def serve(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        yield from stream.receive_all()
        stream.close()

    def ask(io):
        stream = yield from io.connect("box", 80)
        yield from stream.send(b"x" * 50)
        stream.close()
        with pytest.raises(ConnectionRefusedError):
            yield from io.connect("other", 81)

    box.spawn(serve)
    box.spawn(ask)
    net.run()
    ladder = Ladder.of(trace)
    assert ladder.hosts == ["box", "other"]
    turned = [each for each in ladder.arrows() if each.source == each.destination]
    assert [each.kind for each in turned] == ["syn", "syn-ack", "ack", "data", "fin", "ack", "fin", "ack"]
    assert len(ladder.arrows()) == 10  # and the refusal
    assert texts(turned[0].ends) == [":80 SYN-RECEIVED", "SYN queue 1"]
    assert ladder.text().count("◄") == 9  # the RST too
    assert ladder.svg().count("<polyline") == 8
    assert Ladder.of(trace, flow=turned[0].first.flow).text().count("►") == 8


def test_one_column_has_no_arrows_and_tells_what_happened_there():
    ladder = Ladder.of(two_losses(), hosts=["client"])
    assert ladder.arrows() == []
    assert "retransmission" in ladder.text()
