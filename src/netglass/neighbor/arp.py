"""ARP (RFC 826, RFC 1122 §2.3.2), conflicts (RFC 5227), proxy ARP (RFC 1027) and RARP (RFC 903) on one interface.

Nothing in ARP proves anything: whoever answers is believed. What helps is a static binding (`Ethernet.bind`): a
message that claims another MAC for a bound address is dropped, counted ("arp-binding") and traced.
"""

from __future__ import annotations

from typing import Final

from netglass.neighbor.detect import Detector
from netglass.neighbor.port import EthernetPort
from netglass.times import SECOND
from netglass.wire.address import is_loopback, is_multicast, is_unspecified, text
from netglass.wire.arp import REPLY, REQUEST, REVERSE_REPLY, REVERSE_REQUEST, ArpMessage
from netglass.wire.ethernet import BROADCAST_MAC, NO_MAC, EthernetFrame, is_group_mac, mac_text

DEFEND_INTERVAL: Final = 10 * SECOND  # RFC 5227 §1.1: between two defences of one address
_NEVER_YET: Final = -DEFEND_INTERVAL


class Arp:
    """The protocol over a port. `reverse_table` makes it a RARP server: MAC -> address."""

    __slots__ = ("_asked_reverse", "_defended", "_detector", "_port", "reverse_table")

    def __init__(self, port: EthernetPort, detector: Detector) -> None:
        self._port: EthernetPort = port
        self._detector: Detector = detector
        self._defended: dict[bytes, int] = {}  # address of ours -> when it was defended last
        self._asked_reverse: int = -1  # prefix length of the address that we asked for; -1: we did not ask
        self.reverse_table: dict[bytes, bytes] = {}

    # -- asking and telling

    def ask(self, target: bytes, mac: bytes, source: bytes, now: int) -> None:
        """Who has `target`? To everybody, or to `mac` (RFC 1122 §2.3.2.1: is it still you?)."""
        port = self._port
        message = ArpMessage(REQUEST, port.mac, source or port.source_for(target) or bytes(4), NO_MAC, target)
        self._send(mac or BROADCAST_MAC, message, now)

    def announce(self, address: bytes, now: int) -> None:
        """Gratuitous ARP: everybody who knows an old MAC for `address` learns the new one."""
        self._send(BROADCAST_MAC, ArpMessage(REQUEST, self._port.mac, address, NO_MAC, address), now)

    def ask_reverse(self, prefix: int, now: int) -> None:
        """RARP: which address is ours? The answer becomes ours with this prefix length, which RARP cannot tell."""
        self._asked_reverse = prefix
        mac = self._port.mac
        self._send(BROADCAST_MAC, ArpMessage(REVERSE_REQUEST, mac, bytes(4), mac, bytes(4)), now)

    def _send(self, destination: bytes, message: ArpMessage, now: int) -> None:
        port = self._port
        port.send_own(EthernetFrame(destination, port.mac, message, tag=port.tag), now)

    # -- hearing

    def receive(self, frame: EthernetFrame, message: ArpMessage, now: int) -> None:
        port = self._port
        if message.sender_mac == port.mac:
            port.drop(frame, "arp-own-mac", now)  # our own, come back over a loop, or somebody with our MAC
        elif is_group_mac(message.sender_mac) or message.sender_mac == NO_MAC:
            port.drop(frame, "arp-sender-mac", now)
        elif message.reverse:
            self._receive_reverse(frame, message, now)
        elif is_loopback(message.target) or is_multicast(message.target) or is_multicast(message.sender):
            port.drop(frame, "arp-address", now)
        elif self._conflicts(frame, message, now):
            return
        elif port.cache.bound_elsewhere(message.sender, message.sender_mac):
            words = f"{text(message.sender)} is bound: {mac_text(message.sender_mac)} claims it"
            port.note(words, now)
            port.drop(frame, "arp-binding", now)
        else:
            self._take(message, now)

    def _take(self, message: ArpMessage, now: int) -> None:
        """RFC 826 "Packet Reception": what is known is brought up to date; what is new is kept if it is for us."""
        port = self._port
        ours = port.upper.owns(message.target)
        if not is_unspecified(message.sender):
            reply = message.operation == REPLY and ours
            create = (ours and message.operation == REQUEST) or (message.announcement and port.config.arp_accept)
            port.learn(message.sender, message.sender_mac, now, reply, True, create)
        if message.operation == REQUEST and (ours or self._stands_in_for(message, now)):
            mac = message.sender_mac
            self._send(mac, ArpMessage(REPLY, port.mac, message.target, mac, message.sender), now)

    def _stands_in_for(self, message: ArpMessage, now: int) -> bool:
        port = self._port
        if not port.config.proxy_arp or not port.upper.forwards() or message.announcement:
            return False
        return not message.probe and port.upper.reaches_elsewhere(message.target, port.index, now)

    def _conflicts(self, frame: EthernetFrame, message: ArpMessage, now: int) -> bool:
        """True if somebody else uses, or tests, an address of ours or one that we test (RFC 5227 §2.1.1, §2.4)."""
        port = self._port
        claimed = message.target if message.probe else message.sender
        if self._detector.claimed(claimed, message.sender_mac, now):
            port.drop(frame, "arp-conflict", now)
            return True
        if message.probe or not port.has(message.sender):
            return False
        port.note(f"{text(message.sender)} is ours, and {mac_text(message.sender_mac)} uses it", now)
        port.drop(frame, "arp-conflict", now)
        if now - self._defended.get(message.sender, _NEVER_YET) >= DEFEND_INTERVAL:
            self._defended[message.sender] = now
            self.announce(message.sender, now)
        return True

    # -- RARP

    def _receive_reverse(self, frame: EthernetFrame, message: ArpMessage, now: int) -> None:
        port = self._port
        if message.operation == REVERSE_REQUEST:
            address = self.reverse_table.get(message.target_mac)
            if address is None:
                port.drop(frame, "rarp-unknown-mac" if self.reverse_table else "rarp-no-server", now)
                return
            source = port.source_for(address) or bytes(4)
            answer = ArpMessage(REVERSE_REPLY, port.mac, source, message.target_mac, address)
            self._send(message.sender_mac, answer, now)
        elif message.operation == REVERSE_REPLY and message.target_mac == port.mac and self._asked_reverse >= 0:
            prefix = self._asked_reverse
            self._asked_reverse = -1
            if is_unspecified(message.target) or is_multicast(message.target) or port.upper.owns(message.target):
                port.drop(frame, "rarp-address", now)
                return
            port.upper.add_address(port.index, message.target, prefix, True)
            port.note(f"{text(message.target)} is ours, says {text(message.sender)} (RARP)", now)
        else:
            port.drop(frame, "rarp-not-asked-for", now)
