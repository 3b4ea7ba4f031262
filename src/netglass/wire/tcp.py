"""The TCP segment as a value, to and from bytes (RFC 9293 §3.1; options of RFC 7323, 2018, 7413).

Inside the lab segments travel as these objects; bytes are made only when something looks at bytes. A segment is never changed once it has been sent.
"""

from __future__ import annotations

from typing import Final

Buffer = bytes | memoryview

FIN: Final = 0x001
SYN: Final = 0x002
RST: Final = 0x004
PSH: Final = 0x008
ACK: Final = 0x010
URG: Final = 0x020
ECE: Final = 0x040
CWR: Final = 0x080
AE: Final = 0x100

# Option kinds (IANA "TCP Option Kind Numbers").
END_OF_OPTIONS: Final = 0
NO_OPERATION: Final = 1
MAXIMUM_SEGMENT_SIZE: Final = 2
WINDOW_SCALE: Final = 3
SACK_PERMITTED: Final = 4
SACK: Final = 5
TIMESTAMPS: Final = 8
FAST_OPEN: Final = 34

ABSENT: Final = -1
"""What a numeric option reads when the segment does not carry it."""


class TcpOptions:
    """The options that only a handshake carries, and those that nobody knows."""

    __slots__ = ("fast_open", "mss", "sack_permitted", "unknown", "window_scale")

    def __init__(
        self,
        mss: int = ABSENT,
        window_scale: int = ABSENT,
        sack_permitted: bool = False,
        fast_open: bytes | None = None,
        unknown: tuple[tuple[int, bytes], ...] = (),
    ) -> None:
        self.mss: int = mss
        self.window_scale: int = window_scale  # shift count as sent, not yet limited to 14 (RFC 7323 §2.3)
        self.sack_permitted: bool = sack_permitted
        self.fast_open: bytes | None = fast_open  # b"" asks for a cookie (RFC 7413 §4.1.1)
        self.unknown: tuple[tuple[int, bytes], ...] = unknown  # (kind, body) in the order found


class TcpSegment:
    """One segment. It may be longer than an MSS: `chunks` hold up to 65,535 bytes less the headers (a super-segment)."""

    __slots__ = (
        "ack",
        "chunks",
        "destination_port",
        "flags",
        "length",
        "options",
        "raw_options",
        "sack",
        "seq",
        "source_port",
        "ts_ecr",
        "ts_val",
        "urgent",
        "window",
    )

    def __init__(
        self,
        source_port: int,
        destination_port: int,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        chunks: tuple[Buffer, ...] = (),
        length: int = 0,
        ts_val: int = ABSENT,
        ts_ecr: int = ABSENT,
        sack: tuple[tuple[int, int], ...] = (),
        options: TcpOptions | None = None,
        urgent: int = 0,
        raw_options: bytes | None = None,
    ) -> None:
        self.source_port: int = source_port
        self.destination_port: int = destination_port
        self.seq: int = seq  # 32 bits
        self.ack: int = ack  # 32 bits; means nothing without ACK
        self.flags: int = flags
        self.window: int = window  # the 16 bits of the header, not scaled
        self.chunks: tuple[Buffer, ...] = chunks  # the payload, never copied on the way
        self.length: int = length  # bytes of payload, over all chunks
        self.ts_val: int = ts_val  # ABSENT, or 32 bits (RFC 7323 §3)
        self.ts_ecr: int = ts_ecr
        self.sack: tuple[tuple[int, int], ...] = sack  # (left edge, right edge), 32 bits each, as sent (RFC 2018 §3)
        self.options: TcpOptions | None = options
        self.urgent: int = urgent
        # The option bytes as they came, so that a router passes on what it got; None: `encode_options` decides.
        self.raw_options: bytes | None = raw_options
