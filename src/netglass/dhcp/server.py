"""A small DHCP server (RFC 2131 §4.3) without I/O: one pool, leases by MAC address. It has no timers: a lease that has
ended is free when somebody asks."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.times import SECOND
from netglass.wire.address import BROADCAST, UNSPECIFIED_4
from netglass.wire.dhcp import (
    ACK,
    DECLINE,
    DISCOVER,
    DNS_SERVERS,
    INFORM,
    LEASE_TIME,
    NAK,
    OFFER,
    RELEASE,
    REQUEST,
    REQUESTED_ADDRESS,
    ROUTERS,
    SERVER_ID,
    SUBNET_MASK,
    DhcpMessage,
    mask_of,
)

_OFFER_KEPT: Final = 60 * SECOND
_DECLINED_KEPT: Final = 600 * SECOND
_NOBODY: Final = bytes(6)


class Held:
    """An address that is offered, leased or declined (by `_NOBODY`)."""

    __slots__ = ("address", "mac", "until")

    def __init__(self, address: bytes, mac: bytes, until: int) -> None:
        self.address: bytes = address
        self.mac: bytes = mac
        self.until: int = until


class DhcpServer:
    """`first` to `last` are handed out, with this prefix length, for `lease` ns."""

    __slots__ = ("_first", "_last", "address", "dns", "held", "lease", "prefix", "reserved", "routers")

    def __init__(self, address: bytes, prefix: int, first: bytes, last: bytes, lease: int) -> None:
        if len(first) != 4 or len(last) != 4 or first > last:
            raise MisuseError("a pool runs from an IPv4 address up to another one")
        self.address: bytes = address  # the server's own
        self.prefix: int = prefix
        self.lease: int = lease
        self.routers: list[bytes] = []
        self.dns: list[bytes] = []
        self.reserved: dict[bytes, bytes] = {}  # MAC -> the address that it always gets
        self.held: dict[bytes, Held] = {}  # address -> by whom
        self._first: int = int.from_bytes(first, "big")
        self._last: int = int.from_bytes(last, "big")

    def receive(self, message: DhcpMessage, now: int) -> DhcpMessage | None:
        """The answer; None if there is none to give."""
        wanted = message.options.get(SERVER_ID, self.address)
        if message.type == DISCOVER:
            return self._offer(message, now)
        if message.type == REQUEST:
            return self._decide(message, wanted, now)
        if wanted != self.address:
            return None
        if message.type == DECLINE:
            self._set_aside(message.address(REQUESTED_ADDRESS), now)
        elif message.type == RELEASE:
            held = self.held.get(message.client)
            if held is not None and held.mac == message.mac:
                del self.held[message.client]
        elif message.type == INFORM:
            return self._answer(ACK, message, UNSPECIFIED_4, 0)
        return None

    def leases(self, now: int) -> list[Held]:
        """What is held at `now`, in the order in which it was given."""
        return [each for each in self.held.values() if each.until > now]

    def _offer(self, message: DhcpMessage, now: int) -> DhcpMessage | None:
        address = self._address_for(message, now)
        if not address:
            return None
        known = self.held.get(address)
        until = max(now + _OFFER_KEPT, known.until if known is not None and known.mac == message.mac else 0)
        self.held[address] = Held(address, message.mac, until)
        return self._answer(OFFER, message, address, self.lease)

    def _decide(self, message: DhcpMessage, server: bytes, now: int) -> DhcpMessage | None:
        if server != self.address:
            # The client has chosen another server: what was offered is free again.
            for address in [address for address, each in self.held.items() if each.mac == message.mac]:
                del self.held[address]
            return None
        address = message.address(REQUESTED_ADDRESS) or message.client
        held = self.held.get(address)
        ours = held is not None and held.mac == message.mac
        free = self._is_free(address, message.mac, now) and self._in_pool(address)
        if not ours and not free and self.reserved.get(message.mac) != address:
            return self._answer(NAK, message, UNSPECIFIED_4, 0)
        self.held[address] = Held(address, message.mac, now + self.lease)
        return self._answer(ACK, message, address, self.lease)

    def _set_aside(self, address: bytes, now: int) -> None:
        if address and self._in_pool(address):
            self.held[address] = Held(address, _NOBODY, now + _DECLINED_KEPT)

    def _address_for(self, message: DhcpMessage, now: int) -> bytes:
        """The one that it had, or wants, else the first that is free; b"" if none is."""
        mac = message.mac
        if mac in self.reserved:
            return self.reserved[mac]
        for address, each in self.held.items():
            if each.mac == mac:
                return address
        wanted = message.address(REQUESTED_ADDRESS)
        if wanted and self._in_pool(wanted) and self._is_free(wanted, mac, now):
            return wanted
        for number in range(self._first, self._last + 1):
            address = number.to_bytes(4, "big")
            if self._is_free(address, mac, now):
                return address
        return b""

    def _in_pool(self, address: bytes) -> bool:
        return self._first <= int.from_bytes(address, "big") <= self._last

    def _is_free(self, address: bytes, mac: bytes, now: int) -> bool:
        held = self.held.get(address)
        if address == self.address or address in self.reserved.values():
            return False
        return held is None or held.until <= now or held.mac == mac

    def _answer(self, kind: int, message: DhcpMessage, address: bytes, lease: int) -> DhcpMessage:
        options = {SERVER_ID: self.address}
        if kind != NAK:
            options[SUBNET_MASK] = mask_of(self.prefix)
            if lease:
                options[LEASE_TIME] = min(lease // SECOND, 0xFFFFFFFF).to_bytes(4, "big")
            if self.routers:
                options[ROUTERS] = b"".join(self.routers)
            if self.dns:
                options[DNS_SERVERS] = b"".join(self.dns)
        broadcast = message.broadcast or kind == NAK
        return DhcpMessage(kind, message.transaction, message.mac, message.client, address, broadcast, 0, options)


def destination_of(answer: DhcpMessage) -> bytes:
    """Where an answer goes (RFC 2131 §4.1): to the address that the client uses, to everybody, or to the new one."""
    if answer.broadcast and not any(answer.client):
        return BROADCAST
    if any(answer.client) and not answer.broadcast:
        return answer.client
    return BROADCAST if answer.broadcast else answer.your
