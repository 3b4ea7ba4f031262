"""Captures in the pcapng format (draft-ietf-opsawg-pcapng): what tcpdump would have seen on one host, or on every
host at once.

One interface for each host's interface, called "client:eth0"; a comment says what a cable or a host did to a packet.
With the vantage "all" a packet is there twice, as it left and as it came in, with the same packet id: good for
following it, but whoever reads such a file as one capture takes every second packet for a retransmission. The bytes
depend on nothing but the recording: virtual time zero is 1 January 2026, as for programs.

TLS secrets of the recording are in the capture, before the packets: Wireshark and tshark decrypt what programs said.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from netglass.errors import MisuseError
from netglass.times import EPOCH, human
from netglass.trace.recorder import Recorder
from netglass.trace.records import Carried, Dropped, Event, Packet, Received, Sent
from netglass.trace.transmissions import Transmission
from netglass.wire.ethernet import EthernetFrame, frame_bytes
from netglass.wire.packet import packet_bytes

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE: Final = 1
ENHANCED_PACKET: Final = 6
DECRYPTION_SECRETS: Final = 10
TLS_KEY_LOG: Final = 0x544C534B
BYTE_ORDER: Final = 0x1A2B3C4D

LINKTYPE_ETHERNET: Final = 1
LINKTYPE_RAW: Final = 101  # the packet begins with its IP header
COMMENT: Final = 1
SECTION_APPLICATION: Final = 4
INTERFACE_NAME: Final = 2
INTERFACE_RESOLUTION: Final = 9
PACKET_FLAGS: Final = 2
PACKET_ID: Final = 5
INBOUND: Final = 1
OUTBOUND: Final = 2

_NANOSECONDS: Final = bytes([9])  # times count units of 10**-9 s


class Frame:
    """One packet as one host's interface saw it."""

    __slots__ = ("comment", "data", "direction", "host", "interface", "linktype", "number", "time")

    def __init__(self, host: str, interface: str, direction: int, time: int, data: bytes) -> None:
        self.host: str = host
        self.interface: str = interface
        self.direction: int = direction  # INBOUND or OUTBOUND
        self.time: int = time
        self.data: bytes = data
        self.linktype: int = LINKTYPE_RAW
        self.number: int = 0  # of the transmission; 0: it never came to a cable
        self.comment: str = ""


EVERYWHERE: Final = "all"


def write_pcapng(
    recorder: Recorder, file: str | Path | BinaryIO, vantage: str | None = None, zero: int | None = None
) -> int:
    """Writes what was recorded; the number of packets written.

    `vantage` names the host whose interfaces count, as if tcpdump had run only there; None is the first that sent
    something, "all" every interface of every host. `zero` (ns) is where a ladder of it begins to count: a comment on
    the first packet from there on says so.
    """
    if vantage not in (None, EVERYWHERE, *recorder.hosts()):
        raise MisuseError(f"nothing was recorded of a host {vantage!r}; there are {', '.join(recorder.hosts())}")
    frames = frames_of(recorder)
    if vantage is None and frames:
        vantage = frames[0].host
    if vantage != EVERYWHERE:
        frames = [frame for frame in frames if frame.host == vantage]
    if zero is not None:
        _mark_zero(frames, zero)
    data = pcapng_bytes(frames, recorder.secrets, EPOCH)
    if isinstance(file, (str, Path)):
        Path(file).write_bytes(data)
    else:
        file.write(data)
    return len(frames)


def _mark_zero(frames: list[Frame], zero: int) -> None:
    for frame in frames:
        if frame.time >= zero:
            words = "the ladder's 0" if frame.time == zero else f"{human(frame.time - zero)} in the ladder"
            frame.comment = "; ".join([each for each in (words, frame.comment) if each])
            return


def pcapng_bytes(frames: list[Frame], secrets: Iterable[str] = (), epoch: int = 0) -> bytes:
    """The whole capture; `epoch` (ns since 1970) is the date at time zero. `secrets` are lines of a TLS key log."""
    kinds = {(frame.host, frame.interface): frame.linktype for frame in frames}
    numbers = {name: number for number, name in enumerate(kinds)}
    blocks = [section_header()]
    blocks += [interface_block(f"{host}:{interface}", linktype) for (host, interface), linktype in kinds.items()]
    key_log = "".join([f"{line}\n" for line in secrets])
    if key_log:
        blocks.append(secrets_block(key_log.encode()))  # before the packets that need them
    blocks += [packet_block(frame, numbers[frame.host, frame.interface], epoch) for frame in frames]
    return b"".join(blocks)


# -- frames from events


def frames_of(recorder: Recorder) -> list[Frame]:
    """What every interface saw, in order of time."""
    return _Seen(recorder.transmissions()).frames(recorder.events)


class _Seen:
    """Events as the interfaces saw them."""

    def __init__(self, transmissions: list[Transmission]) -> None:
        self.plugs = _plugs(transmissions)
        self.leaving: dict[int, list[Transmission]] = {}
        self.carrying: dict[int, Transmission] = {}
        self.coming: dict[int, Transmission] = {}
        self.framed: set[tuple[str, str]] = set()  # (host, interface) that are Ethernet
        for each in transmissions:
            if each.sent_by is not None:
                self.leaving.setdefault(id(each.sent_by), []).append(each)
                self.carrying.setdefault(id(each.carried), each)
                if each.carried.ethernet is not None:
                    self.framed.add((each.source, each.sent_by.interface))
            if each.arrival_order >= 0:
                self.coming[each.arrival_order] = each

    def frames(self, events: Iterable[Event]) -> list[Frame]:
        found: list[Frame] = []
        for order, event in enumerate(events):
            frame = self._frame(event, order)
            if frame is not None:
                found.append(frame)
        return found

    def _frame(self, event: Event, order: int) -> Frame | None:
        if isinstance(event, Sent):
            return self._sent(event)
        if isinstance(event, Carried) and event.ethernet is not None:
            return self._carried(event)
        brought = self.coming.get(order)
        if isinstance(event, Received):
            return _inbound(_frame(event.host, event.interface, INBOUND, event.time, event.packet, brought), brought)
        if isinstance(event, Dropped) and brought is not None:
            interface = self.plugs.get((event.host, brought.carried.link))
            if interface is None and brought.carried.ethernet is not None:
                return None  # a switch's
            interface = interface or brought.carried.link
            return _inbound(_frame(event.host, interface, INBOUND, event.time, event.packet, brought), brought)
        return None

    def _sent(self, event: Sent) -> Frame | None:
        if event.packet is None or (event.host, event.interface) in self.framed:
            return None  # over Ethernet it leaves when the MAC is known: see `_carried`
        frame = _frame(event.host, event.interface, OUTBOUND, event.time, event.packet, None)
        return _outbound(frame, self.leaving.get(id(event), []))

    def _carried(self, event: Carried) -> Frame | None:
        made = self.carrying.get(id(event))
        if made is None or made.sent_by is None or made.copy or event.ethernet is None:
            return None
        data = frame_bytes(event.ethernet)
        frame = Frame(event.source, made.sent_by.interface, OUTBOUND, event.time, data)
        frame.linktype = LINKTYPE_ETHERNET
        return _outbound(frame, [made])


def _frame(
    host: str, interface: str, direction: int, time: int, packet: Packet | None, brought: Transmission | None
) -> Frame:
    """The bytes that came over the cable if it made any, else those of the frame or packet."""
    carried = None if brought is None else brought.carried
    ethernet = None if carried is None else carried.ethernet
    data = b"" if carried is None else carried.frame or b""
    if not data and ethernet is not None:
        data = frame_bytes(ethernet)
    elif not data and packet is not None:
        data = frame_bytes(packet) if isinstance(packet, EthernetFrame) else packet_bytes(packet)
    frame = Frame(host, interface, direction, time, data)
    if ethernet is not None or isinstance(packet, EthernetFrame):
        frame.linktype = LINKTYPE_ETHERNET
    return frame


def _plugs(transmissions: list[Transmission]) -> dict[tuple[str, str], str]:
    # (host, cable) -> interface, as far as packets went through it.
    plugs: dict[tuple[str, str], str] = {}
    for each in transmissions:
        if each.sent_by is not None:
            plugs[each.source, each.carried.link] = each.sent_by.interface
        if each.received is not None:
            plugs[each.destination, each.carried.link] = each.received.interface
    return plugs


def _outbound(frame: Frame, transmissions: list[Transmission]) -> Frame:
    if not transmissions:
        return frame
    first = transmissions[0]
    frame.number = first.carried.number
    words = [first.note] if first.note else []
    if first.lost:
        words.insert(0, "lost")
    frame.comment = ": ".join(words)
    return frame


def _inbound(frame: Frame, brought: Transmission | None) -> Frame:
    if brought is None:
        return frame
    frame.number = brought.carried.number
    words = [brought.note] if brought.note else []
    words += [f"dropped by {frame.host}: {reason}" for reason in brought.drops]
    frame.comment = "; ".join(words)
    return frame


# -- blocks


def section_header() -> bytes:
    body = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)  # version 1.0, length not told
    return _block(SECTION_HEADER, body, [(SECTION_APPLICATION, b"netglass")])


def interface_block(name: str, linktype: int) -> bytes:
    body = struct.pack("<HHI", linktype, 0, 0)  # packets are not cut
    return _block(INTERFACE, body, [(INTERFACE_NAME, name.encode()), (INTERFACE_RESOLUTION, _NANOSECONDS)])


def secrets_block(key_log: bytes) -> bytes:
    return _block(DECRYPTION_SECRETS, struct.pack("<II", TLS_KEY_LOG, len(key_log)) + _padded(key_log), [])


def packet_block(frame: Frame, interface: int, epoch: int = 0) -> bytes:
    size = len(frame.data)
    time = epoch + frame.time
    body = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, size, size) + _padded(frame.data)
    options = [(PACKET_FLAGS, struct.pack("<I", frame.direction))]
    if frame.number:
        options.append((PACKET_ID, struct.pack("<Q", frame.number)))
    if frame.comment:
        options.insert(0, (COMMENT, frame.comment.encode()))
    return _block(ENHANCED_PACKET, body, options)


def _block(kind: int, body: bytes, options: list[tuple[int, bytes]]) -> bytes:
    parts = [struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options]
    body += b"".join(parts) + bytes(4)  # the end of options
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) & 3)
