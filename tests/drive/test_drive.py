"""Two hosts in real time, joined in memory. No kernel device, no sleeping: the loop waits for what must come."""

from __future__ import annotations

import signal
import threading

import pytest

from netglass.drive import Drive, DriveHost
from netglass.errors import LinkError, MisuseError
from netglass.link.pair import pair
from netglass.sockets.constants import AF_INET, AF_INET6, SOCK_NONBLOCK, SOCK_STREAM
from netglass.times import NEVER, SECOND
from netglass.world import POLLIN, POLLOUT

LIMIT = 20 * SECOND


def two_hosts(drive: Drive, gso_size: int = 0) -> tuple[DriveHost, DriveHost]:
    a, b = pair(gso_size=gso_size)
    left, right = drive.host("left"), drive.host("right")
    drive.attach(left, a, "10.0.0.1/24", "fd00::1/64")
    drive.attach(right, b, "10.0.0.2/24", "fd00::2/64")
    return left, right


def until(drive: Drive, host: DriveHost, fd: int, mask: int) -> None:
    limit = drive.now() + LIMIT
    drive.flush()
    while not host.sockets.ready(fd) & mask:
        assert drive.now() < limit, "nothing came in time"
        drive.turn(limit)


def connected(
    drive: Drive, client: DriveHost, server: DriveHost, family: int = AF_INET, address: str = "10.0.0.2"
) -> tuple[int, int]:
    listener = server.sockets.socket(family, SOCK_STREAM | SOCK_NONBLOCK)
    assert server.sockets.bind(listener, ("", 80) if family == AF_INET else ("::", 80), drive.now()) == 0
    assert server.sockets.listen(listener, 8, drive.now()) == 0
    ours = client.sockets.socket(family, SOCK_STREAM | SOCK_NONBLOCK)
    client.sockets.connect(ours, (address, 80), drive.now())
    until(drive, server, listener, POLLIN)
    accepted = server.sockets.accept(listener, drive.now(), SOCK_NONBLOCK)
    assert isinstance(accepted, tuple)
    until(drive, client, ours, POLLOUT)
    return ours, accepted[0]


@pytest.mark.parametrize(("family", "address"), [(AF_INET, "10.0.0.2"), (AF_INET6, "fd00::2")])
def test_a_question_and_its_answer(family: int, address: str):
    with Drive(seed=1) as drive:
        client, server = two_hosts(drive)
        ours, theirs = connected(drive, client, server, family, address)
        assert client.sockets.send(ours, b"question", drive.now()) == 8
        until(drive, server, theirs, POLLIN)
        assert server.sockets.recv(theirs, 100, drive.now()) == b"question"
        assert server.sockets.send(theirs, b"answer", drive.now()) == 6
        until(drive, client, ours, POLLIN)
        assert client.sockets.recv(ours, 100, drive.now()) == b"answer"


def test_another_thread_ends_the_waiting():
    with Drive(seed=1) as drive:
        two_hosts(drive)
        thread = threading.Thread(target=drive.interrupt)
        thread.start()
        drive.wait(NEVER)
        thread.join()


def test_an_interrupt_that_came_before_counts():
    with Drive(seed=1) as drive:
        two_hosts(drive)
        drive.interrupt()
        drive.wait(NEVER)


def test_waiting_ends_in_time():
    with Drive(seed=1) as drive:
        two_hosts(drive)
        deadline = drive.now() + SECOND // 100
        drive.wait(deadline)
        assert drive.now() >= deadline


def test_a_device_that_goes_is_told_in_one_line():
    with Drive(seed=1) as drive:
        a, b = pair()
        drive.attach(drive.host("left"), a, "10.0.0.1")
        b.close()
        with pytest.raises(LinkError, match="a: an end of the pair was closed"):
            drive.run()


def test_ctrl_c_and_then_an_interrupt_of_a_closed_drive():
    """Another thread may still say that it has something to do: that must not write into whatever has the bell's
    descriptor now."""

    def strike(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    drive = Drive(seed=1)
    two_hosts(drive)
    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            drive.run()
    finally:
        signal.signal(signal.SIGALRM, before)
    drive.close()
    drive.interrupt()
    drive.stop()


def test_an_address_that_is_none_changes_nothing():
    with Drive(seed=1) as drive:
        host = drive.host("left")
        a, b = pair()
        with pytest.raises(MisuseError):
            drive.attach(host, a, "10.0.0.1/24", "10.0.0.300/24")
        drive.attach(host, a, "10.0.0.1/24")
        drive.attach(drive.host("right"), b, "10.0.0.2/24")
        drive.wait(drive.now() + SECOND // 100)
