"""Which numbers stand on an arrow, and what is called a repetition."""

from __future__ import annotations

import pytest

from netglass import Network, match
from netglass.experiments import by_name
from netglass.lab.segments import forge
from netglass.network.fault import Verdict
from netglass.network.faults import ExactFault
from netglass.trace import Ladder, Recorder
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.tcp import FIN, SYN, TcpSegment
from tests.trace.scenes import conversation


class SetSynAndFin(ExactFault):
    """Another packet in the place of the one that was sent."""

    def __init__(self, matcher):
        super().__init__("SYN and FIN in", matcher, 1, 1)

    def verdict(self, packet, rng):
        old = packet.payload
        new = TcpSegment(old.source_port, old.destination_port, old.seq, old.ack, old.flags | SYN | FIN, old.window)
        new.chunks, new.length, new.options = old.chunks, old.length, old.options
        return Verdict(packet=IpPacket(packet.source, packet.destination, TCP, new, packet.ttl))


def marks(arrows):
    return [mark for each in arrows for mark in each.marks]


def arrows_of(name, part=0, **options):
    return by_name(name).run(**options).parts[part].ladder().arrows()


@pytest.mark.parametrize("router", [False, True])
def test_a_syn_that_a_fault_replaced_was_sent_by_its_host_all_the_same(router):
    trace = conversation(SetSynAndFin(match.syn), router=router)
    arrows = Ladder.of(trace, hosts=["client", "server"]).arrows()
    assert arrows[0].words[0] == "FIN,SYN"
    assert [each.text for each in arrows[0].starts] == ["SYN-SENT"]
    # The client sent a SYN twice, and nothing else twice; no number but its SYN's was taken.
    assert marks(arrows) == ["SYN and FIN in SYN", "retransmission"]


def test_data_that_a_fault_gave_a_syn_begins_no_new_count():
    trace = conversation(SetSynAndFin(match.data), size=2000)
    client = [each for each in Ladder.of(trace).arrows() if each.source == 0]
    replaced, again = client[2:4]
    assert replaced.words[:3] == ["FIN,SYN,PSH,ACK", "seq=1", "ack=1"]
    assert again.words[:2] == ["PSH,ACK", "seq=1"]
    assert again.marks == ["retransmission"]
    assert again.first.window == client[1].first.window > 65535


def test_a_second_connection_with_the_same_ports_and_numbers_repeats_nothing():
    second = [each for each in arrows_of("time-wait-old-duplicate") if each.sent > 1_900_000_000]
    assert "retransmission" not in marks(second)
    assert "probe" not in marks(second)


def test_an_old_duplicate_that_is_taken_for_new_says_so():
    (old,) = [each for each in arrows_of("time-wait-old-duplicate") if each.arrives - each.sent > 10**9]
    assert [each.text for each in old.ends] == ["old duplicate, taken for new"]


def test_an_old_syn_is_a_repetition():
    first = arrows_of("time-wait-new-syn", part=1)[0]
    assert first.marks == ["retransmission"]


def forged(**numbers):
    net = Network()
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    trace = Recorder()
    net.observe(trace)

    def serve(io):
        stream = yield from io.listen(80).accept()
        yield from stream.receive()

    def ask(io):
        stream = yield from io.connect("server", 80, source_port=40000)
        io.inject(forge(client.address, 40000, server.address, 80, **numbers))
        yield from stream.send(b"hello")
        yield from io.sleep("1 s")
        stream.abort()

    server.spawn(serve)
    client.spawn(ask)
    net.run(until="2 s", expect_errors=True)
    return Ladder.of(trace).arrows()


def test_a_number_that_is_nowhere_near_is_told_as_it_is():
    arrows = forged(flags="A", seq=0x90000000, ack=0xFFFFFFF0)
    assert arrows[3].words[:3] == ["ACK", f"seq=#{0x90000000}", f"ack=#{0xFFFFFFF0}"]
    assert [each.words[1] for each in arrows if "len=5" in each.words] == ["seq=1"]
    assert not marks(arrows)


def test_a_forged_syn_changes_nobodys_count():
    arrows = forged(flags="S", seq=0x90000000)
    assert arrows[3].words[:2] == ["SYN", f"seq=#{0x90000000}"]
    (data,) = [each for each in arrows if "len=5" in each.words]
    assert (data.words[1], data.first.window > 65535) == ("seq=1", True)


def test_a_reset_that_answers_no_ack_has_number_0():
    arrows = arrows_of("simultaneous-open", apart="50ms")
    assert [each.words[:3] for each in arrows if each.kind == "rst"] == [["RST,ACK", "seq=0", "ack=1"]] * 2
    assert "-" not in "".join(word for each in arrows for word in each.words)


def test_no_number_is_negative():
    weak, strong = by_name("isn-guessing").run().parts
    for part in (weak, strong):
        assert not [word for each in part.ladder().arrows() for word in each.words if "=-" in word]
    assert any(word.startswith("ack=#") for each in strong.ladder().arrows() for word in each.words)
