"""Names: dnslib answers for a small zone, dnspython asks."""

from __future__ import annotations

import time
from typing import Any

import dns.exception
import dns.resolver
from dnslib import CNAME, QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import DNSLogger, DNSServer, UDPServer

ZONE = {"web.test": "192.0.2.1"}
ALIASES = {"www.test": "web.test"}
LARGE = "many.test"
"""It has more addresses than a datagram of 512 bytes holds: who asks over UDP is told to ask over TCP."""
ADDRESSES = 60


class Zone:
    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply()
        name = plain(request.q.qname)
        if name == LARGE and handler.protocol == "udp":
            reply.header.tc = 1
        elif name == LARGE:
            for number in range(ADDRESSES):
                reply.add_answer(address(name, f"192.0.2.{number}"))
        elif name in ALIASES:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(ALIASES[name]), ttl=300))
            reply.add_answer(address(ALIASES[name], ZONE[ALIASES[name]]))
        elif name in ZONE:
            reply.add_answer(address(name, ZONE[name]))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


def address(name: str, text: str) -> Any:
    return RR(name, QTYPE.A, rdata=A(text), ttl=300)


def serve() -> None:
    quiet = DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")  # it would print what it does
    DNSServer(Zone(), address="", port=53, tcp=True, logger=quiet).start_thread()
    DNSServer(Zone(), address="", port=53, logger=quiet, server=UDPServer).start()


def look_up(server: str, names: list[str], patience: float) -> list[tuple[str, float]]:
    """What each name leads to, in words, and the seconds that it took."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [server]
    resolver.lifetime = patience
    return [look_up_one(resolver, name) for name in names]


def look_up_one(resolver: Any, name: str) -> tuple[str, float]:
    began = time.monotonic()
    try:
        found = [each.address for each in resolver.resolve(name, "A")]
        text = found[0] if len(found) == 1 else f"{len(found)} addresses"
    except dns.exception.DNSException as error:
        text = type(error).__name__
    return text, time.monotonic() - began


def words(message: bytes) -> str:
    """A DNS message in short: "A web.test?", "web.test A 192.0.2.1", "NXDOMAIN"."""
    if int.from_bytes(message[:2], "big") == len(message) - 2:
        message = message[2:]  # over TCP its length stands before it
    record = DNSRecord.parse(message)
    if not record.header.qr:
        return f"{QTYPE[record.q.qtype]} {plain(record.q.qname)}?"
    if record.header.tc:
        return "truncated: ask over TCP"
    if record.header.rcode:
        return str(RCODE[record.header.rcode])
    if len(record.rr) > 3:
        return f"{len(record.rr)} answers"
    return ", ".join([f"{plain(each.rname)} {QTYPE[each.rtype]} {plain(each.rdata)}" for each in record.rr])


def plain(name: object) -> str:
    return str(name).rstrip(".")
