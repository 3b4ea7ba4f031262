"""Where one host keeps the fragments that it was sent, until they are a datagram or their time is over."""

from __future__ import annotations

from typing import Final

from netglass.errors import WireError
from netglass.host.egress import Egress
from netglass.host.icmp import INCOMPLETE_HEADERS, PARAMETER_PROBLEM, REASSEMBLY_TIMEOUT, IcmpSender
from netglass.host.schedule import Schedule
from netglass.ip.reassembly import Reassembly
from netglass.wire.extension import FRAGMENT_HEADER, read_chain
from netglass.wire.icmp import ICMP_HEADER
from netglass.wire.ip import ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import IPV6_HEADER, packet_size
from netglass.wire.tcp import TCP_HEADER
from netglass.wire.udp import UDP_HEADER
from netglass.world import Service

_PAYLOAD_LENGTH: Final = 4  # where IPv6's header has it
_LEAST: Final = {TCP: TCP_HEADER, UDP: UDP_HEADER, ICMPV6: ICMP_HEADER}


class Assembler(Service):
    """Reassembly for both IP versions, with Linux's limits (`HostConfig.ipfrag_time` and its like)."""

    def __init__(self, egress: Egress, icmp: IcmpSender, schedule: Schedule) -> None:
        super().__init__()
        config = egress.config
        self._egress: Egress = egress
        self._icmp: IcmpSender = icmp
        self._schedule: Schedule = schedule
        self._four: Reassembly = Reassembly(config.ipfrag_time, config.ipfrag_high_thresh)
        self._six: Reassembly = Reassembly(config.ip6frag_time, config.ip6frag_high_thresh)
        self.kept: bool = False  # the last fragment waits for the others

    def take(self, fragment: IpPacket, now: int) -> IpPacket | None:
        """The whole datagram if nothing is missing any more. None: the fragment is `kept`, or dropped and counted."""
        self.kept = False
        config = self._egress.config
        if len(fragment.source) == 4:
            book = self._four
            book.lifetime = config.ipfrag_time
            book.limit = config.ipfrag_high_thresh
        else:
            if self._refused_6(fragment, now):
                return None
            book = self._six
            book.lifetime = config.ip6frag_time
            book.limit = config.ip6frag_high_thresh
        book.overlap = config.fragment_overlap
        whole = book.take(fragment, now)
        self.kept = whole is None and not book.reason
        if book.reason:
            self._egress.drop(fragment, book.reason, now)
        probe = self._egress.probe
        if whole is not None and probe is not None:
            probe.note(self._egress.name, "ip", f"datagram whole: {packet_size(whole)} bytes", now)
        self._schedule.mark(self)
        return whole

    def _refused_6(self, fragment: IpPacket, now: int) -> bool:
        """What RFC 8200 §4.5 and RFC 7112 want to be told about an IPv6 fragment."""
        payload = fragment.payload
        if not isinstance(payload, bytes) or not payload:
            return False
        if fragment.more_fragments and len(payload) & 7:
            self._egress.drop(fragment, "ip-fragment-odd-length", now)
            self._icmp.error(fragment, PARAMETER_PROBLEM, now, _PAYLOAD_LENGTH)
            return True
        if fragment.fragment_offset + len(payload) > 65535:
            self._egress.drop(fragment, "ip-fragment-too-long", now)
            field = IPV6_HEADER + len(fragment.options) - FRAGMENT_HEADER + 2
            self._icmp.error(fragment, PARAMETER_PROBLEM, now, field)
            return True
        if fragment.fragment_offset == 0 and _is_incomplete(fragment.protocol, payload):
            self._egress.drop(fragment, "ip-fragment-incomplete-headers", now)
            self._icmp.error(fragment, INCOMPLETE_HEADERS, now)
            return True
        return False

    # -- time

    @property
    def deadline(self) -> int:
        return min(self._four.deadline, self._six.deadline)

    def handle_timeout(self, now: int) -> None:
        """Its time has come; `drain` follows."""

    def drain(self, now: int) -> None:
        for book in (self._four, self._six):
            partial = book.expired(now)
            while partial is not None:
                self._give_up(partial.first, partial.newest, now)
                partial = book.expired(now)

    def _give_up(self, first: IpPacket | None, newest: IpPacket, now: int) -> None:
        egress = self._egress
        egress.counters.add("ip-reassembly-timeout")
        if egress.probe is not None:
            egress.probe.packet_dropped(egress.name, first or newest, "ip-reassembly-timeout", now)
        # RFC 792, RFC 8200 §4.5: only if the first fragment came; without it nobody knows whom it was from.
        if first is not None:
            self._icmp.error(first, REASSEMBLY_TIMEOUT, now)


def _is_incomplete(protocol: int, payload: bytes) -> bool:
    """RFC 7112: the first fragment holds every header, up to that of TCP, UDP or ICMP."""
    try:
        chain = read_chain(protocol, payload)
    except WireError:
        return True
    return len(payload) - chain.size < _LEAST.get(chain.protocol, 1)
