"""Writes down what the kernel of this machine makes of `scenarios`: `unshare -n python -m tests.ip.record_linux`, in a
network namespace of its own, as whoever may open /dev/net/tun there."""

from __future__ import annotations

import os
import platform
import select
import socket
import struct
import subprocess
import sys
import time
from fcntl import ioctl
from pathlib import Path

from netglass.wire.icmp import IcmpMessage
from netglass.wire.packet import decode_packet, packet_bytes
from tests.ip.scenarios import heard, said, scenarios

FILE = Path(__file__).parent / "linux_6_18.txt"
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
SETUP = """
ip addr add 10.9.0.1/24 dev asked && ip -6 addr add fd09::1/64 dev asked nodad && ip link set asked up &&
sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
"""
BY_ITSELF = (133, 134, 135, 136, 143)  # neighbour discovery and MLD: the kernel's own


def main() -> None:
    if os.listdir("/sys/class/net") != ["lo"] and len(socket.if_nameindex()) > 1:
        sys.exit("this must run in a network namespace of its own: unshare -n")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"asked", IFF_TUN_NO_PI))
    subprocess.run(["sh", "-c", SETUP], check=True)
    time.sleep(0.5)
    ears = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
    for ear, address in zip(ears, ("10.9.0.1", "fd09::1"), strict=True):
        ear.bind((address, 53))
        ear.setblocking(False)
    ears[0].setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
    lines = [f"# Linux {platform.release().partition('-')[0]}"]
    for name, packets in scenarios().items():
        answers(device)
        for packet in packets:
            os.write(device, packet_bytes(packet))
        lines.append(f"{name} -> {'; '.join(answers(device) + what_is_heard(ears)) or 'nothing'}")
    FILE.write_text("\n".join(lines) + "\n")


def answers(device: int) -> list[str]:
    found = []
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        if not select.select([device], [], [], 0.01)[0]:
            continue
        packet = decode_packet(os.read(device, 65536))
        payload = packet.payload
        by_itself = isinstance(payload, IcmpMessage) and payload.version == 6 and payload.type in BY_ITSELF
        if packet.protocol != 2 and not by_itself:
            found.append(said(packet))
    return found


def what_is_heard(ears: list[socket.socket]) -> list[str]:
    found = []
    for ear in ears:
        while True:
            try:
                payload, control, _, _ = ear.recvmsg(65536, 100)
            except BlockingIOError:
                break
            found.append(heard(payload, control[0][2][0] if control else 0))
    return found


if __name__ == "__main__":
    main()
