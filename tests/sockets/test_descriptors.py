"""The descriptor table: numbers, duplicates, flags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errnos import EAFNOSUPPORT, EBADF, EINVAL, EMFILE, EPROTONOSUPPORT
from netglass.errors import MisuseError
from netglass.host.host import Host
from netglass.rng import Rng
from netglass.sockets import Sockets
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    FIOCLEX,
    FIONBIO,
    FIONREAD,
    O_NONBLOCK,
    O_RDWR,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
)
from netglass.world import POLLNVAL


def table(limit: int = 100) -> Sockets:
    return Sockets(Host("h", None, Rng(1)), limit)


def test_the_lowest_free_number_is_taken():
    calls = table()
    assert [calls.socket(AF_INET, SOCK_DGRAM) for _ in range(4)] == [3, 4, 5, 6]
    calls.close(5, 0)
    calls.close(4, 0)
    assert [calls.socket(AF_INET, SOCK_DGRAM) for _ in range(3)] == [4, 5, 7]


@given(st.lists(st.one_of(st.just("open"), st.just("dup"), st.integers(3, 20)), max_size=60), st.data())
def test_numbers_against_a_plain_set(steps, data):
    calls = table(24)
    used: set[int] = set()
    for step in steps:
        if isinstance(step, int):
            if data.draw(st.booleans()):
                assert calls.close(step, 0) == (0 if step in used else -EBADF)
                used.discard(step)
            elif used:
                expected = min(set(range(step, 24)) - used, default=-EMFILE)
                assert calls.fcntl(min(used), F_DUPFD, step) == expected
                used |= {expected} - {-EMFILE}
            continue
        expected = min(set(range(3, 24)) - used, default=-EMFILE)
        if step == "open":
            assert calls.socket(AF_INET, SOCK_DGRAM) == expected
        elif used:
            assert calls.dup(min(used)) == expected
        else:
            continue
        used |= {expected} - {-EMFILE}


def test_flags_belong_to_the_description_and_close_on_exec_to_the_descriptor():
    calls = table()
    fd = calls.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    copy = calls.dup(fd)
    assert calls.fcntl(copy, F_GETFL) == O_RDWR | O_NONBLOCK
    assert calls.fcntl(fd, F_GETFD) == FD_CLOEXEC
    assert calls.fcntl(copy, F_GETFD) == 0
    calls.fcntl(copy, F_SETFL, 0)
    assert calls.fcntl(fd, F_GETFL) == O_RDWR
    calls.ioctl(fd, FIONBIO, 1)
    assert calls.fcntl(copy, F_GETFL) == O_RDWR | O_NONBLOCK
    calls.fcntl(fd, F_SETFD, 0)
    assert calls.fcntl(fd, F_GETFD) == 0
    calls.ioctl(fd, FIOCLEX)
    assert calls.fcntl(fd, F_GETFD) == FD_CLOEXEC
    assert calls.fcntl(calls.fcntl(fd, F_DUPFD_CLOEXEC, 50), F_GETFD) == FD_CLOEXEC
    assert calls.fcntl(fd, 4711) == -EINVAL


def test_what_no_socket_is():
    calls = table()
    assert calls.socket(1, SOCK_STREAM) == -EAFNOSUPPORT
    assert calls.socket(AF_INET, SOCK_RAW) == -EPROTONOSUPPORT
    assert calls.socket(AF_INET, SOCK_STREAM, 300) == -EINVAL


def test_a_descriptor_that_is_none():
    calls = table()
    address = ("10.0.0.1", 80)
    results = [
        calls.bind(9, address, 0),
        calls.listen(9, 1, 0),
        calls.connect(9, address, 0),
        calls.accept(9, 0),
        calls.send(9, b"x", 0),
        calls.sendto(9, b"x", address, 0),
        calls.sendmsg(9, [b"x"], 0),
        calls.recv(9, 1, 0),
        calls.recvfrom(9, 1, 0),
        calls.recvmsg(9, 1, 0),
        calls.shutdown(9, 0, 0),
        calls.close(9, 0),
        calls.dup(9),
        calls.getsockname(9),
        calls.getpeername(9),
        calls.setsockopt(9, 1, 9, 1, 0),
        calls.getsockopt(9, 1, 9, 0),
        calls.fcntl(9, F_GETFL),
        calls.ioctl(9, FIONREAD),
    ]
    assert results == [-EBADF] * len(results)
    assert calls.ready(9) == POLLNVAL
    assert calls.poll(9, 0) == POLLNVAL


def test_running_out_of_descriptors():
    calls = table(limit=5)
    assert [calls.socket(AF_INET, SOCK_DGRAM) for _ in range(3)] == [3, 4, -EMFILE]
    assert calls.dup(3) == -EMFILE
    calls.close(3, 0)
    assert calls.socket(AF_INET, SOCK_DGRAM) == 3


def test_addresses_of_the_wrong_family_have_an_errno():
    calls = table()
    four, six = calls.socket(AF_INET, SOCK_STREAM), calls.socket(AF_INET6, SOCK_STREAM)
    assert calls.bind(four, ("::1", 0, 0, 0), 0) == -EAFNOSUPPORT
    assert calls.bind(six, ("127.0.0.1", 0), 0) == -EAFNOSUPPORT
    assert calls.connect(four, ("::1", 80), 0) == -EAFNOSUPPORT


@pytest.mark.parametrize(
    ("address", "said"),
    [(("localhost", 80), "not an address"), (("10.0.0.1", 65536), "65535"), (("10.0.0.1", -1), "between 0 and 65535")],
)
def test_what_never_reaches_a_kernel_is_misuse(address, said):
    calls = table()
    with pytest.raises(MisuseError, match=said):
        calls.connect(calls.socket(AF_INET, SOCK_STREAM), address, 0)


def test_everything_closes_with_the_process():
    calls = table()
    fd = calls.socket(AF_INET, SOCK_STREAM)
    calls.bind(fd, ("127.0.0.1", 80), 0)
    calls.listen(fd, 5, 0)
    calls.bind(calls.socket(AF_INET, SOCK_DGRAM), ("127.0.0.1", 53), 0)
    calls.close_all(0)
    assert calls.host.sockets() == []
    again = calls.socket(AF_INET, SOCK_STREAM)
    assert again == 3
    assert calls.bind(again, ("127.0.0.1", 80), 0) == 0
