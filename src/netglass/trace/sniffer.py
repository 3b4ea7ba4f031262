"""A link that is watched: all that is read from it and written to it goes into a file, malformed frames included, which
no probe ever sees.

    drive.attach(host, Sniffer(Tun("ng0"), "ng0.pcapng", time.time_ns), "10.83.0.2/24")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from netglass.errors import WireError
from netglass.link.link import Link, Outgoing, Received
from netglass.trace.pcapng import (
    INBOUND,
    LINKTYPE_ETHERNET,
    LINKTYPE_RAW,
    OUTBOUND,
    Frame,
    interface_block,
    packet_block,
    section_header,
)
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import decode_frame, frame_bytes
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes


class Sniffer(Link):
    """`link` with a pcapng `file`. What another program on this machine sends has no checksum yet if the device vouches
    for it: in the file it has one. `clock` gives the date in ns since 1970."""

    __slots__ = ("_clock", "_linktype", "_out", "link")

    def __init__(self, link: Link, file: str | Path, clock: Callable[[], int]) -> None:
        super().__init__(link.name, link.mtu, link.gso_size, link.hardware_address)
        self.link: Link = link
        self._clock: Callable[[], int] = clock
        self._linktype: int = LINKTYPE_ETHERNET if link.hardware_address else LINKTYPE_RAW
        self._out: BinaryIO = Path(file).open("wb")  # noqa: SIM115  closed by `close`
        self._out.write(section_header() + interface_block(link.name, self._linktype))
        self._out.flush()

    def fileno(self) -> int:
        return self.link.fileno()

    def read(self, most: int) -> list[Received]:
        found = self.link.read(most)
        self._record(INBOUND, [bytes(frame) if verify else self._summed(frame) for frame, verify in found])
        return found

    def write(self, packets: list[Outgoing]) -> int:
        taken = self.link.write(packets)
        sent = packets[:taken]
        self._record(OUTBOUND, [packet_bytes(one) if isinstance(one, IpPacket) else frame_bytes(one) for one in sent])
        return taken

    def close(self) -> None:
        self.link.close()
        self._out.close()

    def _summed(self, frame: Buffer) -> bytes:
        try:
            if self._linktype == LINKTYPE_RAW:
                return packet_bytes(decode_packet(frame, False))
            return frame_bytes(decode_frame(frame, False))
        except WireError:
            return bytes(frame)

    def _record(self, direction: int, frames: list[bytes]) -> None:
        if not frames:
            return
        now = self._clock()
        for data in frames:
            self._out.write(packet_block(Frame("", self.name, direction, now, data), 0))
        self._out.flush()
