"""TCP_INFO: names and bytes."""

from __future__ import annotations

from struct import unpack_from

from netglass.sockets.constants import AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DGRAM, SOCK_STREAM, TCP_INFO
from netglass.sockets.tcp_info import SIZE, TCP_CLOSE, blank_info, pack_info
from netglass.times import MILLISECOND
from tests.sockets.pair import Pair


def test_an_unconnected_socket_to_the_byte():
    # Linux 6.18, getsockopt(fresh, IPPROTO_TCP, TCP_INFO) without the three times since boot.
    words = [1_000_000, 0, 536, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 250_000, 2**31 - 1, 10, 0, 3, 0, 0, 0]
    packed = pack_info(blank_info(TCP_CLOSE, 3))
    assert len(packed) == SIZE == 248
    assert packed[:8].hex() == "0700000000000001"
    assert list(unpack_from("<24I", packed, 8)) == words
    assert unpack_from("<4Q", packed, 104) == (2**64 - 1, 2**64 - 1, 0, 0)
    assert unpack_from("<6I", packed, 136) == (0, 0, 0, 2**32 - 1, 0, 0)
    assert not any(packed[160:])


def test_a_listener_tells_its_queue():
    pair = Pair()
    listener = pair.listener(backlog=7)
    pair.a.sockets.connect(pair.a.sockets.socket(AF_INET, SOCK_STREAM), ("10.0.0.2", 80), pair.now)
    pair.run()
    info = pair.b.sockets.tcp_info(listener, pair.now)
    assert info["tcpi_state"] == 10
    assert (info["tcpi_unacked"], info["tcpi_sacked"]) == (1, 7)


def test_a_connection_after_a_quiet_exchange():
    pair = Pair()
    client, server = pair.connected()
    start = pair.now
    pair.a.sockets.send(client, bytes(3000), pair.now)
    info = pair.a.sockets.tcp_info(client, pair.now)
    assert info["tcpi_unacked"] == 3
    assert info["tcpi_bytes_sent"] == 3000
    pair.run()
    info = pair.a.sockets.tcp_info(client, pair.now)
    assert info["tcpi_state"] == 1
    assert info["tcpi_options"] == 7
    assert (info["tcpi_snd_wscale"], info["tcpi_rcv_wscale"]) == (7, 7)
    assert (info["tcpi_snd_mss"], info["tcpi_advmss"], info["tcpi_pmtu"]) == (1448, 1460, 1500)
    assert info["tcpi_unacked"] == 0
    assert info["tcpi_bytes_acked"] == 3001, "Linux counts an active open's SYN"
    assert info["tcpi_min_rtt"] == 20_000
    assert info["tcpi_last_data_sent"] == (pair.now - start) // MILLISECOND
    assert info["tcpi_snd_ssthresh"] == 2**31 - 1
    other = pair.b.sockets.tcp_info(server, pair.now)
    assert other["tcpi_bytes_received"] == 3000
    assert other["tcpi_bytes_acked"] == 0


def test_retransmissions_show():
    pair = Pair()
    client, _ = pair.connected()
    pair.cut = True
    pair.a.sockets.send(client, b"lost", pair.now)
    pair.run(300 * MILLISECOND)
    info = pair.a.sockets.tcp_info(client, pair.now)
    assert (info["tcpi_retransmits"], info["tcpi_backoff"], info["tcpi_total_retrans"]) == (1, 1, 1)
    assert info["tcpi_ca_state"] == 4
    assert info["tcpi_snd_cwnd"] == 1
    assert info["tcpi_rto"] == 440_000
    assert info["tcpi_unacked"] == 1


def test_a_hole_shows():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    calls.send(client, bytes(1448), pair.now)
    packet = pair.a.host.poll_packet(pair.now)  # lost
    assert packet is not None
    calls.send(client, bytes(2 * 1448), pair.now)
    pair.run(22 * MILLISECOND)
    info = calls.tcp_info(client, pair.now)
    assert (info["tcpi_ca_state"], info["tcpi_unacked"], info["tcpi_sacked"], info["tcpi_lost"]) == (1, 3, 2, 0)
    calls.send(client, bytes(3 * 1448), pair.now)
    pair.run(22 * MILLISECOND)
    info = calls.tcp_info(client, pair.now)
    assert (info["tcpi_ca_state"], info["tcpi_sacked"], info["tcpi_lost"], info["tcpi_retrans"]) == (3, 5, 1, 1)
    pair.run()
    info = calls.tcp_info(client, pair.now)
    assert (info["tcpi_ca_state"], info["tcpi_unacked"], info["tcpi_lost"], info["tcpi_retrans"]) == (0, 0, 0, 0)


def test_a_short_buffer_gets_the_head():
    pair = Pair()
    client, _ = pair.connected()
    whole = pair.a.sockets.getsockopt(client, IPPROTO_TCP, TCP_INFO, pair.now, size=1000)
    assert isinstance(whole, bytes)
    assert len(whole) == 248
    assert pair.a.sockets.getsockopt(client, IPPROTO_TCP, TCP_INFO, pair.now, size=104) == whole[:104]
    assert whole[0] == 1
    assert whole[6] == 0x77, "both window scales in one byte"
    assert unpack_from("<I", whole, 16) == (1448,)


def test_numbers_too_large_for_their_field_show_the_largest():
    info = blank_info(TCP_CLOSE, 3)
    info["tcpi_backoff"] = 300
    info["tcpi_rto"] = 1 << 40
    packed = pack_info(info)
    assert packed[4] == 255
    assert packed[8:12] == b"\xff" * 4


def test_only_tcp_has_it():
    pair = Pair()
    datagrams = pair.a.sockets.socket(AF_INET6, SOCK_DGRAM)
    assert pair.a.sockets.tcp_info(datagrams, pair.now) == {}
    assert pair.a.sockets.tcp_info(99, pair.now) == {}
