"""Addresses: packed bytes inside (4 or 16 of them, network order), text only at the edges."""

from __future__ import annotations

import ipaddress
from typing import Final

from netglass.errors import MisuseError

UNSPECIFIED_4: Final = bytes(4)
UNSPECIFIED_6: Final = bytes(16)
LOOPBACK_4: Final = b"\x7f\x00\x00\x01"
LOOPBACK_6: Final = bytes(15) + b"\x01"
BROADCAST: Final = b"\xff\xff\xff\xff"
_MAPPED: Final = bytes(10) + b"\xff\xff"


def parse(text: str) -> bytes:
    """The packed form of "192.0.2.1" or "2001:db8::1"."""
    if "%" in text:
        raise MisuseError(f"{text!r}: an address has no zone here; write it without the part after %")
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        raise MisuseError(f'not an address: {text!r}; write it like "192.0.2.1" or "2001:db8::1"') from None


def with_prefix(written: str) -> tuple[bytes, int]:
    """ "10.83.0.2/24" as packed address and prefix length; without a prefix it is all of the address."""
    address, slash, prefix = written.partition("/")
    packed = parse(address)
    if not slash:
        return packed, 8 * len(packed)
    if not prefix.isdecimal() or int(prefix) > 8 * len(packed):
        raise MisuseError(f'{written!r}: behind the "/" stands a prefix length, from 0 to {8 * len(packed)}')
    return packed, int(prefix)


def text(packed: bytes) -> str:
    """As people write it: dotted decimal, or RFC 5952's shortest form."""
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.{packed[3]}"
    if len(packed) != 16:
        raise MisuseError(f"a packed address has 4 or 16 bytes; this has {len(packed)}")
    if packed.startswith(_MAPPED):  # RFC 5952 §5
        return f"::ffff:{packed[12]}.{packed[13]}.{packed[14]}.{packed[15]}"
    groups = [packed[i] << 8 | packed[i + 1] for i in range(0, 16, 2)]
    start, length = _longest_zeros(groups)
    if length < 2:  # RFC 5952 §4.2.2: "::" never stands for a single group
        return _groups_text(groups)
    return f"{_groups_text(groups[:start])}::{_groups_text(groups[start + length :])}"


def _groups_text(groups: list[int]) -> str:
    return ":".join([f"{group:x}" for group in groups])


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    # The first of the longest runs (RFC 5952 §4.2.3).
    best_start = best_length = length = 0
    for i, group in enumerate(groups):
        length = length + 1 if group == 0 else 0
        if length > best_length:
            best_start, best_length = i + 1 - length, length
    return best_start, best_length


def is_multicast(address: bytes) -> bool:
    """224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291 §2.7)."""
    return address[0] >> 4 == 14 if len(address) == 4 else address[0] == 0xFF


def is_broadcast(address: bytes) -> bool:
    """The limited broadcast 255.255.255.255 (RFC 919); a subnet's own is `broadcast_of` it. IPv6 has none."""
    return address == BROADCAST


def is_loopback(address: bytes) -> bool:
    """127.0.0.0/8 (RFC 1122 §3.2.1.3) or ::1."""
    return address[0] == 127 if len(address) == 4 else address == LOOPBACK_6


def is_link_local(address: bytes) -> bool:
    """169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291 §2.5.6): no router passes it on."""
    if len(address) == 4:
        return address.startswith(b"\xa9\xfe")
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def is_unspecified(address: bytes) -> bool:
    """0.0.0.0 or ::."""
    return not any(address)


def in_network(address: bytes, network: bytes, prefix: int) -> bool:
    """True if the first `prefix` bits are the same. Addresses of different versions never match."""
    if len(address) != len(network):
        return False
    host_bits = 8 * len(network) - prefix
    return int.from_bytes(address, "big") >> host_bits == int.from_bytes(network, "big") >> host_bits


def network_of(address: bytes, prefix: int) -> bytes:
    """The network's own address: every bit after the first `prefix` is zero (RFC 4632)."""
    host_bits = _host_bits(address, prefix)
    return (int.from_bytes(address, "big") >> host_bits << host_bits).to_bytes(len(address), "big")


def broadcast_of(network: bytes, prefix: int) -> bytes:
    """The broadcast address of an IPv4 network: every bit after the first `prefix` is one (RFC 922)."""
    if len(network) != 4:
        raise MisuseError("IPv6 has no broadcast (RFC 4291 §2); use a multicast address")
    ones = (1 << _host_bits(network, prefix)) - 1
    return (int.from_bytes(network, "big") | ones).to_bytes(4, "big")


def _host_bits(address: bytes, prefix: int) -> int:
    bits = 8 * len(address)
    if not 0 <= prefix <= bits:
        raise MisuseError(f"the prefix of this network lies between 0 and {bits}; this is {prefix}")
    return bits - prefix
