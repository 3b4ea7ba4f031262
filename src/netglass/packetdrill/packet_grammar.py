"""Packets: `< S 0:0(0) win 32792 <mss 1460,sackOK>`, `> udp (1000)`, `< icmp unreachable port_unreachable [1:1(0)]`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from netglass.packetdrill.cursor import Cursor
from netglass.packetdrill.lexer import DECIMAL, ELLIPSIS, INT, WORD
from netglass.packetdrill.script import Direction, Echoed, IcmpPacket, IpFields, Option, Packet, TcpPacket, UdpPacket
from netglass.wire.tcp import (
    ACK,
    AE,
    CWR,
    ECE,
    END_OF_OPTIONS,
    FAST_OPEN,
    FIN,
    MAXIMUM_SEGMENT_SIZE,
    NO_OPERATION,
    PSH,
    RST,
    SACK,
    SACK_PERMITTED,
    SYN,
    TIMESTAMPS,
    URG,
    WINDOW_SCALE,
)

FLAG_LETTERS: Final = {
    "F": FIN,
    "S": SYN,
    "R": RST,
    "P": PSH,
    ".": ACK,
    "U": URG,
    "E": ECE,
    "W": CWR,
    "C": CWR,
    "A": AE,
}

# Option kinds that only scripts speak of (IANA "TCP Option Kind Numbers").
MD5: Final = 19
ACCECN_0: Final = 172  # counters in the order ECT(0), CE, ECT(1)
ACCECN_1: Final = 174  # ECT(1), CE, ECT(0)
EXPERIMENT: Final = 254
FAST_OPEN_MAGIC: Final = b"\xf9\x89"  # RFC 7413 appendix A names the experiment
OPTION_SPACE: Final = 40  # RFC 9293 §3.1: the data offset allows a header of 60 bytes

ECN_WORDS: Final = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}  # RFC 3168 §5


def parse_packet(cursor: Cursor) -> Packet:
    """A packet; the cursor stands at its direction."""
    direction = Direction.IN if cursor.accept_sign("<") else Direction.OUT
    if direction is Direction.OUT:
        cursor.expect_sign(">")
    _refuse_encapsulation(cursor)
    ip = _ip_fields(cursor, direction)
    if cursor.accept_word("icmp"):
        return _icmp(cursor, direction, ip)
    if cursor.accept_word("udp"):
        ports = _ports(cursor)
        return UdpPacket(direction, ip, _parenthesized(cursor, "payload length"), ports)
    return _tcp(cursor, direction, ip)


def _refuse_encapsulation(cursor: Cursor) -> None:
    if cursor.at_word("ipv4", "ipv6", "gre", "GREv0", "mpls", "encap"):
        raise cursor.error(f"{cursor.token.text} encapsulation is not supported")


# -- the IP header


def _ip_fields(cursor: Cursor, direction: Direction) -> IpFields:
    for opening, closing in (("(", ")"), ("[", "]")):
        if cursor.accept_sign(opening):
            fields = _ip_field(cursor, IpFields(), direction)
            while cursor.accept_sign(","):
                fields = _ip_field(cursor, fields, direction)
            cursor.expect_sign(closing)
            return fields
    return IpFields()


def _ip_field(cursor: Cursor, so_far: IpFields, direction: Direction) -> IpFields:
    token = cursor.expect(WORD, "tos, ect0, flowlabel or ttl")
    tos, ecn, label, ttl = so_far.tos, so_far.ecn, so_far.flow_label, so_far.ttl_hops
    if token.text in ("tos", "class"):
        tos = cursor.expect_integer("type of service", 8)
    elif token.text in ("ttl", "hlim"):
        ttl = cursor.expect_integer("time to live", 8)
    elif token.text == "flowlabel":
        label = cursor.expect_integer("flow label", 20)
    elif token.text in ECN_WORDS:
        ecn = ECN_WORDS[token.text]
    elif token.text == "ect01":
        ecn = token.text
        if direction is Direction.IN:
            raise cursor.error("ect01 means either codepoint: only a packet that comes out can have it", token.line)
    else:
        known = "tos, class, ttl, hlim, flowlabel, noecn, ect0, ect1, ect01, ce"
        raise cursor.error(f"{token} is no field of the IP header; there are {known}", token.line)
    return IpFields(tos, ecn, label, ttl)


def _ports(cursor: Cursor) -> tuple[int, int]:
    if cursor.token.kind != INT or cursor.ahead().text != ">":
        return (0, 0)
    source = cursor.expect_integer("source port", 16)
    cursor.expect_sign(">")
    return (source, cursor.expect_integer("destination port", 16))


def _parenthesized(cursor: Cursor, what: str) -> int:
    cursor.expect_sign("(")
    number = cursor.expect_integer(what, 16)
    cursor.expect_sign(")")
    return number


# -- TCP


def _tcp(cursor: Cursor, direction: Direction, ip: IpFields) -> TcpPacket:
    _refuse_encapsulation(cursor)
    line = cursor.token.line
    ports = _ports(cursor)
    flags, ace = _flags(cursor)
    seq, length = _sequence(cursor)
    absolute = cursor.accept_sign("!")
    ack = cursor.expect_integer("acknowledgment number", 32) if cursor.accept_word("ack") else 0
    window = cursor.expect_integer("window", 16) if cursor.accept_word("win") else None
    urgent = cursor.expect_integer("urgent pointer", 16) if cursor.accept_word("urg") else 0
    options, unsupported = _options(cursor)
    unsupported = _udp_encapsulation(cursor) or unsupported
    if direction is Direction.IN:
        if window is None:
            raise cursor.error("a segment that goes in needs a window: win 65535", line)
        if options is None:
            raise cursor.error("<...> means any options: only a segment that comes out can have it", line)
        if seq is None:
            raise cursor.error("... means any sequence number: only a segment that comes out can have it", line)
    return TcpPacket(direction, ip, flags, ace, seq, length, ack, window, urgent, options, ports, absolute, unsupported)


def _flags(cursor: Cursor) -> tuple[int, int | None]:
    line = cursor.token.line
    if cursor.accept_sign("-"):
        return 0, None
    word = cursor.accept(WORD)
    letters = word.text if word else ""
    if cursor.token.kind == DECIMAL and cursor.token.text.startswith("."):
        letters += cursor.next().text
    elif cursor.accept_sign("."):
        letters += "."
    if not letters:
        raise cursor.error(f"expected the flags of a segment, such as S. or P. or -, not {cursor.token}")
    flags, ace = 0, None
    for letter in letters:
        if letter in "01234567":
            if ace is not None or flags & (ECE | CWR | AE):
                raise cursor.error(
                    f"{letters!r}: a digit stands for the three ECN flags; write one digit or the letters", line
                )
            ace = int(letter)
        elif letter in FLAG_LETTERS:
            flags |= FLAG_LETTERS[letter]
        else:
            raise cursor.error(f"{letter!r} in {letters!r} is no flag; there are F S R P . U E W A and 0 to 7", line)
    return (flags, None) if ace is None else (flags | ace_bits(ace), ace)


def ace_bits(ace: int) -> int:
    """A number of three bits as flags: AE is the highest, ECE the lowest (draft-ietf-tcpm-accurate-ecn §3.1)."""
    return (AE if ace & 4 else 0) | (CWR if ace & 2 else 0) | (ECE if ace & 1 else 0)


def _sequence(cursor: Cursor) -> tuple[int | None, int]:
    line = cursor.token.line
    if cursor.accept(ELLIPSIS):
        return None, _parenthesized(cursor, "payload length")
    first = cursor.expect_integer("sequence number", 32)
    cursor.expect_sign(":")
    last = cursor.expect_integer("sequence number", 32)
    length = _parenthesized(cursor, "payload length")
    end = (first + length) & 0xFFFFFFFF
    if end != last:
        raise cursor.error(f"{first}:{last}({length}) does not add up: {length} bytes from {first} end at {end}", line)
    return first, length


def _udp_encapsulation(cursor: Cursor) -> str:
    """`/udp(9811 > 2)`: FreeBSD's TCP over UDP."""
    if not cursor.accept_sign("/"):
        return ""
    if not cursor.accept_word("udp"):
        raise cursor.error(f"expected udp, not {cursor.token}")
    cursor.expect_sign("(")
    _ports(cursor)
    cursor.expect_sign(")")
    return "TCP over UDP"


# -- TCP options


def _options(cursor: Cursor) -> tuple[tuple[Option, ...] | None, str]:
    """The options (None: any), and what of them is not supported."""
    line = cursor.token.line
    # `<` may also begin the next event's packet, but that has a time before it.
    if not cursor.accept_sign("<"):
        return (), ""
    if cursor.accept(ELLIPSIS):
        cursor.expect_sign(">")
        return None, ""
    found: list[Option] = []
    unsupported = ""
    while True:
        if cursor.at_word("md5") and cursor.ahead().text == "valid":
            cursor.next(), cursor.next()
            unsupported = "TCP MD5 signatures"
        else:
            found.append(_option(cursor))
        if not cursor.accept_sign(","):
            break
    cursor.expect_sign(">")
    size = sum(option_size(option) for option in found)
    if not unsupported and size % 4:
        raise cursor.error(
            f"the options take {size} bytes, which is no multiple of four: fill up with nop or eol", line
        )
    if size > OPTION_SPACE:
        raise cursor.error(f"the options take {size} bytes; a TCP header has room for {OPTION_SPACE}", line)
    return tuple(found), unsupported


def option_size(option: Option) -> int:
    return 1 if option.kind in (END_OF_OPTIONS, NO_OPERATION) else 2 + len(option.body)


def _option(cursor: Cursor) -> Option:
    token = cursor.expect(WORD, "a TCP option")
    if token.text in _PLAIN_OPTIONS:
        return Option(_PLAIN_OPTIONS[token.text])
    if token.text in _PARSED_OPTIONS:
        return _PARSED_OPTIONS[token.text](cursor)
    known = ", ".join([*_PLAIN_OPTIONS, *_PARSED_OPTIONS])
    raise cursor.error(f"{token} is no TCP option; there are {known}", token.line)


def _mss(cursor: Cursor) -> Option:
    return Option(MAXIMUM_SEGMENT_SIZE, struct.pack("!H", cursor.expect_integer("maximum segment size", 16)))


def _window_scale(cursor: Cursor) -> Option:
    return Option(WINDOW_SCALE, struct.pack("!B", cursor.expect_integer("window scale", 8)))


def _fast_open(cursor: Cursor) -> Option:
    return Option(FAST_OPEN, _hexadecimal(cursor))


def _experimental_fast_open(cursor: Cursor) -> Option:
    return Option(EXPERIMENT, FAST_OPEN_MAGIC + _hexadecimal(cursor))


def _md5(cursor: Cursor) -> Option:
    return Option(MD5, _hexadecimal(cursor))


def _sack(cursor: Cursor) -> Option:
    body = b""
    while cursor.token.kind == INT:
        left = cursor.expect_integer("left edge of a SACK block", 32)
        cursor.expect_sign(":")
        body += struct.pack("!II", left, cursor.expect_integer("right edge of a SACK block", 32))
    if not body:
        raise cursor.error("sack needs at least one block, such as sack 1001:2001")
    return Option(SACK, body)


def _timestamps(cursor: Cursor) -> Option:
    if not cursor.accept_word("val"):
        raise cursor.error(f"expected TS val NUMBER ecr NUMBER, not {cursor.token}")
    value = cursor.expect_integer("timestamp", 32)
    if not cursor.accept_word("ecr"):
        raise cursor.error(f"expected TS val NUMBER ecr NUMBER, not {cursor.token}")
    return Option(TIMESTAMPS, struct.pack("!II", value, cursor.expect_integer("echoed timestamp", 32)))


def _hexadecimal(cursor: Cursor) -> bytes:
    """Bytes in hexadecimal; none if the next token is no word or number."""
    if cursor.token.kind not in (WORD, INT):
        return b""
    token = cursor.next()
    try:
        return bytes.fromhex(token.text)
    except ValueError:
        raise cursor.error(f"{token} is not an even number of hexadecimal digits", token.line) from None


def _accecn(cursor: Cursor) -> Option:
    names: list[str] = []
    body = b""
    while cursor.at_word("e0b", "ceb", "e1b"):
        names.append(cursor.next().text)
        body += cursor.expect_integer("byte counter", 24).to_bytes(3, "big")
    for kind, order in ((ACCECN_0, ["e0b", "ceb", "e1b"]), (ACCECN_1, ["e1b", "ceb", "e0b"])):
        if names == order[: len(names)] and names:
            return Option(kind, body)
    raise cursor.error(
        "the counters of an ECN option come in the order e0b ceb e1b or e1b ceb e0b; the last may be missing"
    )


_PLAIN_OPTIONS: Final = {"nop": NO_OPERATION, "eol": END_OF_OPTIONS, "sackOK": SACK_PERMITTED}
_PARSED_OPTIONS: Final[dict[str, Callable[[Cursor], Option]]] = {
    "mss": _mss,
    "wscale": _window_scale,
    "sack": _sack,
    "TS": _timestamps,
    "FO": _fast_open,
    "FOEXP": _experimental_fast_open,
    "md5": _md5,
    "ECN": _accecn,
}


# -- ICMP


def _icmp(cursor: Cursor, direction: Direction, ip: IpFields) -> IcmpPacket:
    kind = cursor.expect(WORD, "the type of the ICMP message").text
    code = ""
    if cursor.token.kind == WORD and not cursor.at_word("mtu", "id"):
        code = cursor.next().text
    mtu = cursor.expect_integer("MTU", 32) if cursor.accept_word("mtu") else None
    ident = cursor.expect_integer("identifier", 16) if cursor.accept_word("id") else 0
    echoed, unsupported = _echoed(cursor)
    return IcmpPacket(direction, ip, kind, code, mtu, ident, echoed, unsupported)


def _echoed(cursor: Cursor) -> tuple[Echoed | None, str]:
    if not cursor.accept_sign("["):
        return None, ""
    unsupported = ""
    if cursor.at_word("udp", "raw"):
        protocol = cursor.next().text
        echoed = Echoed(protocol, 0, _parenthesized(cursor, "payload length"))
    else:
        seq, length = _sequence(cursor)
        echoed = Echoed("tcp", seq or 0, length)
        unsupported = _udp_encapsulation(cursor)
    cursor.expect_sign("]")
    return echoed, unsupported
