"""getaddrinfo and its kin over a real DNS server on the stack: as glibc answers; lost questions and wrong answers."""

from __future__ import annotations

import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass import MisuseError, Network, Resolver, faults, match
from netglass.programs import dns
from netglass.programs.run import run, spawn
from tests.programs.dns_zone import LINUX, Zone, addresses, ask, told

dnslib = pytest.importorskip("dnslib")

NEWER = {
    # The glibc that was asked (2.36) says "not known" for IPv4 alone, though it does not know.
    "IPv4 fail.test": "gaierror [Errno -3] Temporary failure in name resolution 0 s",
    "gethostbyname fail.test": "gaierror [Errno -3] Temporary failure in name resolution 0 s",
    "gethostbyname_ex fail.test": "gaierror [Errno -3] Temporary failure in name resolution 0 s",
    # IPv4 comes first here, and has a name.
    "getfqdn a.test": "'a.test' 0 s",
}


def scene(zone=None, *, servers=1, options=None, **cable):
    net = Network(seed=1)
    client = net.host("client")
    hosts = [net.host(f"ns{number}") for number in range(servers)]
    for each in hosts:
        net.cable(client, each, delay="10 ms", **cable)
    client.resolver = Resolver(*[each.address for each in hosts], **(options or {}))
    if zone is not None:
        for each in hosts[-1:]:  # all but the last are not there
            spawn(each, zone.serve, daemon=True)
    return client


def test_everything_is_answered_as_on_linux():
    client = scene(Zone(), options={"search": "example.test test"})
    linux = dict([line.split(": ", 1) for line in LINUX.read_text(encoding="utf-8").splitlines()])
    ours = dict([line.split(": ", 1) for line in run(client, ask)])
    assert ours == linux | NEWER


def test_the_lab_s_own_names_come_first_and_ask_nobody():
    zone = Zone()
    client = scene(zone)

    def program():
        return socket.gethostbyname("ns0"), socket.gethostbyaddr(socket.gethostbyname("ns0"))[0], socket.getfqdn()

    assert run(client, program) == (client.resolver.servers[0], "ns0", "client")
    assert zone.asked == []


def test_without_a_resolver_nobody_is_asked():
    net = Network(seed=1)
    assert (
        run(net.host("alone"), lambda: told(addresses, "a.test")) == "gaierror [Errno -2] Name or service not known 0 s"
    )


@pytest.mark.parametrize(
    ("drop", "seconds"),
    [(match.udp, 5), (match.udp & match.from_("ns0"), 5)],
    ids=["a question", "an answer"],
)
def test_what_is_lost_is_asked_again(drop, seconds):
    zone = Zone()
    client = scene(zone, faults=[faults.drop(drop)])
    assert run(client, lambda: told(addresses, "a.test")) == f"(2, ['10.9.9.1', 'fd09::1'], '') {seconds} s"
    assert zone.asked.count(("a.test", "A")) + zone.asked.count(("a.test", "AAAA")) == (2 if drop is match.udp else 3)


def test_nobody_answers_as_often_as_it_was_told_to_ask():
    client = scene(options={"timeout": "2 s", "attempts": 3}, faults=[faults.blackhole()])
    assert run(client, lambda: told(addresses, "a.test")) == (
        "gaierror [Errno -3] Temporary failure in name resolution 6 s"
    )


def test_a_server_that_refuses_gives_way_at_once():
    client = scene(Zone(), servers=2)  # the first has nothing on port 53: ICMP says so
    assert run(client, lambda: told(addresses, "a.test")) == "(2, ['10.9.9.1', 'fd09::1'], '') 0 s"


def test_a_server_that_is_silent_gives_way_after_its_time():
    net = Network(seed=1)
    client, silent, server = net.host("client"), net.host("silent"), net.host("server")
    net.cable(client, silent, faults=[faults.blackhole()])
    net.cable(client, server)
    client.resolver = Resolver(silent.address, server.address)
    spawn(server, Zone().serve, daemon=True)
    assert run(client, lambda: told(addresses, "a.test")) == "(2, ['10.9.9.1', 'fd09::1'], '') 5 s"


def test_a_long_answer_comes_over_tcp_though_its_third_ack_is_lost():
    zone = Zone()
    client = scene(zone, faults=[faults.drop(match.third_ack)])
    assert run(client, lambda: len(socket.gethostbyname_ex("long.test")[2])) == 60
    assert zone.asked == [("long.test", "A")] * 2


def test_clients_connect_by_name():
    net = Network(seed=1)
    client, server = net.host("client", "10.9.9.2/24"), net.host("www", "10.9.9.1/24")
    net.cable(client, server, delay="10 ms")
    client.resolver = Resolver("10.9.9.1")
    spawn(server, Zone().serve, daemon=True)

    def serve():
        with socket.create_server(("", 80)) as listener:
            connection, _ = listener.accept()
            with connection:
                connection.send(b"hello")

    def program():
        with socket.socket() as connection:
            connection.connect(("a.test", 80))
            return connection.recv(10)

    spawn(server, serve)
    assert run(client, program) == b"hello"


def test_a_resolver_is_what_resolv_conf_says():
    assert Resolver("10.0.0.53", search="a.test b.test.").search == ("a.test", "b.test")
    for wrong in ({"attempts": 0}, {"ndots": -1}, {"timeout": "soon"}):
        with pytest.raises(MisuseError):
            Resolver("10.0.0.53", **wrong)
    with pytest.raises(MisuseError, match="at least one server"):
        Resolver()
    with pytest.raises(MisuseError):
        Resolver("ns.example")


# -- messages


def reply(*records):
    query = dnslib.DNSRecord.question("a.test", "A")
    query.header.id = 7
    answer = query.reply()
    for each in records:
        answer.add_answer(*dnslib.RR.fromZone(each))
    return bytes(answer.pack())


ASKED = dns.question(7, "a.test", dns.A) or b""


def test_a_question_is_what_dnslib_reads():
    query = dnslib.DNSRecord.parse(ASKED)
    assert (query.header.id, str(query.q.qname), query.q.qtype, query.header.rd) == (7, "a.test.", dns.A, 1)
    assert query.pack() == ASKED


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64, ".".join(["a" * 63] * 4)])
def test_names_that_no_message_can_hold(name):
    assert dns.question(7, name, dns.A) is None


def test_an_answer_in_which_names_are_pointers():
    found = dns.parse(reply("a.test 60 CNAME b.a.test", "b.a.test 60 A 10.0.0.1", "b.a.test 60 TXT x"), ASKED)
    assert found == dns.Answer(
        0, False, (dns.Record("a.test", dns.CNAME, "b.a.test"), dns.Record("b.a.test", 1, "10.0.0.1"))
    )


def test_reverse_names():
    assert dns.reverse_name(bytes([10, 0, 0, 1])) == "1.0.0.10.in-addr.arpa"
    assert dns.reverse_name(bytes([0xFD]) + bytes(14) + b"\1") == "1." + "0." * 29 + "d.f.ip6.arpa"


def test_a_pointer_that_leads_to_itself_is_no_name():
    head = ASKED[:2] + b"\x80\0\0\1\0\1\0\0\0\0" + ASKED[12:]
    for name in (bytes([0xC0, len(head)]), b"\1a" + bytes([0xC0, len(head)]), b"\xc0\xff", b"\xc0", b"\x40a", b"\5ab"):
        found = dns.parse(head + name + b"\0\1\0\1\0\0\0\0\0\4abcd", ASKED)
        assert found is not None
        assert found.records == ()


def test_of_a_bomb_of_pointers_not_much_is_read():
    head = ASKED[:2] + b"\x80\0\0\1\xff\xff\0\0\0\0" + ASKED[12:]
    pointers = b"".join([(0xC000 | len(head) + 2 * place).to_bytes(2, "big") for place in range(8000)])
    record = (0xC000 | len(head) + 2 * 7999).to_bytes(2, "big") + b"\0\1\0\1\0\0\0\0\0\0"
    assert dns.parse((head + b"\0\0" + pointers + record * 4000)[:65535], ASKED) is not None


@given(st.binary(max_size=200), st.integers(0, 1 << 32))
def test_garbage_is_survived(tail, seed):
    draw = random.Random(seed)
    message = bytearray(reply("a.test 60 CNAME b.test", "b.test 60 A 10.0.0.1", "b.test 60 AAAA ::1") + tail)
    for _ in range(draw.randrange(1, 8)):
        message[draw.randrange(len(message))] = draw.randrange(256)
    found = dns.parse(bytes(message[: draw.randrange(len(message) + 1)]), ASKED)
    assert found is None or all(len(each.name) < 255 for each in found.records)
    assert dns.parse(tail, ASKED) is None or tail[:2] == ASKED[:2]
