"""The same packets as a kernel was asked, and the same answers. `record_linux` wrote down the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.rng import Rng
from netglass.udp.port import ReceivedDatagram, UdpPort
from netglass.wire.icmp import IcmpMessage
from netglass.wire.packet import packet_bytes
from tests.ip.scenarios import ASKED, ASKED6, heard, said, scenarios

RECORDED = dict(
    line.split(" -> ", 1)
    for line in (Path(__file__).parent / "linux_6_18.txt").read_text().splitlines()
    if not line.startswith("#")
)
SCENARIOS = scenarios()


def test_every_scenario_is_recorded():
    assert list(RECORDED) == list(SCENARIOS)
    assert sum(answer == "nothing" for answer in RECORDED.values()) < len(RECORDED) // 2


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario(name: str):
    config = HostConfig()
    config.icmp_interval = config.icmp6_interval = 0
    host = Host("asked", config, Rng(1))
    eth0 = host.add_interface("eth0")
    host.add_address(eth0, ASKED, 24)
    host.add_address(eth0, ASKED6, 64)
    ports = [host.bind_udp(address, 53, False, 0) for address in (ASKED, ASKED6)]
    for packet in SCENARIOS[name]:
        host.receive_frame(packet_bytes(packet), eth0, 0)
    found = []
    while (out := host.poll_packet(0)) is not None:
        payload = out[1].payload
        if out[1].protocol != 2 and not (isinstance(payload, IcmpMessage) and payload.type == 143):
            found.append(said(out[1]))
    for port in ports:
        assert isinstance(port, UdpPort)
        while isinstance(got := port.receive(), ReceivedDatagram):
            found.append(heard(got.payload, got.tos))
    assert ("; ".join(found) or "nothing") == RECORDED[name]
