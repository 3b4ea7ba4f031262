"""The TCP segment as a value, to and from bytes (RFC 9293 §3.1; options of RFC 7323, 2018, 7413).

Inside the lab segments travel as these objects; bytes are made only when something looks at bytes. A segment is never
changed once it has been sent.
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.checksum import Buffer, checksum, chunks_sum, intact, ones_sum, pseudo_header_sum
from netglass.wire.fields import misfit

TCP_HEADER: Final = 20
"""Bytes of a header without options."""
OPTIONS_LIMIT: Final = 40
"""Most bytes of options: the data offset counts to 15 words (RFC 9293 §3.1)."""
_PROTOCOL: Final = 6

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

    __slots__ = ("fast_open", "malformed", "mss", "sack_permitted", "unknown", "window_scale")

    def __init__(
        self,
        mss: int = ABSENT,
        window_scale: int = ABSENT,
        sack_permitted: bool = False,
        fast_open: bytes | None = None,
        unknown: tuple[tuple[int, bytes], ...] = (),
        malformed: bool = False,
    ) -> None:
        self.mss: int = mss
        self.window_scale: int = window_scale  # shift count as sent, not yet limited to 14 (RFC 7323 §2.3)
        self.sack_permitted: bool = sack_permitted
        self.fast_open: bytes | None = fast_open  # b"" asks for a cookie (RFC 7413 §4.1.1)
        self.unknown: tuple[tuple[int, bytes], ...] = unknown  # (kind, body) in the order found
        self.malformed: bool = malformed  # the list broke off: what follows the break was not read (see `decode_tcp`)


class TcpSegment:
    """One segment. It may be longer than an MSS: up to 65,535 bytes less the headers (a super-segment)."""

    __slots__ = (
        "ack",
        "chunks",
        "destination_port",
        "flags",
        "length",
        "mss",
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
        mss: int = 0,
    ) -> None:
        self.source_port: int = source_port
        self.destination_port: int = destination_port
        self.seq: int = seq  # 32 bits
        self.ack: int = ack  # 32 bits; means nothing without ACK
        self.flags: int = flags  # 12 bits: the nine that have names, and three reserved ones that a router passes on
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
        # Of a super-segment: bytes of payload in each segment that the device shall cut out of it; 0: it is one.
        self.mss: int = mss


_NO_OPTIONS: Final = TcpOptions()
_TIMESTAMPS_SIZE: Final = 12
_PADDED_TIMESTAMPS: Final = 0x0101080A  # NOP, NOP, kind 8, 10 bytes (RFC 7323 appendix A)
_SACK_PERMITTED_TIMESTAMPS: Final = 0x0402080A

_unpack_header: Final = struct.Struct("!HHIIHHHH").unpack_from
_pack_head: Final = struct.Struct("!HHIIHH").pack  # up to the window
_pack_tail: Final = struct.Struct("!HH").pack  # checksum, urgent pointer
_pack_timestamps: Final = struct.Struct("!III").pack
_unpack_timestamps: Final = struct.Struct("!III").unpack_from
_pack_block: Final = struct.Struct("!II").pack
_unpack_block: Final = struct.Struct("!II").unpack
_iterate_blocks: Final = struct.Struct("!II").iter_unpack


# -- flags as text

_NAMES: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")
_LETTERS: Final = "FSRP.UEWA"


def flag_text(flags: int) -> str:
    """The names of RFC 9293 and RFC 3168, as in "SYN,ACK"; "none" without any. Reserved bits show as a number."""
    names = [name for bit, name in enumerate(_NAMES) if flags >> bit & 1]
    if flags >> 9:
        names.append(f"{flags >> 9 << 9:#x}")
    return ",".join(names) or "none"


def flag_letters(flags: int) -> str:
    """As packetdrill and tcpdump write them: "S.", "P.", "F."; "-" without any."""
    return "".join([letter for bit, letter in enumerate(_LETTERS) if flags >> bit & 1]) or "-"


# -- options


def options_size(segment: TcpSegment) -> int:
    """Bytes of options on the wire, without making them."""
    raw = segment.raw_options
    if raw is not None:
        return len(raw)
    size = 0 if segment.ts_val == ABSENT else _TIMESTAMPS_SIZE
    if segment.sack:
        size += 4 + 8 * len(segment.sack)
    if segment.options is not None:
        size += _handshake_size(segment.options, segment.ts_val != ABSENT)
    return size


def _handshake_size(options: TcpOptions, timestamps: bool) -> int:
    size = 0
    if options.mss != ABSENT:
        size += 4
    if options.sack_permitted and not timestamps:
        size += 4  # with timestamps it takes the place of their padding
    if options.window_scale != ABSENT:
        size += 4
    if options.fast_open is not None:
        size += _padded(2 + len(options.fast_open))
    rest = 0
    for _, body in options.unknown:
        rest += 2 + len(body)
    return size + _padded(rest)


def _padded(size: int) -> int:
    return (size + 3) & ~3


def encode_options(segment: TcpSegment) -> bytes:
    """The options in the order and with the padding of Linux, a multiple of 4 bytes; `raw_options`, if there, as it is.

    MisuseError if they take more than 40 bytes: at most 4 SACK blocks fit, 3 beside timestamps (RFC 2018 §3).
    """
    raw = segment.raw_options
    if raw is None and segment.options is None and not segment.sack:
        if segment.ts_val == ABSENT:
            return b""
        return _pack_timestamps(_PADDED_TIMESTAMPS, segment.ts_val, segment.ts_ecr)
    size = options_size(segment)
    if size > OPTIONS_LIMIT or size & 3:
        raise MisuseError(f"TCP options take a multiple of 4 bytes and at most {OPTIONS_LIMIT}; these are {size}")
    if raw is not None:
        return raw
    return b"".join(_option_parts(segment, segment.options or _NO_OPTIONS))


def _option_parts(segment: TcpSegment, options: TcpOptions) -> list[bytes]:
    parts: list[bytes] = []
    if options.mss != ABSENT:
        parts.append(b"\x02\x04" + options.mss.to_bytes(2, "big"))
    if segment.ts_val != ABSENT:
        lead = _SACK_PERMITTED_TIMESTAMPS if options.sack_permitted else _PADDED_TIMESTAMPS
        parts.append(_pack_timestamps(lead, segment.ts_val, segment.ts_ecr))
    elif options.sack_permitted:
        parts.append(b"\x01\x01\x04\x02")
    if options.window_scale != ABSENT:
        parts.append(b"\x01\x03\x03" + options.window_scale.to_bytes(1, "big"))
    if segment.sack:
        parts.append(b"\x01\x01\x05" + (2 + 8 * len(segment.sack)).to_bytes(1, "big"))
        parts += [_pack_block(left, right) for left, right in segment.sack]
    if options.fast_open is not None:
        cookie = _option(FAST_OPEN, options.fast_open)
        parts.append(cookie.ljust(_padded(len(cookie)), b"\x01"))
    rest = b"".join([_option(kind, body) for kind, body in options.unknown])
    parts.append(rest.ljust(_padded(len(rest)), b"\x00"))
    return parts


def _option(kind: int, body: bytes) -> bytes:
    if not NO_OPERATION < kind < 256:
        raise MisuseError(f"a TCP option of kind {kind} has no body; kinds 2 to 255 do")
    return bytes((kind, 2 + len(body))) + body


def decode_option_list(raw: bytes) -> list[tuple[int, bytes]]:
    """(kind, body) of every option in order, padding and the end mark included; ends where the list is malformed."""
    return _split_options(raw)[0]


def _split_options(raw: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    # The second value says that the list broke off. What follows an end mark is padding (RFC 9293 §3.1), no break.
    found: list[tuple[int, bytes]] = []
    at = 0
    size = len(raw)
    while at < size:
        kind = raw[at]
        if kind == END_OF_OPTIONS:
            found.append((kind, b""))
            break
        if kind == NO_OPERATION:
            found.append((kind, b""))
            at += 1
            continue
        end = at + raw[at + 1] if at + 1 < size else 0
        if end < at + 2 or end > size:
            return found, True
        found.append((kind, raw[at + 2 : end]))
        at = end
    return found, False


def read_options(segment: TcpSegment, raw: bytes) -> None:
    """Fills in what the option bytes `raw` say."""
    # As Linux: a known kind with a length that it cannot have is unknown; of a kind that comes twice the last counts.
    found, malformed = _split_options(raw)
    options = TcpOptions(malformed=malformed)
    handshake = malformed
    for kind, body in found:
        size = len(body)
        if kind <= NO_OPERATION:
            continue
        if kind == TIMESTAMPS and size == 8:
            segment.ts_val, segment.ts_ecr = _unpack_block(body)
        elif kind == SACK and size >= 8 and size & 7 == 0:
            segment.sack = tuple([(left, right) for left, right in _iterate_blocks(body)])
        else:
            handshake = True
            _read_handshake_option(options, kind, body)
    if handshake:
        segment.options = options


def _read_handshake_option(options: TcpOptions, kind: int, body: bytes) -> None:
    size = len(body)
    if kind == MAXIMUM_SEGMENT_SIZE and size == 2:
        options.mss = int.from_bytes(body, "big")
    elif kind == WINDOW_SCALE and size == 1:
        options.window_scale = body[0]
    elif kind == SACK_PERMITTED and size == 0:
        options.sack_permitted = True
    elif kind == FAST_OPEN:
        options.fast_open = body
    else:
        options.unknown += ((kind, body),)


# -- the segment


def encode_tcp(segment: TcpSegment, source: bytes, destination: bytes) -> list[Buffer]:
    """The header with its options, then the chunks themselves: the payload is not copied."""
    flags = segment.flags
    urgent = segment.urgent
    chunks = segment.chunks
    length = 0
    for chunk in chunks:
        length += len(chunk)
    if length != segment.length:
        raise MisuseError(f"TCP: the chunks hold {length} bytes, but length says {segment.length}")
    if flags >> 12:
        raise _misfit(segment)
    try:
        options = encode_options(segment)
        size = TCP_HEADER + len(options)
        word = size << 10 | flags
        head = _pack_head(segment.source_port, segment.destination_port, segment.seq, segment.ack, word, segment.window)
        total = ones_sum(head + options) + urgent + pseudo_header_sum(source, destination, _PROTOCOL, size + length)
        tail = _pack_tail(checksum(total + chunks_sum(chunks)), urgent)
    except (struct.error, OverflowError):
        raise _misfit(segment) from None
    return [head + tail + options, *chunks]


def _misfit(segment: TcpSegment) -> MisuseError:
    options = segment.options or _NO_OPTIONS
    fields = [
        ("source_port", segment.source_port, 16),
        ("destination_port", segment.destination_port, 16),
        ("seq", segment.seq, 32),
        ("ack", segment.ack, 32),
        ("flags", segment.flags, 12),
        ("window", segment.window, 16),
        ("urgent", segment.urgent, 16),
    ]
    if segment.ts_val != ABSENT:
        fields += [("ts_val", segment.ts_val, 32), ("ts_ecr", segment.ts_ecr, 32)]
    if options.mss != ABSENT:
        fields.append(("mss", options.mss, 16))
    if options.window_scale != ABSENT:
        fields.append(("window_scale", options.window_scale, 8))
    fields += [("sack edge", edge, 32) for block in segment.sack for edge in block]
    return misfit("TCP", fields)


def decode_tcp(buffer: Buffer, source: bytes, destination: bytes, verify: bool = True) -> TcpSegment:
    """The segment that fills `buffer`; its chunk is a slice of it. `verify=False` trusts the checksum.

    WireError: "tcp-short", "tcp-data-offset", "tcp-checksum". A malformed option list is no error, as in Linux: options
    are read up to where it breaks, `options.malformed` says so, and `raw_options` has every byte.
    """
    size = len(buffer)
    if size < TCP_HEADER:
        raise WireError("tcp-short")
    source_port, destination_port, seq, ack, word, window, _, urgent = _unpack_header(buffer)
    offset = word >> 10 & 0x3C
    if offset < TCP_HEADER or offset > size:
        raise WireError("tcp-data-offset")
    if verify and not intact(buffer, pseudo_header_sum(source, destination, _PROTOCOL, size)):
        raise WireError("tcp-checksum")
    chunks: tuple[Buffer, ...] = (buffer[offset:],) if offset < size else ()
    segment = TcpSegment(source_port, destination_port, seq, ack, word & 0xFFF, window, chunks, size - offset)
    segment.urgent = urgent
    if offset == TCP_HEADER:
        return segment
    if offset == TCP_HEADER + _TIMESTAMPS_SIZE:
        lead, ts_val, ts_ecr = _unpack_timestamps(buffer, TCP_HEADER)
        if lead == _PADDED_TIMESTAMPS:
            # What nearly every segment carries; `encode_options` makes the same bytes, no need to keep them.
            segment.ts_val = ts_val
            segment.ts_ecr = ts_ecr
            return segment
    segment.raw_options = bytes(buffer[TCP_HEADER:offset])
    read_options(segment, segment.raw_options)
    return segment
