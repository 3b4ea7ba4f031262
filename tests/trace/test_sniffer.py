"""A watched link: a host works over it as over the link itself, and the file has what went over it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netglass.drive import Drive
from netglass.link.pair import Pair, pair
from netglass.times import SECOND
from netglass.trace.reader import CapturedPacket, read_capture
from netglass.trace.sniffer import Sniffer
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, IpPacket
from netglass.wire.packet import packet_bytes

MALFORMED = b"\x45 is how it begins, and then there is no sense in it"
QUESTION = IpPacket(parse("10.0.0.2"), parse("10.0.0.1"), ICMP, IcmpMessage(4, 8, 0, 7, b"hello"))


def told(link: Pair, *frames: bytes) -> None:
    link.arrived += frames
    os.eventfd_write(link.bell, 1)


def watched(file: Path, *frames: bytes, checksums: bool = True, ethernet: bool = False) -> list[CapturedPacket]:
    a, b = pair(checksums=checksums, ethernet=ethernet)
    with Drive(seed=1) as drive:
        host = drive.host("left")
        drive.attach(host, Sniffer(a, file, lambda: 5 * SECOND), "10.0.0.1/24")
        told(a, *frames)
        drive.turn(drive.now() + SECOND)
        drive.turn(0)
        b.close()
    return read_capture(file)


def test_all_is_in_the_file_malformed_frames_too(tmp_path: Path):
    found = watched(tmp_path / "a.pcapng", MALFORMED, packet_bytes(QUESTION))
    assert found[0].data == MALFORMED
    assert found[1].data == packet_bytes(QUESTION)
    answer = found[2].data
    assert (answer[12:16], answer[20], answer[28:]) == (parse("10.0.0.1"), 0, b"hello")
    assert [each.time for each in found] == [5 * SECOND] * 3


@pytest.mark.parametrize("garbage", [b"", MALFORMED])
def test_a_checksum_that_is_still_to_be_reckoned_is_right_in_the_file(tmp_path: Path, garbage: bytes):
    whole = packet_bytes(QUESTION)
    without = whole[:22] + b"\0\0" + whole[24:]
    frames = [without, garbage] if garbage else [without]
    found = watched(tmp_path / "a.pcapng", *frames, checksums=False)
    assert [each.data for each in found][: len(frames)] == [whole, garbage][: len(frames)]


def test_ethernet_is_captured_as_such(tmp_path: Path):
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    frame = b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + b"nobody knows this protocol" + bytes(30)
    file = tmp_path / "a.pcapng"
    watched(file, frame, ethernet=True)
    done = subprocess.run([tshark, "-r", str(file), "-T", "fields", "-e", "eth.type"], capture_output=True, text=True)
    assert done.stdout.split() == ["0x88b5"], done.stderr
