"""A host of netglass on a TUN device and the kernel's own sockets as its peer: long pings, long datagrams, both ways
and both versions. Run by `test_kernel` in a network namespace of its own; prints one line for each exchange."""

from __future__ import annotations

import random
import socket
import struct
import subprocess
import threading
import time

from netglass.drive import Drive, DriveHost
from netglass.link.tun import Tun
from netglass.sockets.constants import AF_INET6, SOCK_DGRAM
from netglass.world import Waker

SIZES = (10, 1472, 1473, 9000, 65507)
SETUP = """
ip link set lo up && ip addr add 10.9.0.1/24 dev asked && ip -6 addr add fd09::1/64 dev asked nodad &&
ip link set asked up && echo 0 0 > /proc/sys/net/ipv4/ping_group_range
"""


class Echo(Waker):
    """Every datagram goes back."""

    def __init__(self, host: DriveHost, fd: int) -> None:
        self.host = host
        self.fd = fd

    def wake(self, events: int) -> None:
        now = self.host.world.now()
        while isinstance(got := self.host.sockets.recvfrom(self.fd, 65536, now), tuple):
            self.host.sockets.sendto(self.fd, got[0], got[1], now)


def ask(drive: Drive) -> None:
    try:
        time.sleep(0.3)
        for family, address in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")):
            ping(family, address)
            talk(family, address)
    except OSError as error:
        print(error)
    finally:
        drive.stop()


def ping(family: int, address: str) -> None:
    four = family == socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM, 1 if four else 58) as asking:
        asking.settimeout(5)
        for size in SIZES:
            size = min(size, 65507 - 8)
            text = random.Random(size).randbytes(size)
            asking.sendto(struct.pack("!BBHHH", 8 if four else 128, 0, 0, 0, 1) + text, (address, 0))
            print("ping", address, size, asking.recv(65536)[8:] == text)


def talk(family: int, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        for size in SIZES:
            text = random.Random(size).randbytes(size)
            asking.sendto(text, (address, 53))
            print("udp", address, size, asking.recv(65536) == text)
        asking.connect((address, 99))
        asking.send(bytes(3000))
        try:
            asking.recv(10)
        except ConnectionRefusedError:
            print("refused", address)


def main() -> None:
    device = Tun("asked")
    subprocess.run(["sh", "-c", SETUP], check=True)
    drive = Drive(seed=1)
    host = drive.host("asked")
    drive.attach(host, device, "10.9.0.2/24", "fd09::2/64")
    fd = host.sockets.socket(AF_INET6, SOCK_DGRAM)
    host.sockets.bind(fd, ("::", 53, 0, 0), drive.now())
    description = host.sockets.description(fd)
    assert description is not None
    description.watchers.append(Echo(host, fd))
    asker = threading.Thread(target=ask, args=(drive,))
    asker.start()
    drive.run()
    asker.join()


if __name__ == "__main__":
    main()
