"""What needs more than one program on one TUN device: iperf3 between two kernels with a netglass router in the middle,
arping on Ethernet, and what a plain device shows to a capture of the kernel's own."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netglass.drive import Drive
from netglass.host.config import HostConfig
from netglass.link.machine import Namespace, configure
from netglass.link.tun import Tap, Tun
from netglass.times import MILLISECOND, SECOND
from netglass.trace.live import LiveCapture
from tests.drive.services import Digest, Door
from tests.peers.machine import DEVICE, KERNEL, LIMIT, OURS, PREFIX, Machine, Running, faults_in

WEST = {4: "10.84.0.1", 6: "fd84::1"}
EAST = {4: "10.85.0.1", 6: "fd85::1"}


@pytest.fixture
def drive() -> Iterator[Drive]:
    with Drive() as world:
        yield world


def until_it_ends(drive: Drive, running: Running) -> None:
    limit = drive.now() + LIMIT * SECOND
    while running.process.poll() is None:
        assert drive.now() < limit, f"{running.command} did not end in time"
        drive.turn(drive.now() + 20 * MILLISECOND)


def prefixed(addresses: dict[int, str]) -> list[str]:
    return [f"{address}/{PREFIX[version]}" for version, address in addresses.items()]


# -- a router between two kernels


class Routed:
    """West and east are kernels; what they say to each other goes through a host of ours with two devices."""

    def __init__(self, machine: Machine, east: Namespace, drive: Drive) -> None:
        self.machine = machine
        self.drive = drive
        config = HostConfig()
        config.forwarding = True
        self.router = drive.host("router", config)
        capture = machine.directory / "router.pcapng"
        self.capture = LiveCapture(capture)
        machine.captures.append(capture)
        self.router.core.observe(self.capture)
        for namespace, name, kernel in ((machine.namespace, "west", WEST), (east, "east", EAST)):
            # A packet must not be longer than the next network takes: no super-segments here.
            link = namespace.call(Tun, name, offload=False)
            ours = {version: address[:-1] + "2" for version, address in kernel.items()}
            drive.attach(self.router, link, *prefixed(ours))
            namespace.call(Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text, "0")
            namespace.call(configure, name, prefixed(kernel), routes=["0.0.0.0/0", "::/0"])

    def iperf3(self, *options: str) -> dict[str, Any]:
        running = self.machine.start("iperf3", "--json", *options)
        until_it_ends(self.drive, running)
        said = running.finish()
        figures: dict[str, Any] = json.loads(said)["end"]
        return figures


@pytest.fixture
def routed(machine: Machine, drive: Drive) -> Iterator[Routed]:
    with Namespace() as east:
        made = Routed(machine, east, drive)
        server: subprocess.Popen[str] = east.call(
            subprocess.Popen, ["iperf3", "--server", "--forceflush"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            while "listening" not in server.stdout.readline():
                pass
            yield made
        finally:
            server.kill()
            server.communicate()
            made.capture.close()


@pytest.mark.tools("iperf3")
@pytest.mark.parametrize("version", [4, 6])
def test_iperf3_through_a_router(routed: Routed, version: int):
    to = ("--client", EAST[version])
    for options in ((), ("--reverse",), ("--bidir", "--parallel", "2")):
        found = routed.iperf3(*to, "--bytes", "2M", "--window", "64K", *options)
        assert found["sum_sent"]["bytes"] > 1 << 20
        assert found["sum_received"]["bytes"] > 1 << 20  # what is still on its way at the end does not count
    found = routed.iperf3(*to, "--udp", "--bitrate", "2M", "--length", "1000", "--time", "1")
    assert found["sum"]["packets"] > 100
    assert found["sum"]["lost_percent"] < 50


# -- Ethernet


@pytest.mark.tools("arping")
def test_arping(machine: Machine, drive: Drive):
    own = bytes.fromhex("02000000000a")
    host = drive.host("netglass")
    drive.attach(host, machine.call(Tap, DEVICE, own), *prefixed(OURS))
    machine.call(configure, DEVICE, prefixed(KERNEL))
    asking = machine.start("arping", "-c", "2", "-I", DEVICE, OURS[4])
    until_it_ends(drive, asking)
    said = asking.finish().decode()
    assert said.count("[02:00:00:00:00:0A]") == 2, said
    assert "Received 2 response(s)" in said
    # Somebody who looks for duplicates of our address finds us; nobody has the next one.
    for address, status in ((OURS[4], 1), ("10.83.0.3", 0)):
        probe = machine.start("arping", "-D", "-c", "2", "-w", "2", "-I", DEVICE, address)
        until_it_ends(drive, probe)
        assert probe.process.returncode == status, probe.errors()


# -- what is really on the wire


@pytest.mark.tshark
@pytest.mark.tools("dumpcap", "socat", "ping")
@pytest.mark.parametrize("version", [4, 6])
def test_a_capture_of_the_kernels_own(machine: Machine, drive: Drive, version: int):
    """Without offloads every checksum is whole on the device, in both directions."""
    host = drive.host("netglass")
    drive.attach(host, machine.call(Tun, DEVICE, offload=False), *prefixed(OURS))
    Door(host, 9, Digest)
    machine.call(configure, DEVICE, prefixed(KERNEL))
    capture = machine.directory / "kernel.pcapng"
    sniffer = machine.start("sh", "-c", f"exec dumpcap -q -i {DEVICE} -w {capture} 2>&1")
    while not sniffer.line().startswith("File:"):
        pass
    data = hashlib.shake_256(b"plain").digest(1_000_000)
    place = f"TCP:{OURS[4]}:9" if version == 4 else f"TCP:[{OURS[6]}]:9"
    (machine.directory / "plain").write_bytes(data)
    sending = machine.start("sh", "-c", f"exec socat -t30 - {place} <plain")
    until_it_ends(drive, sending)
    assert sending.finish().decode() == hashlib.sha256(data).hexdigest()
    for size in ("56", "4000"):
        pinging = machine.start("ping", "-c", "3", "-i", "0.05", "-s", size, OURS[version])
        until_it_ends(drive, pinging)
        assert b"3 received" in pinging.finish()
    sniffer.terminate()
    assert faults_in(capture) == []
