"""The UDP datagram (RFC 768)."""

from __future__ import annotations


class UdpDatagram:
    """One datagram."""

    __slots__ = ("checksummed", "destination_port", "payload", "source_port")

    def __init__(self, source_port: int, destination_port: int, payload: bytes, checksummed: bool = True) -> None:
        self.source_port: int = source_port
        self.destination_port: int = destination_port
        self.payload: bytes = payload
        self.checksummed: bool = checksummed  # False: a checksum of zero, "none", allowed on IPv4 (RFC 768)
