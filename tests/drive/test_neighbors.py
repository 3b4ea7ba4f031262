"""The Linux kernel as a neighbour over TAP: its ARP, its duplicate detection, its SLAAC from our advertisements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netglass.drive import Drive
from netglass.errors import LinkError
from netglass.link.machine import Namespace, configure
from netglass.link.tun import Tap
from netglass.neighbor.ethernet import Ethernet
from netglass.times import MILLISECOND, SECOND
from netglass.wire.address import parse
from netglass.wire.ethernet import mac_text, parse_mac
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, IpPacket
from netglass.wire.nd import FOREVER, Prefix, RouterAdvertisement

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra wire)")

OURS = ("10.83.0.2/24", "fd83::2/64")
KERNEL = ("10.83.0.1/24",)
SETTINGS = Path("/proc/sys/net/ipv6/conf/ng0")
TENTATIVE_FAILED = 0x08  # IFA_F_DADFAILED
PREFIX = "20010db800010000"


class Segment:
    """The kernel's ng0 at one end, a host of ours at the other."""

    def __init__(self, inside: Namespace, drive: Drive) -> None:
        self.inside = inside
        self.drive = drive
        link = inside.call(Tap, "ng0")
        for name, value in {"accept_dad": "1", "accept_ra": "2", "dad_transmits": "1"}.items():
            inside.call((SETTINGS / name).write_text, value)
        inside.call(configure, "ng0", KERNEL)
        host = drive.host("netglass")
        drive.attach(host, link, *OURS)
        self.core = host.core
        interfaces = [each for each in self.core.interfaces.values() if each.ethernet is not None]
        assert interfaces[0].ethernet is not None
        self.ethernet: Ethernet = interfaces[0].ethernet

    def wait(self, until: Callable[[], bool], limit: int = 12 * SECOND) -> None:
        end = self.drive.now() + limit
        self.drive.flush()
        while not until():
            assert self.drive.now() < end, "it did not happen in time"
            self.drive.turn(self.drive.now() + 20 * MILLISECOND)

    def read(self, name: str) -> list[list[str]]:
        """The words of each line of one of the kernel's tables."""
        return [line.split() for line in self.inside.call(Path("/proc/thread-self/net", name).read_text).splitlines()]

    def kernel_addresses(self) -> dict[str, int]:
        """IPv6 address in hexadecimal -> flags."""
        return {line[0]: int(line[4], 16) for line in self.read("if_inet6")}

    def counted(self, name: str) -> int:
        return self.core.counters.counts.get(name, 0)

    def ping(self) -> None:
        packet = IpPacket(parse("10.83.0.2"), parse("10.83.0.1"), ICMP, IcmpMessage(4, 8, 0, 1, b"x"))
        self.core.send_raw(packet, self.drive.now())


@pytest.fixture
def segment() -> Iterator[Segment]:
    try:
        inside = Namespace()
    except LinkError as error:
        pytest.skip(str(error))
    with inside, Drive() as drive:
        try:
            made = Segment(inside, drive)
        except LinkError as error:
            pytest.skip(str(error))
        yield made


def test_each_learns_the_others_mac(segment: Segment):
    segment.ping()
    segment.wait(lambda: any(line[0] == "10.83.0.2" and line[2] == "0x2" for line in segment.read("arp")))
    (line,) = [line for line in segment.read("arp") if line[0] == "10.83.0.2"]
    assert line[3] == mac_text(segment.ethernet.mac)
    entry = segment.ethernet.port.cache.entries[parse("10.83.0.1")]
    segment.wait(lambda: bool(entry.mac))
    assert mac_text(entry.mac) == segment.inside.call(kernel_mac)


def test_the_kernel_finds_that_an_address_is_ours(segment: Segment):
    segment.inside.call(configure, "ng0", ("fd83::2/64",))
    ours = parse("fd83::2").hex()
    segment.wait(lambda: bool(segment.kernel_addresses().get(ours, 0) & TENTATIVE_FAILED))


def test_we_find_that_an_address_is_the_kernels(segment: Segment):
    segment.inside.call(configure, "ng0", ("fd83::1/64",))
    kernels = parse("fd83::1").hex()
    segment.wait(lambda: segment.kernel_addresses().get(kernels, 0x40) & 0x40 == 0)  # its own test is over
    for address, prefix in (("10.83.0.1", 24), ("fd83::1", 64)):
        segment.ethernet.test(parse(address), prefix, segment.drive.now())
    segment.wait(lambda: segment.counted("address-duplicate") == 2)
    assert not segment.core.is_local(parse("10.83.0.1"))


def test_the_kernel_makes_itself_an_address_from_what_we_advertise(segment: Segment):
    segment.core.config.forwarding = True
    told = RouterAdvertisement(1800)
    told.options.prefixes = [Prefix(parse("2001:db8:1::"), 64, FOREVER, FOREVER)]
    told.options.mtu = 1400
    segment.ethernet.advertise(told, 0, segment.drive.now())
    segment.wait(lambda: any(each.startswith(PREFIX) for each in segment.kernel_addresses()))
    default = [line for line in segment.read("ipv6_route") if line[0] == "0" * 32 and line[-1] == "ng0"]
    assert [line[4] for line in default] == [segment.ethernet.autoconf.link_local.hex()]
    assert segment.inside.call((SETTINGS / "mtu").read_text).strip() == "1400"


def test_a_binding_holds_against_a_kernel_with_another_mac(segment: Segment):
    segment.ethernet.bind(parse("10.83.0.1"), parse_mac("02:00:00:00:00:77"), segment.drive.now())
    sender = segment.inside.call(kernel_asks)
    with sender:
        segment.wait(lambda: segment.counted("arp-binding") > 0)
    assert segment.ethernet.port.cache.entries[parse("10.83.0.1")].mac == parse_mac("02:00:00:00:00:77")


def kernel_mac() -> str:
    from pyroute2 import IPRoute

    with IPRoute() as netlink:
        return str(netlink.link("get", ifname="ng0")[0].get_attr("IFLA_ADDRESS"))


def kernel_asks():
    """A datagram of the kernel's, for which it has to ask for our MAC."""
    import socket

    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.sendto(b"x", ("10.83.0.2", 9))
    return made
