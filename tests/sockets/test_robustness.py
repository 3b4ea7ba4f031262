"""Any call, in any order, with any descriptor: an answer, never an exception; and both ends stay sane."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netglass.sockets import Message
from netglass.sockets.constants import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM
from netglass.sockets.options import RULES
from netglass.times import MILLISECOND, SECOND
from tests.sockets.pair import Pair

FDS = st.sampled_from([3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 9])
ADDRESSES = st.sampled_from(
    [
        ("10.0.0.1", 80),
        ("10.0.0.2", 81),
        ("10.0.0.2", 81),
        ("10.0.0.2", 81),
        ("10.0.0.2", 81),
        ("10.0.0.2", 0),
        ("127.0.0.1", 80),
        ("", 0),
        ("", 80),
        ("192.0.2.1", 80),
        ("224.0.0.1", 80),
        ("255.255.255.255", 80),
        ("fd00::1", 80, 0, 0),
        ("fd00::2", 80, 0, 0),
        ("::ffff:10.0.0.2", 80, 0, 0),
        ("::", 80, 0, 0),
        None,
    ]
)
FLAGS = st.sampled_from([0, 0, 0, 1, 2, 0x20, 0x40, 0x100, 0x2000, 0x4000, 0x8000, 0x20000000])
STRUCTURED = [(6, 11), (6, 13), (1, 13), (1, 20), (0, 35)]
OPTIONS = st.sampled_from([*((named >> 16, named & 0xFFFF) for named in sorted(RULES)), *STRUCTURED])
VALUES = st.one_of(st.integers(-2, 300), st.sampled_from([1 << 20, -(1 << 31)]), st.binary(max_size=20))

RUNS = (50 * MILLISECOND, 50 * MILLISECOND, MILLISECOND, SECOND, 100 * SECOND)
RUN = st.tuples(st.just("run"), st.sampled_from(RUNS))
SEND = st.tuples(st.just("send"), FDS, st.sampled_from([b"", b"x", bytes(3000)]), FLAGS)
RECEIVE = st.tuples(st.just("recv"), FDS, st.sampled_from([0, 1, 5000, -1]), FLAGS)

CALLS = st.one_of(
    *(RUN, RUN, RUN, SEND, SEND, SEND, RECEIVE, RECEIVE),
    st.tuples(
        st.just("socket"),
        st.sampled_from([AF_INET, AF_INET6]),
        st.sampled_from([SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    st.tuples(st.just("bind"), FDS, ADDRESSES.filter(bool)),
    st.tuples(st.just("listen"), FDS, st.integers(-1, 3)),
    st.tuples(st.just("connect"), FDS, ADDRESSES),
    st.tuples(st.just("accept"), FDS),
    st.tuples(st.just("sendto"), FDS, st.just(b"data"), ADDRESSES, FLAGS),
    st.tuples(st.just("sendmsg"), FDS, st.just([b"a", b"", b"b"]), FLAGS),
    st.tuples(st.just("recvmsg"), FDS, st.sampled_from([0, 1, 5000]), FLAGS),
    st.tuples(st.just("shutdown"), FDS, st.integers(-1, 3)),
    st.tuples(st.just("close"), FDS),
    st.tuples(st.just("dup"), FDS),
    st.tuples(st.just("getsockname"), FDS),
    st.tuples(st.just("getpeername"), FDS),
    st.tuples(st.just("ioctl"), FDS, st.sampled_from([0x541B, 0x5411, 0x894B, 0x8905, 1])),
    st.tuples(st.just("setsockopt"), FDS, OPTIONS, VALUES),
    st.tuples(st.just("getsockopt"), FDS, OPTIONS, st.sampled_from([4, 0, 1, 300, -1])),
)


def perform(pair: Pair, on_a: bool, step: tuple[Any, ...]) -> object:
    calls = pair.a.sockets if on_a else pair.b.sockets
    name, *arguments = step
    now = pair.now
    if name in ("socket", "dup", "getsockname", "getpeername", "ioctl"):
        return getattr(calls, name)(*arguments)
    if name in ("setsockopt", "getsockopt"):
        fd, (level, option), value = arguments
        if name == "setsockopt":
            return calls.setsockopt(fd, level, option, value, now)
        return calls.getsockopt(fd, level, option, now, value)
    if name == "sendmsg":
        return calls.sendmsg(arguments[0], arguments[1], now, None, arguments[2])
    if name in ("send", "sendto", "recv", "recvmsg"):
        *first, flags = arguments
        return getattr(calls, name)(*first, now, flags)
    return getattr(calls, name)(*arguments, now)


@given(st.lists(st.tuples(st.booleans(), CALLS), min_size=10, max_size=80))
def test_any_calls_in_any_order(steps):
    # Both begin with 3: a listener, 4: an end of one connection; a has 5: datagrams, 6: a stream of IPv6.
    pair = Pair()
    pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    pair.connected()
    assert pair.listener(port=81) == 3
    pair.a.sockets.bind(3, ("10.0.0.1", 80), pair.now)
    pair.a.sockets.listen(3, 1, pair.now)
    pair.a.sockets.socket(AF_INET, SOCK_DGRAM)
    pair.a.sockets.socket(AF_INET6, SOCK_STREAM)
    for on_a, step in steps:
        if step[0] == "run":
            pair.run(step[1])
            continue
        result = perform(pair, on_a, step)
        assert isinstance(result, (int, bytes, tuple, Message))
        assert not isinstance(result, int) or result > -200
        for side in (pair.a, pair.b):
            for fd in range(3, 12):
                side.sockets.ready(fd)
    pair.a.sockets.close_all(pair.now)
    pair.b.sockets.close_all(pair.now)
    pair.run(3600 * SECOND)
    assert pair.a.host.sockets() == []
    assert pair.b.host.sockets() == []
