"""ICMP for IPv4 (RFC 792) and IPv6 (RFC 4443): one shape, two number spaces."""

from __future__ import annotations


class IcmpMessage:
    """One message. `rest` is the second 32-bit word (identifier and sequence of an echo, next-hop MTU, pointer ...).

    `version` is 4 or 6 and says which number space `type` and `code` belong to.
    """

    __slots__ = ("code", "payload", "rest", "type", "version")

    def __init__(self, version: int, type: int, code: int, rest: int = 0, payload: bytes = b"") -> None:
        self.version: int = version
        self.type: int = type
        self.code: int = code
        self.rest: int = rest  # 32 bits
        self.payload: bytes = payload  # echo data, or the head of the packet that caused the error
