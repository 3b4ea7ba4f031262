"""DHCP: the client as a dialogue, the server's decisions, and both in a network."""

from __future__ import annotations

import pytest

from netglass import Network, faults, match
from netglass.dhcp.client import DhcpClient
from netglass.dhcp.server import DhcpServer, destination_of
from netglass.errors import MisuseError
from netglass.rng import Rng
from netglass.times import HOUR, MINUTE, NEVER, SECOND
from netglass.wire import dhcp
from netglass.wire.address import BROADCAST, parse, text
from netglass.wire.dhcp import DhcpMessage

MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("020000000002")
SERVER = parse("10.0.0.1")
FIRST = parse("10.0.0.100")
SECOND_ADDRESS = parse("10.0.0.101")


class Desk:
    """A client; the test is the server."""

    def __init__(self) -> None:
        self.now = 0
        self.client = DhcpClient(MAC, Rng(1))
        self.client.start(0)

    def said(self) -> tuple[str, DhcpMessage, bytes]:
        out = self.client.poll_message()
        assert out is not None
        return dhcp.TYPE_NAMES[out[0].type], out[0], out[1]

    def expect(self, kind: str, destination: bytes = BROADCAST) -> DhcpMessage:
        found, message, to = self.said()
        assert (found, to) == (kind, destination)
        return message

    def expect_nothing(self) -> None:
        assert self.client.poll_message() is None

    def tell(self, kind: int, address: bytes = FIRST, lease: int = 3600, server: bytes = SERVER, **more: int) -> str:
        told = {dhcp.LEASE_TIME: lease.to_bytes(4, "big")}
        if server:
            told[dhcp.SERVER_ID] = server
        transaction = more.get("transaction", self.client._transaction)
        return self.client.receive(DhcpMessage(kind, transaction, MAC, your=address, options=told), self.now)

    def lease(self) -> None:
        self.expect("DISCOVER")
        assert self.tell(dhcp.OFFER) == ""
        self.expect("REQUEST")
        assert self.tell(dhcp.ACK) == ""
        assert self.client.state == "BOUND"

    def pass_time(self, span: int) -> None:
        end = self.now + span
        while self.client.deadline <= end:
            self.now = self.client.deadline
            self.client.handle_timeout(self.now)
        self.now = end

    def changes(self) -> list[tuple[str, bool]]:
        found = []
        while (change := self.client.poll_change()) is not None:
            found.append((text(change[0].address), change[1]))
        return found


def test_a_lease_in_four_messages() -> None:
    desk = Desk()
    discover = desk.expect("DISCOVER")
    assert discover.broadcast
    assert desk.tell(dhcp.OFFER) == ""
    request = desk.expect("REQUEST")
    assert (request.address(dhcp.REQUESTED_ADDRESS), request.address(dhcp.SERVER_ID)) == (FIRST, SERVER)
    assert desk.tell(dhcp.ACK) == ""
    assert desk.changes() == [("10.0.0.100", True)]
    assert desk.client.deadline == 1800 * SECOND


def test_nobody_answers() -> None:
    desk = Desk()
    desk.pass_time(5 * MINUTE)
    count = 0
    while (out := desk.client.poll_message()) is not None:
        assert out[0].type == dhcp.DISCOVER
        count += 1
    assert 6 <= count <= 9  # 4, 8, 16, 32, 64, 64, 64 s


def test_a_request_without_an_answer_begins_again() -> None:
    desk = Desk()
    desk.expect("DISCOVER")
    desk.tell(dhcp.OFFER)
    desk.pass_time(70 * SECOND)
    kinds = []
    while (out := desk.client.poll_message()) is not None:
        kinds.append(dhcp.TYPE_NAMES[out[0].type])
    assert kinds == ["REQUEST"] * 4 + ["DISCOVER"] * (len(kinds) - 4)
    assert len(kinds) > 4


def test_half_of_the_time_later_more_time_is_asked_for() -> None:
    desk = Desk()
    desk.lease()
    desk.pass_time(1800 * SECOND)
    renewal = desk.expect("REQUEST", SERVER)
    assert renewal.client == FIRST
    assert not renewal.broadcast
    assert desk.client.state == "RENEWING"
    assert desk.tell(dhcp.ACK) == ""
    assert desk.client.deadline == desk.now + 1800 * SECOND
    assert desk.changes() == [("10.0.0.100", True)]  # the address stayed


def test_a_server_that_is_silent_loses_its_client() -> None:
    desk = Desk()
    desk.lease()
    desk.changes()
    desk.pass_time(3599 * SECOND)
    destinations = []
    while (out := desk.client.poll_message()) is not None:
        destinations.append(out[1])
    split = destinations.index(BROADCAST)
    assert set(destinations[:split]) == {SERVER}
    assert set(destinations[split:]) == {BROADCAST}
    assert desk.client.state == "REBINDING"
    desk.pass_time(SECOND)
    assert desk.changes() == [("10.0.0.100", False)]
    assert desk.client.state == "SELECTING"


def test_another_address_replaces_the_old_one() -> None:
    desk = Desk()
    desk.lease()
    desk.pass_time(1800 * SECOND)
    desk.tell(dhcp.ACK, SECOND_ADDRESS)
    assert desk.changes() == [("10.0.0.100", True), ("10.0.0.100", False), ("10.0.0.101", True)]


def test_a_refusal_begins_again() -> None:
    desk = Desk()
    desk.lease()
    desk.pass_time(1800 * SECOND)
    desk.expect("REQUEST", SERVER)
    assert desk.tell(dhcp.NAK) == ""
    desk.expect("DISCOVER")
    assert desk.changes() == [("10.0.0.100", True), ("10.0.0.100", False)]


def test_a_lease_without_end_waits_for_nothing() -> None:
    desk = Desk()
    desk.expect("DISCOVER")
    desk.tell(dhcp.OFFER)
    desk.tell(dhcp.ACK, lease=0xFFFFFFFF)
    assert desk.client.deadline == NEVER


def test_what_is_not_for_us_is_refused() -> None:
    desk = Desk()
    desk.expect("DISCOVER")
    assert desk.tell(dhcp.OFFER, transaction=7) == "dhcp-not-for-us"
    assert desk.tell(dhcp.ACK) == "dhcp-not-asked-for"
    assert desk.tell(dhcp.OFFER, bytes(4)) == "dhcp-bad-offer"
    assert desk.tell(dhcp.OFFER, server=b"") == "dhcp-bad-offer"
    assert desk.tell(dhcp.DISCOVER) == "dhcp-not-for-us"
    desk.expect_nothing()
    desk.tell(dhcp.OFFER)
    assert desk.tell(dhcp.OFFER) == "dhcp-not-asked-for"
    assert desk.tell(dhcp.ACK, lease=0) == "dhcp-bad-offer"


def test_a_lease_is_given_back() -> None:
    desk = Desk()
    desk.lease()
    desk.client.stop(desk.now)
    release = desk.expect("RELEASE", SERVER)
    assert release.client == FIRST
    assert desk.client.deadline == NEVER


# -- the server


def server(last: str = "10.0.0.101") -> DhcpServer:
    return DhcpServer(SERVER, 24, FIRST, parse(last), HOUR)


def ask(served: DhcpServer, kind: int, mac: bytes = MAC, now: int = 0, **options: bytes) -> DhcpMessage | None:
    names = {"wanted": dhcp.REQUESTED_ADDRESS, "server": dhcp.SERVER_ID}
    told = {names[name]: value for name, value in options.items()}
    return served.receive(DhcpMessage(kind, 1, mac, options=told), now)


def offered(served: DhcpServer, mac: bytes, now: int = 0) -> bytes:
    answer = ask(served, dhcp.DISCOVER, mac, now)
    return b"" if answer is None else answer.your


def test_each_gets_its_own_and_the_same_again() -> None:
    served = server()
    assert offered(served, MAC) == FIRST
    assert offered(served, OTHER) == SECOND_ADDRESS
    assert offered(served, MAC) == FIRST
    assert offered(served, b"third!") == b""  # the pool is empty
    answer = ask(served, dhcp.REQUEST, wanted=FIRST, server=SERVER)
    assert answer is not None
    assert (answer.type, answer.your, answer.prefix) == (dhcp.ACK, FIRST, 24)
    assert offered(served, b"third!", HOUR - 1) == SECOND_ADDRESS  # an offer is kept for a minute only
    assert offered(served, b"fourth", HOUR) == FIRST  # and a lease for its time


def test_what_is_somebody_elses_is_refused() -> None:
    served = server()
    ask(served, dhcp.REQUEST, OTHER, wanted=FIRST)
    for wanted in (FIRST, parse("10.0.0.7"), parse("192.0.2.1")):
        answer = ask(served, dhcp.REQUEST, wanted=wanted)
        assert answer is not None
        assert answer.type == dhcp.NAK
        assert destination_of(answer) == BROADCAST


def test_a_declined_address_is_set_aside() -> None:
    served = server()
    offered(served, MAC)
    ask(served, dhcp.DECLINE, wanted=FIRST, server=SERVER)
    assert offered(served, MAC, SECOND) == SECOND_ADDRESS
    assert offered(served, OTHER, 700 * SECOND) == FIRST


def test_what_was_released_is_free() -> None:
    served = server("10.0.0.100")
    ask(served, dhcp.REQUEST, wanted=FIRST)
    assert offered(served, OTHER) == b""
    served.receive(DhcpMessage(dhcp.RELEASE, 1, OTHER, FIRST, options={dhcp.SERVER_ID: SERVER}), 0)
    assert offered(served, OTHER) == b""  # it was not OTHER's to release
    served.receive(DhcpMessage(dhcp.RELEASE, 1, MAC, FIRST, options={dhcp.SERVER_ID: SERVER}), 0)
    assert offered(served, OTHER) == FIRST


def test_who_chose_another_server_is_let_go() -> None:
    served = server("10.0.0.100")
    offered(served, MAC)
    assert ask(served, dhcp.REQUEST, wanted=parse("10.9.0.1"), server=parse("10.9.0.254")) is None
    assert offered(served, OTHER) == FIRST


def test_a_reserved_address_is_nobody_elses() -> None:
    served = server("10.0.0.100")
    served.reserved[OTHER] = FIRST
    assert offered(served, MAC) == b""
    assert offered(served, OTHER) == FIRST


def test_a_pool_runs_upwards() -> None:
    with pytest.raises(MisuseError, match="pool"):
        DhcpServer(SERVER, 24, SECOND_ADDRESS, FIRST, HOUR)


# -- in a network


def test_every_message_is_lost_once_and_the_lease_comes_all_the_same() -> None:
    net = Network(seed=3)
    sw, r, h = net.switch("sw"), net.router("r", "10.0.0.1/24"), net.host("h", "dhcp")
    lost = [faults.drop(match.udp, nth=number) for number in (1, 2, 4)]
    net.cable(r, sw, delay="1 ms")
    r.serve_dhcp("10.0.0.100", "10.0.0.200")
    net.cable(h, sw, delay="1 ms", faults=lost)
    assert net.run_until(lambda: bool(h.addresses and ":" not in h.addresses[-1]), limit="60 s")
    assert h.address == "10.0.0.100"
    assert [fault.fired for fault in lost] == [1, 1, 1]


def test_a_lease_is_given_back_from_its_own_address() -> None:
    net = Network()
    sw, r, h = net.switch("sw"), net.router("r", "10.0.0.1/24"), net.host("h", "dhcp")
    net.cable(r, sw)
    server = r.serve_dhcp("10.0.0.100", "10.0.0.200", router="10.0.0.1")
    net.cable(h, sw)
    net.run(until="1 s")
    assert len(server.leases(net.now())) == 1
    interface = h.machine.ports[0].interface
    assert h.core.stop_dhcp(interface, net.now())
    net.run(until="2 s")
    assert server.leases(net.now()) == []
    assert [each for each in h.addresses if "." in each] == []
    assert h.core.source_for(parse("192.0.2.1"), net.now()) == b""
    assert not h.core.stop_dhcp(interface, net.now())


def test_an_address_that_somebody_has_is_declined() -> None:
    net = Network()
    sw, r = net.switch("sw"), net.router("r", "10.0.0.1/24")
    squatter, h = net.host("squatter", "10.0.0.100/24"), net.host("h")
    for host in (r, squatter, h):
        net.cable(host, sw, delay="1 ms")
    server = r.serve_dhcp("10.0.0.100", "10.0.0.200")
    interface = h.machine.ports[0].interface
    client = h.core.start_dhcp(interface, 0, check=True)
    net.run(until="60 s")
    assert client.lease is not None
    assert text(client.lease.address) == "10.0.0.101"
    assert [text(each.address) for each in server.leases(net.now())] == ["10.0.0.100", "10.0.0.101"]


def test_a_server_that_offers_and_refuses_is_not_asked_without_a_pause() -> None:
    desk = Desk()
    asked = 0
    while desk.now < MINUTE:
        while (out := desk.client.poll_message()) is not None:
            asked += 1
            assert asked < 100, "a flood"
            desk.tell(dhcp.OFFER if out[0].type == dhcp.DISCOVER else dhcp.NAK)
        desk.now = desk.client.deadline
        desk.client.handle_timeout(desk.now)
    assert asked == 12
