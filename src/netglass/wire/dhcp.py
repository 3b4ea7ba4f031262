"""DHCP messages for IPv4 (RFC 2131, options RFC 2132), as a value and as bytes.

Malformed bytes raise `WireError`: "dhcp-short", "dhcp-cookie" (BOOTP without options), "dhcp-option" (one that runs
beyond the end), "dhcp-type" (none, or an unknown one).
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError

SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68

# Message types (RFC 2132 §9.6).
DISCOVER: Final = 1
OFFER: Final = 2
REQUEST: Final = 3
DECLINE: Final = 4
ACK: Final = 5
NAK: Final = 6
RELEASE: Final = 7
INFORM: Final = 8
TYPE_NAMES: Final = ("", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")

# Options.
SUBNET_MASK: Final = 1
ROUTERS: Final = 3
DNS_SERVERS: Final = 6
REQUESTED_ADDRESS: Final = 50
LEASE_TIME: Final = 51
MESSAGE_TYPE: Final = 53
SERVER_ID: Final = 54
PARAMETERS: Final = 55
RENEWAL_TIME: Final = 58
REBINDING_TIME: Final = 59
CLIENT_ID: Final = 61
_PAD: Final = 0
_END: Final = 255

_COOKIE: Final = b"\x63\x82\x53\x63"
_FIXED: Final = 236
_LEAST: Final = 300  # RFC 1542 §2.1: relays may drop shorter ones
_BROADCAST: Final = 0x8000
_head: Final = struct.Struct("!BBBBIHH4s4s4s4s16s")
_pack: Final = _head.pack
_unpack: Final = _head.unpack_from


class DhcpMessage:
    """One message. Addresses have 4 bytes, `mac` 6. `options` in the order in which they were met; one that comes
    several times is joined (RFC 3396)."""

    __slots__ = ("broadcast", "client", "mac", "options", "seconds", "transaction", "type", "your")

    def __init__(
        self,
        type: int,  # noqa: A002  the RFC's name
        transaction: int,
        mac: bytes,
        client: bytes = bytes(4),
        your: bytes = bytes(4),
        broadcast: bool = False,
        seconds: int = 0,
        options: dict[int, bytes] | None = None,
    ) -> None:
        self.type: int = type
        self.transaction: int = transaction  # xid: a reply has the request's
        self.mac: bytes = mac  # chaddr: the client's
        self.client: bytes = client  # ciaddr: an address that the client uses already
        self.your: bytes = your  # yiaddr: the one that it may use
        self.broadcast: bool = broadcast  # B: the client cannot hear unicast yet
        self.seconds: int = seconds  # since the client began
        self.options: dict[int, bytes] = options if options is not None else {}

    @property
    def from_server(self) -> bool:
        return self.type in (OFFER, ACK, NAK)

    def address(self, option: int) -> bytes:
        """The first address in `option`; b"" if there is none."""
        value = self.options.get(option, b"")
        return value[:4] if len(value) >= 4 else b""

    def addresses(self, option: int) -> list[bytes]:
        value = self.options.get(option, b"")
        return [value[at : at + 4] for at in range(0, len(value) - 3, 4)]

    def number(self, option: int, default: int) -> int:
        """Four bytes as a number, as the times are (in seconds)."""
        value = self.options.get(option, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else default

    @property
    def prefix(self) -> int:
        """The prefix length that the subnet mask says; 24 if there is none, or one with holes."""
        mask = self.number(SUBNET_MASK, 0xFFFFFF00)
        ones = mask.bit_count()
        return ones if mask == (1 << 32) - (1 << 32 - ones) else 24


def mask_of(prefix: int) -> bytes:
    return ((1 << 32) - (1 << 32 - prefix)).to_bytes(4, "big")


def encode_dhcp(message: DhcpMessage) -> bytes:
    if not DISCOVER <= message.type <= INFORM:
        raise MisuseError(f"a DHCP message type is 1 to 8; this is {message.type}")
    flags = _BROADCAST if message.broadcast else 0
    op = 2 if message.from_server else 1
    zero = bytes(4)
    hardware = message.mac + bytes(16 - len(message.mac))
    transaction, seconds = message.transaction & 0xFFFFFFFF, min(message.seconds, 0xFFFF)
    data = _pack(op, 1, 6, 0, transaction, seconds, flags, message.client, message.your, zero, zero, hardware)
    data += bytes(_FIXED - len(data)) + _COOKIE + bytes([MESSAGE_TYPE, 1, message.type])
    for code, value in message.options.items():
        if len(value) > 255:
            raise MisuseError(f"a DHCP option has up to 255 bytes; option {code} has {len(value)}")
        data += bytes([code, len(value)]) + value
    data += bytes([_END])
    return data + bytes(max(_LEAST - len(data), 0))


def decode_dhcp(data: bytes) -> DhcpMessage:
    if len(data) < _FIXED:
        raise WireError("dhcp-short")
    op, hardware_type, size, _, transaction, seconds, flags, client, your, _, _, hardware = _unpack(data)
    if hardware_type != 1 or size != 6:
        raise WireError("dhcp-hardware")
    if data[_FIXED : _FIXED + 4] != _COOKIE:
        raise WireError("dhcp-cookie")
    options = _read_options(data[_FIXED + 4 :])
    kind = options.pop(MESSAGE_TYPE, b"")
    if len(kind) != 1 or not DISCOVER <= kind[0] <= INFORM:
        raise WireError("dhcp-type")
    message = DhcpMessage(kind[0], transaction, hardware[:6], client, your, flags & _BROADCAST != 0, seconds, options)
    if op != (2 if message.from_server else 1):
        raise WireError("dhcp-type")
    return message


def _read_options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != _END:
        code = data[at]
        if code == _PAD:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise WireError("dhcp-option")
        found[code] = found.get(code, b"") + data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found
