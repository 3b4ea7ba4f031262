"""TCP segments made by hand, for experiments and attacks inside the lab."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.wire.address import parse
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_size
from netglass.wire.tcp import ABSENT, ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, TcpOptions, TcpSegment

_LETTERS: Final[dict[str, int]] = {
    "S": SYN,
    "A": ACK,
    "F": FIN,
    "R": RST,
    "P": PSH,
    "U": URG,
    "E": ECE,
    "W": CWR,
    "N": AE,
}


def flags_of(text: str) -> int:
    """The bits of flags written as letters: "S", "SA", "FA", "R", "PA"; "" is none. A dot is an ACK too, as tcpdump
    writes it."""
    bits = 0
    for letter in text.upper().replace(".", "A"):
        if letter not in _LETTERS:
            raise MisuseError(f"{letter!r} in {text!r} is no TCP flag; they are {' '.join(_LETTERS)}")
        bits |= _LETTERS[letter]
    return bits


def forge(
    source: str,
    source_port: int,
    destination: str,
    destination_port: int,
    flags: str = "S",
    seq: int = 0,
    ack: int = 0,
    window: int = 65535,
    data: bytes = b"",
    mss: int = ABSENT,
    window_scale: int = ABSENT,
    sack_permitted: bool = False,
    ts_val: int = ABSENT,
    ts_ecr: int = 0,
    ttl: int = 64,
) -> IpPacket:
    """A packet with one TCP segment, from any address that you like. Sequence numbers are those of the wire (32
    bits), addresses are text."""
    options: TcpOptions | None = None
    if mss != ABSENT or window_scale != ABSENT or sack_permitted:
        options = TcpOptions(mss, window_scale, sack_permitted)
    segment = TcpSegment(
        source_port,
        destination_port,
        seq & 0xFFFFFFFF,
        ack & 0xFFFFFFFF,
        flags_of(flags),
        window,
        (data,) if data else (),
        len(data),
        ts_val,
        ts_ecr if ts_val != ABSENT else ABSENT,
        options=options,
    )
    packet = IpPacket(parse(source), parse(destination), TCP, segment, ttl)
    packet_size(packet)
    return packet
