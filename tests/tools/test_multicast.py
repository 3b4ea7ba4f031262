"""Sending to a group and listening to it, in a lab."""

import itertools
import socket
import time

import pytest

from netglass import Network, run, spawn
from netglass.tools import multicast


def lab():
    net = Network(seed=1)
    sender, receiver = (
        net.host("sender", "10.0.0.1/24", "fd83::1/64"),
        net.host("receiver", "10.0.0.2/24", "fd83::2/64"),
    )
    net.cable(sender, receiver, delay="1 ms")
    return sender, receiver


def hear(group: str, source: str = "", interface: str = "", port: int = 8888) -> list[tuple[int, str]]:
    """The numbers and senders of what comes in 5 s."""
    came = []
    with multicast.joined(group, port, source, interface) as receiver:
        receiver.settimeout(5)
        try:
            while True:
                data, sender = receiver.recvfrom(2000)
                came.append((multicast.number_of(data), sender[0]))
        except TimeoutError:
            return came


def say(group: str, **options) -> list[bytes]:
    time.sleep(0.1)
    words = {"count": 3, "interval": 1.0, "size": 0, "ttl": 1, "loop": True, "interface": "", **options}
    return list(multicast.send(group, 8888, **words))


@pytest.mark.parametrize(
    ("group", "own"), [("224.0.0.100", "10.0.0.1"), ("239.1.2.3", "10.0.0.1"), ("ff15::8888", "fd83::1")]
)
@pytest.mark.parametrize("interface", ["", "eth0"])
def test_a_group_is_heard(group: str, own: str, interface: str):
    sender, receiver = lab()
    heard = spawn(receiver, hear, group, "", interface)
    sent = run(sender, lambda: say(group, interface=interface, size=40))
    assert [len(each) for each in sent] == [40, 40, 40]
    assert heard.result == [(1, own), (2, own), (3, own)]


def test_only_from_the_source_that_was_asked_for():
    sender, receiver = lab()
    good = spawn(receiver, hear, "232.1.2.3", "10.0.0.1")
    bad = spawn(receiver, hear, "232.1.2.3", "10.0.0.9")
    run(sender, lambda: say("232.1.2.3"))
    assert (len(good.result), bad.result) == (3, [])


def test_another_group_is_not_heard():
    sender, receiver = lab()
    heard = spawn(receiver, hear, "239.1.2.3")
    other = spawn(receiver, hear, "239.9.9.9")
    six = spawn(receiver, hear, "ff15::1")
    run(sender, lambda: say("239.9.9.9"))
    assert (heard.result, len(other.result), six.result) == ([], 3, [])


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("group", ["239.1.2.3", "ff15::8888"])
def test_the_sender_hears_itself_unless_it_will_not(group: str, loop: bool):
    sender, _ = lab()
    heard = spawn(sender, hear, group)
    run(sender, lambda: say(group, loop=loop))
    assert len(heard.result) == (3 if loop else 0)


def test_the_interval_is_kept():
    sender, _ = lab()

    def program():
        begin = time.monotonic()
        said = multicast.send("239.1.2.3", 8888, 0, 2.5, 0, 1, True, "")
        for _ in itertools.islice(said, 5):
            pass
        del said  # the rest is not said
        return time.monotonic() - begin

    assert run(sender, program) == pytest.approx(10, abs=0.01)


def test_a_group_is_left_when_the_socket_cannot_be_had():
    _, receiver = lab()

    def program():
        with pytest.raises(OSError, match=r"No such device|no interface"):
            multicast.joined("239.1.2.3", 8888, "", "nowhere0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("", 8888))  # nothing holds it

    run(receiver, program)


@pytest.mark.parametrize(
    ("data", "number"), [(b"netglass mcast 17....", 17), (b"netglass mcast ", 0), (b"other 3", 0), (b"", 0)]
)
def test_numbers(data: bytes, number: int):
    assert multicast.number_of(data) == number
