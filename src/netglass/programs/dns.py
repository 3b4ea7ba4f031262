"""DNS messages (RFC 1035 §4), as far as a stub resolver needs them: one question out, an answer in.

Whatever a server sends is survived: `parse` gives an `Answer` or None, and its work is bounded by the message's size.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from netglass.wire.address import text

A: Final = 1
CNAME: Final = 5
PTR: Final = 12
AAAA: Final = 28
_INTERNET: Final = 1
_RECURSION_DESIRED: Final = 0x0100
_RESPONSE: Final = 0x8000
_TRUNCATED: Final = 0x0200

NO_ERROR: Final = 0
SERVER_FAILURE: Final = 2
NO_SUCH_NAME: Final = 3
NOT_IMPLEMENTED: Final = 4
REFUSED: Final = 5

_HEADER: Final = 12
_LABEL_MAX: Final = 63
_NAME_MAX: Final = 255  # on the wire, with the lengths of labels (RFC 1035 §2.3.4)
_PARTS_MAX: Final = 256  # labels and pointers of a name: of labels there can be 127
_POINTER: Final = 0xC0
_ADDRESS_SIZES: Final = {A: 4, AAAA: 16}


class Record(NamedTuple):
    """`data` is an address or a name as text."""

    name: str
    kind: int
    data: str


class Answer(NamedTuple):
    """`records` are those of the kinds above in the answer section, names in lower case."""

    code: int
    truncated: bool
    records: tuple[Record, ...]


def question(number: int, name: str, kind: int) -> bytes | None:
    """The message that asks for `kind` (A, AAAA, PTR) of `name`; None if no name on the wire can be like that."""
    labels = [label.encode("ascii", "replace") for label in name.removesuffix(".").split(".")]
    wire = b"".join([bytes([len(label)]) + label for label in labels if len(label) <= _LABEL_MAX]) + b"\0"
    if not all(labels) or max(map(len, labels)) > _LABEL_MAX or len(wire) > _NAME_MAX:
        return None
    header = [number, _RECURSION_DESIRED, 1, 0, 0, 0]
    return b"".join([_two(each) for each in header]) + wire + _two(kind) + _two(_INTERNET)


def reverse_name(address: bytes) -> str:
    """Where the name of an address is asked for (RFC 1035 §3.5, RFC 3596 §2.5)."""
    if len(address) == 4:
        return ".".join([str(byte) for byte in reversed(address)]) + ".in-addr.arpa"
    return ".".join(reversed(address.hex())) + ".ip6.arpa"


def parse(message: bytes, asked: bytes) -> Answer | None:
    """The answer to the question `asked`; None if it is another's, or no message at all."""
    if len(message) < len(asked) or message[:2] != asked[:2]:
        return None
    flags = int.from_bytes(message[2:4], "big")
    if not flags & _RESPONSE or message[4:6] != asked[4:6]:
        return None
    if message[_HEADER : len(asked)].lower() != asked[_HEADER:].lower():
        return None
    count = int.from_bytes(message[6:8], "big")
    return Answer(flags & 0xF, flags & _TRUNCATED != 0, tuple(_records(message, len(asked), count)))


def _records(message: bytes, at: int, count: int) -> list[Record]:
    """As far as they are whole."""
    records: list[Record] = []
    for _ in range(count):
        name, at = _name(message, at)
        if at < 0 or at + 10 > len(message):
            return records
        kind, group = int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 2 : at + 4], "big")
        start = at + 10
        at = start + int.from_bytes(message[at + 8 : start], "big")
        if at > len(message):
            return records
        data = _data(message, kind, start, at)
        if data and group == _INTERNET:
            records.append(Record(name, kind, data))
    return records


def _data(message: bytes, kind: int, start: int, end: int) -> str:
    """ "" for what nobody asked for, and for what is not as it must be."""
    if kind in (CNAME, PTR):
        name, after = _name(message, start)
        return name if after == end else ""
    return text(message[start:end]) if _ADDRESS_SIZES.get(kind) == end - start else ""


def _name(message: bytes, at: int) -> tuple[str, int]:
    """(a name in lower case, where it ends); -1 if it is broken. A pointer may only point back (RFC 1035 §4.1.4)."""
    labels: list[str] = []
    after = -1  # the first pointer
    for _ in range(_PARTS_MAX):
        if at >= len(message):
            break
        length = message[at]
        if length == 0:
            name = ".".join(labels)
            return (name, at + 1 if after < 0 else after) if len(name) < _NAME_MAX - 1 else ("", -1)
        if length >= _POINTER:
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            if at + 2 > len(message) or target >= at:
                break
            after = at + 2 if after < 0 else after
            at = target
        else:
            label = message[at + 1 : at + 1 + length]
            if length > _LABEL_MAX or len(label) < length:
                break
            labels.append(label.decode("ascii", "replace").lower())
            at += 1 + length
    return "", -1


def _two(number: int) -> bytes:
    return number.to_bytes(2, "big")
