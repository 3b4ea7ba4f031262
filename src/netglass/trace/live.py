"""A capture that is written while packets come and go: nothing is kept in memory, and what has happened is in the file
when the program ends; when it is killed, all but the last few packets."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from netglass.probe import Probe, TcbSnapshot
from netglass.trace.pcapng import (
    INBOUND,
    LINKTYPE_ETHERNET,
    LINKTYPE_RAW,
    OUTBOUND,
    Frame,
    interface_block,
    packet_block,
    secrets_block,
    section_header,
)
from netglass.wire.ethernet import EthernetFrame, frame_bytes
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_bytes

FLUSH_EVERY: Final = 64
"""Packets between two times that the operating system is handed what was written; `close` hands over the rest."""


class LiveCapture(Probe):
    """Writes pcapng to `file`. `epoch` (ns since 1970) is the date when the world's clock shows zero."""

    def __init__(self, file: str | Path, epoch: int = 0) -> None:
        self._out: BinaryIO = Path(file).open("wb")  # noqa: SIM115  closed by `close`
        self._epoch: int = epoch
        self._interfaces: dict[tuple[str, str], int] = {}
        self.packets: int = 0
        self._out.write(section_header())
        self._out.flush()

    def close(self) -> None:
        self._out.close()

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        self._write(host, interface, OUTBOUND, packet_bytes(packet), LINKTYPE_RAW, now)

    def packet_received(self, host: str, interface: str, packet: IpPacket, now: int) -> None:
        self._write(host, interface, INBOUND, packet_bytes(packet), LINKTYPE_RAW, now)

    def frame_sent(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        self._write(host, f"{interface} (ARP)", OUTBOUND, frame_bytes(frame), LINKTYPE_ETHERNET, now)

    def frame_received(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        self._write(host, f"{interface} (ARP)", INBOUND, frame_bytes(frame), LINKTYPE_ETHERNET, now)

    def tls_secrets(self, host: str, lines: str, now: int) -> None:
        self._out.write(secrets_block(lines.encode()))

    def _write(self, host: str, interface: str, direction: int, data: bytes, linktype: int, now: int) -> None:
        if self._out.closed:
            return
        number = self._interfaces.get((host, interface))
        if number is None:
            number = self._interfaces[host, interface] = len(self._interfaces)
            self._out.write(interface_block(f"{host}:{interface}", linktype))
        self._out.write(packet_block(Frame(host, interface, direction, self._epoch + now, data), number))
        self.packets += 1
        if self.packets % FLUSH_EVERY == 0:
            self._out.flush()
