"""What goes to a device with IFF_VNET_HDR: once it has done its part, the packet is what `packet_bytes` makes."""

from __future__ import annotations

import struct

from hypothesis import given

from netglass.link.offload import VNET_SIZE, vnet_buffers
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, TcpSegment
from tests.wire.values import packets


def completed(packet: IpPacket) -> bytes:
    """The device's part: the sum from `start` to the end, with what the field holds, goes into the field."""
    data = b"".join(vnet_buffers(packet))
    flags, _, _, _, start, offset = struct.unpack("=BBHHHH", data[:VNET_SIZE])
    frame = data[VNET_SIZE:]
    if not flags:
        return frame
    field = start + offset
    return frame[:field] + checksum(ones_sum(frame[start:])).to_bytes(2, "big") + frame[field + 2 :]


@given(packets())
def test_the_device_completes_the_packet(packet: IpPacket):
    assert completed(packet) == packet_bytes(packet)


def test_a_super_segment_says_where_to_cut_it():
    payload = bytes(4000)
    for source, kind, headers in ((b"\1\2\3\4", 1, 52), (bytes(15) + b"\1", 4, 72)):
        segment = TcpSegment(1, 2, 3, 4, ACK, 5, (payload,), 4000, 6, 7, mss=1448)
        vnet = vnet_buffers(IpPacket(source, source, TCP, segment))[0][:VNET_SIZE]
        assert struct.unpack("=BBHHHH", vnet) == (1, kind, headers, 1448, headers - 32, 16)


def test_one_segment_is_not_cut():
    segment = TcpSegment(1, 2, 3, 4, ACK, 5, (bytes(1448),), 1448, 6, 7, mss=1448)
    vnet = vnet_buffers(IpPacket(b"\1\2\3\4", b"\1\2\3\4", TCP, segment))[0][:VNET_SIZE]
    assert struct.unpack("=BBHHHH", vnet) == (1, 0, 0, 0, 20, 16)
