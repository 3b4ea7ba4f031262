"""Long datagrams, ping and raw sockets of ordinary programs."""

from __future__ import annotations

import socket
import struct

import netglass
from netglass import Network


def pair() -> tuple[netglass.Network, str]:
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="5 ms")
    return net, server.address


def test_msg_trunc_tells_how_long_a_datagram_was():
    net, _ = pair()

    def main() -> list[int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 5353))
            for _ in range(5):
                one.sendto(b"x" * 5000, ("127.0.0.1", 5353))
            room = bytearray(10)
            return [
                one.recv_into(room, 10, socket.MSG_TRUNC | socket.MSG_PEEK),
                one.recv_into(room, 10),
                len(one.recv(10, socket.MSG_TRUNC)),
                one.recvfrom_into(room, 10, socket.MSG_TRUNC)[0],
                len(one.recvfrom(10, socket.MSG_TRUNC)[0]),
                one.recvmsg(10)[2],
            ]

    assert netglass.run(net.hosts[0], main) == [5000, 10, 5000, 5000, 5000, socket.MSG_TRUNC]


def test_a_program_pings():
    net, server = pair()

    def main() -> tuple[int, bytes, str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as ping:
            ping.settimeout(1)
            ping.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 7) + b"x" * 5000, (server, 0))
            reply, sender = ping.recvfrom(65536)
        return reply[0], reply[6:8], sender[0]

    assert netglass.run(net.hosts[0], main) == (0, b"\0\x07", server)


def test_a_program_hears_icmp():
    net, server = pair()

    def main() -> tuple[bytes, int]:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as ears,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocking,
        ):
            knocking.connect((server, 99))
            knocking.send(b"?")
            heard = ears.recv(1000)
            return heard[20:22], knocking.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU

    assert netglass.run(net.hosts[0], main) == (b"\x03\x03", 1500)
