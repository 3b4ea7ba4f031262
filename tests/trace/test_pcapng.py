"""Captures: written, read back, and read by tshark."""

from __future__ import annotations

import io
import struct
import subprocess

import pytest

from netglass import MILLISECOND, MisuseError, faults, match
from netglass.errors import WireError
from netglass.times import EPOCH
from netglass.trace import read_capture, write_pcapng
from netglass.trace.pcapng import INBOUND, OUTBOUND
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes
from tests.trace.scenes import conversation, corrupted, handshake, two_losses


def capture(trace, vantage="all"):
    file = io.BytesIO()
    write_pcapng(trace, file, vantage)
    return file.getvalue()


def test_what_tcpdump_would_see_on_each_host():
    packets = read_capture(capture(handshake()))
    assert [(each.interface, each.direction, each.time - EPOCH, each.number) for each in packets] == [
        ("client:eth0", OUTBOUND, 0, 1),
        ("server:eth0", INBOUND, 10 * MILLISECOND, 1),
        ("server:eth0", OUTBOUND, 10 * MILLISECOND, 2),
        ("client:eth0", INBOUND, 20 * MILLISECOND, 2),
        ("client:eth0", OUTBOUND, 20 * MILLISECOND, 3),
        ("server:eth0", INBOUND, 30 * MILLISECOND, 3),
    ]


def test_the_packets_are_those_that_were_sent():
    trace = conversation(size=5000)
    sent = [packet_bytes(each.packet) for each in trace.sent() if isinstance(each.packet, IpPacket)]
    packets = read_capture(capture(trace))
    assert [each.data for each in packets if each.direction == OUTBOUND] == sent
    assert all(each.linktype == 101 and each.size == len(each.data) for each in packets)


def test_one_host_if_none_is_named():
    trace = conversation(faults.drop(match.syn), router=True)
    assert capture(trace, None) == capture(trace, "client") != capture(trace, "all")


def test_where_the_ladder_begins_to_count_is_told():
    file = io.BytesIO()
    write_pcapng(two_losses(), file, zero=150 * MILLISECOND)
    assert [each.comments for each in read_capture(file.getvalue())] == [
        ["lost: drop FIN"],
        ["50 ms in the ladder; lost: drop FIN"],
        [],
    ]
    file = io.BytesIO()
    write_pcapng(handshake(), file, zero=0)
    assert read_capture(file.getvalue())[0].comments == ["the ladder's 0"]


def test_one_vantage_point():
    trace = conversation()
    packets = read_capture(capture(trace, "server"))
    assert {each.interface for each in packets} == {"server:eth0"}
    assert len(packets) == len(trace.sent("server")) + len(trace.received("server"))
    with pytest.raises(MisuseError, match="nothing was recorded of a host 'nobody'; there are client, server"):
        capture(trace, "nobody")


def test_a_loss_is_told_where_the_packet_left():
    packets = read_capture(capture(two_losses()))
    assert [each.comments for each in packets] == [["lost: drop FIN"], ["lost: drop FIN"], []]


def test_a_corrupted_packet_comes_in_as_the_cable_made_it():
    trace = corrupted()
    left, came = read_capture(capture(trace))
    assert left.data[:-1] == came.data[:-1]
    assert left.data[-1] ^ came.data[-1] == 1
    assert came.comments == ["corrupt data; dropped by server: tcp-checksum"]
    assert (came.interface, came.time - EPOCH, came.number) == ("server:cable", 10 * MILLISECOND, 1)
    decode_packet(left.data)
    with pytest.raises(WireError, match="tcp-checksum"):
        decode_packet(came.data)


def test_a_drop_by_a_host_is_told_where_the_packet_came_in():
    trace = handshake()
    packet = trace.received("server", "A")[0].packet
    assert isinstance(packet, IpPacket)
    trace.packet_dropped("server", packet, "accept-queue-full", 30 * MILLISECOND)
    assert read_capture(capture(trace))[-1].comments == ["dropped by server: accept-queue-full"]


def test_a_router_has_two_interfaces():
    packets = read_capture(capture(conversation(router=True)))
    names = ["client:eth0", "router:eth0", "router:eth1", "server:eth0"]
    assert list(dict.fromkeys(each.interface for each in packets)) == names
    assert [each.interface for each in packets[:4]] == names


@pytest.mark.parametrize("serialise", [False, True])
def test_the_same_seed_gives_the_same_bytes(serialise):
    once, again = [
        capture(conversation(*[faults.loss("5%"), faults.corruption("5%")], size=50_000, run="20 s", serialise=each))
        for each in (False, serialise)
    ]
    assert once == again


def test_to_a_path(tmp_path):
    count = write_pcapng(handshake(), tmp_path / "a.pcapng", "all")
    write_pcapng(handshake(), str(tmp_path / "b.pcapng"), "all")
    assert count == 6
    assert (tmp_path / "a.pcapng").read_bytes() == (tmp_path / "b.pcapng").read_bytes() == capture(handshake())
    assert len(read_capture(tmp_path / "a.pcapng")) == 6


# -- the reader alone


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap(order, magic, unit):
    data = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, 101)
    data += struct.pack(order + "IIII", 3, 7, 2, 60) + b"ab"
    (packet,) = read_capture(data)
    assert (packet.time, packet.data, packet.size, packet.linktype) == (3 * 10**9 + 7 * unit, b"ab", 60, 101)


def test_pcapng_of_the_other_byte_order_in_microseconds():
    section = struct.pack(">IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack(">IIHHII", 1, 20, 1, 0, 0, 20)
    packet = struct.pack(">IIIIIII", 6, 36, 0, 0, 5_000_000, 3, 3) + b"abc\0" + struct.pack(">I", 36)
    (found,) = read_capture(section + interface + packet)
    assert (found.time, found.data, found.linktype, found.interface) == (5 * 10**9, b"abc", 1, "0")


@pytest.mark.parametrize("size", [3, 10, 27, 60, 131])
def test_a_capture_that_breaks_off_is_refused(size):
    with pytest.raises(WireError, match="capture-"):
        read_capture(capture(handshake())[:size])


def test_something_else_is_refused():
    with pytest.raises(WireError, match="capture-format"):
        read_capture(b"GIF89a, not a capture")


# -- tshark


def tshark(path, *arguments):
    # A stream is not put together: what every host saw is there more than once.
    options = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE"]
    command = ["tshark", "-n", "-r", str(path), *[word for option in options for word in ("-o", option)]]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()


@pytest.mark.tshark
def test_tshark_finds_no_malformed_packet_and_no_bad_checksum(tmp_path):
    path = tmp_path / "a.pcapng"
    trouble = (faults.drop(match.third_ack), faults.duplicate(match.data), faults.delay(match.fin, by="50 ms"))
    count = write_pcapng(conversation(*trouble, size=20_000, router=True), path, "all")
    assert len(tshark(path)) == count
    assert tshark(path, "-Y", "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0") == []
    names = set(tshark(path, "-T", "fields", "-e", "frame.interface_name"))
    assert names == {"client:eth0", "router:eth0", "router:eth1", "server:eth0"}
    assert tshark(path, "-T", "fields", "-e", "frame.comment", "-Y", "frame.comment contains lost") == [
        "lost: drop third ACK"
    ]


@pytest.mark.tshark
def test_tshark_sees_the_corrupted_packet_and_no_other(tmp_path):
    path = tmp_path / "a.pcapng"
    write_pcapng(conversation(faults.corrupt(match.data, bit=40 * 8)), path, "all")
    found = tshark(path, "-T", "fields", "-e", "frame.comment", "-Y", "tcp.checksum.status == 0")
    assert found == ["corrupt data; dropped by server: tcp-checksum"]


@pytest.mark.tshark
def test_tshark_sees_on_one_host_what_that_host_did(tmp_path):
    path = tmp_path / "a.pcapng"
    trace = conversation(faults.drop(match.syn))
    write_pcapng(trace, path, "client")
    assert len(tshark(path, "-Y", "tcp.analysis.retransmission")) == len(trace.retransmissions("client")) == 1
    assert tshark(path, "-Y", "tcp.analysis.lost_segment") == []


@pytest.mark.tshark
def test_tshark_sees_no_trouble_where_there_was_none(tmp_path):
    path = tmp_path / "a.pcapng"
    write_pcapng(conversation(size=20_000, router=True), path)
    assert tshark(path, "-Y", "tcp.analysis.flags && !tcp.analysis.window_update") == []
