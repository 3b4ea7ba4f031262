"""The lower half of an IPv6 address that a host makes itself."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from netglass.neighbor.port import EthernetPort

_RESERVED: Final = b"\xfd" + b"\xff" * 6  # anycast (RFC 5453); all zeros are the routers' (RFC 4291 §2.6.1)


def interface_identifier(port: EthernetPort, network: bytes, tries: int) -> bytes:
    """Eight bytes for the /64 `network` (its first eight bytes), the `tries`-th attempt.

    RFC 7217: the same on the same network, another one on another network, and nobody can tell the MAC from it. Or,
    if so configured, from the MAC (RFC 4291 App. A).
    """
    if port.config.eui64:
        return modified_eui64(port.mac)
    secret = port.rng.stream("stable-address").bytes(16)
    text = network + port.name.encode() + bytes([tries])
    found = blake2b(text, digest_size=8, key=secret).digest()
    while not any(found) or found.startswith(_RESERVED):
        found = blake2b(found, digest_size=8, key=secret).digest()
    return found


def modified_eui64(mac: bytes) -> bytes:
    return bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
