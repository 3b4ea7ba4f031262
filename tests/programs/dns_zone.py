"""A DNS server with habits, and a program that asks it everything. Both run on hosts of the lab, and on the real
kernel under glibc, whose answers are in dns_linux.txt. To record them anew, as root of a namespace of one's own:

    unshare -rnm sh -c 'mount --bind RESOLV_CONF /etc/resolv.conf; python -m tests.programs.dns_zone'

with "nameserver 127.0.0.1" and "search example.test test" in RESOLV_CONF, and with lo up.
"""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

LINUX = Path(__file__).with_name("dns_linux.txt")

A_AND_AAAA = (
    *("a.test", "alias.test", "lost.test", "lost1.test", "noaaaa.test", "liar.test", "host.example.test"),
    *("two.dots.test", "other.test"),
)


class Zone:
    """What the server answers: lists of messages, most of them of one."""

    def __init__(self):
        self.asked: list[tuple[str, str]] = []  # (name, kind)

    def answers(self, data, udp):
        from dnslib import RCODE, DNSRecord

        query = DNSRecord.parse(data)
        name = str(query.q.qname).rstrip(".").lower()
        kind = _kind(query)
        self.asked.append((name, kind))
        reply = query.reply()
        if self._keeps_silent(name, kind):
            return []
        if name == "garbage.test":
            return [b"\1" * 40]
        self._fill(reply, name, kind)
        codes = {"fail": RCODE.SERVFAIL, "refuse": RCODE.REFUSED, "formerr": RCODE.FORMERR, "nx": RCODE.NXDOMAIN}
        reply.header.rcode = codes.get(self._trouble(name, kind), RCODE.NOERROR)
        whole = reply.pack()
        if udp and len(whole) > 512:
            reply = query.reply()
            reply.header.tc = 1
            whole = reply.pack()
        return [*_lies(query, whole), whole] if name == "liar.test" else [whole]

    def _keeps_silent(self, name, kind):
        first = self.asked.count((name, kind)) == 1
        return (
            name in ("silent.test", "2.9.9.10.in-addr.arpa")
            or (name == "lost.test" and first)
            or (name == "lost1.test" and first and kind == "AAAA")
            or (name == "noaaaa.test" and kind == "AAAA")
        )

    def _fill(self, reply, name, kind):
        from dnslib import AAAA, CNAME, PTR, QTYPE, RR, A

        if name == "alias.test":
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME("a.test"), ttl=60))
            name = "a.test"
        if kind == "A":
            found = ["10.9.9.1"] if name in A_AND_AAAA else ["10.9.9.4"] if name == "v4.test" else []
            found += [f"10.9.8.{number}" for number in range(60)] if name == "long.test" else []
            for each in found:
                reply.add_answer(RR(name, QTYPE.A, rdata=A(each), ttl=60))
        elif kind == "AAAA" and (name in A_AND_AAAA or name in ("v6.test", "afail.test")):
            reply.add_answer(RR(name, QTYPE.AAAA, rdata=AAAA("fd09::1"), ttl=60))
        elif name == "1.9.9.10.in-addr.arpa":
            reply.add_answer(RR(name, QTYPE.PTR, rdata=PTR("a.test"), ttl=60))

    def _trouble(self, name, kind):
        if name in ("fail.test", "refuse.test", "formerr.test"):
            return name.removesuffix(".test")
        if name == "4.9.9.10.in-addr.arpa" or (name == "afail.test" and kind == "A"):
            return "fail"
        known = (*A_AND_AAAA, "v4.test", "v6.test", "long.test", "empty.test", "afail.test")
        return "" if name in known or name in ("1.9.9.10.in-addr.arpa", "5.9.9.10.in-addr.arpa") else "nx"

    def serve(self, address="0.0.0.0"):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((address, 53))
        listener = socket.create_server((address, 53))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        while True:
            data, whence = datagrams.recvfrom(4096)
            for each in self.answers(data, True):
                datagrams.sendto(each, whence)

    def _accept(self, listener):
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                while size := stream.read(2):
                    for each in self.answers(stream.read(int.from_bytes(size, "big")), False):
                        connection.sendall(len(each).to_bytes(2, "big") + each)


def _kind(query):
    from dnslib import QTYPE

    return str(QTYPE[query.q.qtype])


def _lies(query, whole):
    """An answer with another number, and one to another question."""
    from dnslib import QTYPE, RR, A, DNSRecord

    numbered = bytes([whole[0] ^ 1]) + whole[1:]
    other = DNSRecord.question("other.test", _kind(query)).reply()
    other.header.id = query.header.id
    other.add_answer(RR("other.test", QTYPE.A, rdata=A("6.6.6.6"), ttl=60))
    return [numbered, other.pack()]


# -- the questions


def addresses(name, family=0, flags=0):
    found = socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM, 0, flags)
    return len(found), sorted([where[0] for *_, where in found])[:3], found[0][3]


def told(call, *args):
    """(result or error, seconds) as text."""
    began = time.monotonic()
    try:
        result = repr(call(*args))
    except UnicodeError:
        result = "UnicodeError"  # its text is another in each Python
    except OSError as error:
        result = f"{type(error).__name__} {error}"
    return f"{result} {time.monotonic() - began:.0f} s"


NAMES = (
    *("a.test", "A.TEST.", "alias.test", "v4.test", "v6.test", "empty.test", "nx.test", "fail.test", "afail.test"),
    *("refuse.test", "formerr.test", "silent.test", "lost.test", "lost1.test", "noaaaa.test", "liar.test", "long.test"),
    *("garbage.test", "host", "two.dots", "nx", "host.", "host.example", "a" * 64 + ".test", "bad name.test", ""),
    *(".", "a..test", "-x.test", "under_score.test", "a" * 50 + ".b" * 110),
)


def ask():
    """Lines: a question, and what came of it."""
    lines = []

    def line(what, *call):
        lines.append(f"{what}: {told(*call)}")

    for name in NAMES:
        line(f"getaddrinfo {name}", addresses, name)
    for name in ("a.test", "v4.test", "v6.test", "empty.test", "fail.test"):
        line(f"IPv4 {name}", addresses, name, socket.AF_INET)
        line(f"IPv6 {name}", addresses, name, socket.AF_INET6)
    line("mapped v4.test", addresses, "v4.test", socket.AF_INET6, socket.AI_V4MAPPED)
    line("mapped, all a.test", addresses, "a.test", socket.AF_INET6, socket.AI_V4MAPPED | socket.AI_ALL)
    for name in ("a.test", "alias.test", "host"):
        line(f"canonical {name}", addresses, name, 0, socket.AI_CANONNAME)
    for name in ("a.test", "alias.test", "v6.test", "nx.test", "empty.test", "fail.test", "host"):
        line(f"gethostbyname {name}", socket.gethostbyname, name)
        line(f"gethostbyname_ex {name}", socket.gethostbyname_ex, name)
    for number in range(1, 6):
        address = f"10.9.9.{number}"
        line(f"gethostbyaddr {address}", socket.gethostbyaddr, address)
        line(f"getnameinfo {address}", socket.getnameinfo, (address, 80), 0)
        line(f"getnameinfo NAMEREQD {address}", socket.getnameinfo, (address, 80), socket.NI_NAMEREQD)
    for name in ("nx.test", "v6.test"):
        line(f"gethostbyaddr {name}", socket.gethostbyaddr, name)
    for name in ("10.9.9.1", "10.9.9.3", "a.test", "nx.test"):
        line(f"getfqdn {name}", socket.getfqdn, name)
    return lines


if __name__ == "__main__":
    threading.Thread(target=Zone().serve, args=("127.0.0.1",), daemon=True).start()
    time.sleep(0.5)
    LINUX.write_text("\n".join(ask()) + "\n", encoding="utf-8")
