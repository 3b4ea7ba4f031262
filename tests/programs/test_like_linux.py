"""Blocking and non-blocking sockets, select, poll, epoll, pipes and files: each program runs on the real kernel and in
the lab, and tells the same."""

# What programs tell is a list of anything, and wrong arguments are meant:
# mypy: disable-error-code="misc, list-item, func-returns-value, arg-type"

from __future__ import annotations

import array
import errno
import fcntl
import itertools
import os
import pickle
import re
import select
import selectors
import socket
import struct
import tempfile
import termios
import threading

import pytest

from tests.programs.both import both, linux_only, on_a_host, told

pytestmark = linux_only

NOBODY = ("127.0.0.1", 9)
MSG_ERRQUEUE = 0x2000


def pair():
    """Two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server


def hidden(text, *values):
    """`text` without the numbers that differ from run to run; whole numbers, not digits within others."""
    for value in values:
        text = re.sub(rf"(?<![0-9.]){value}(?![0-9.])", "X", str(text))
    return text


def test_errors():
    def program():
        s = socket.socket()
        listener = socket.create_server(("127.0.0.1", 0))
        return [
            told(s.connect, NOBODY),
            s.connect_ex(NOBODY),
            told(s.recv, 1),
            told(s.recv, -1),
            told(s.send, b"x"),
            told(s.getpeername),
            told(s.sendto, b"x", NOBODY),
            told(s.shutdown, socket.SHUT_RDWR),
            told(s.bind, "127.0.0.1"),
            told(s.bind, ("127.0.0.1",)),
            told(s.bind, ("127.0.0.1", 65536)),
            told(s.bind, ("127.0.0.1", "80")),
            told(s.bind, ("192.0.2.77", 0)),
            told(s.bind, listener.getsockname()),
            told(s.settimeout, -1),
            told(s.settimeout, "1"),
            told(s.settimeout, float("nan")),
            told(s.getsockopt, socket.SOL_SOCKET, 9999),
            told(s.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE, 2000),
            told(s.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, b"short"),
            told(listener.connect, NOBODY),
            told(socket.socket, 1234),
            told(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 17),
            told(lambda: socket.socket(fileno=-1)),
            told(lambda: socket.socket(fileno="x")),
            told(pickle.dumps, s),
            s.close(),
            listener.close(),
        ]

    both(program)


def test_a_closed_socket():
    def program():
        s = socket.socket()
        s.close()
        s.close()
        return [told(s.recv, 1), s.fileno(), told(s.getsockname), told(s.settimeout, 1), repr(s)]

    both(program)


def test_how_it_shows_itself():
    def program():
        client, server = pair()
        with client, server:
            port = client.getsockname()[1], server.getsockname()[1]
            shown = hidden(repr(client), client.fileno(), *port)
            return shown, type(client).__name__, client.family.name, client.type.name, client.proto

    both(program)


def test_timeouts_and_blocking():
    def program():
        client, server = pair()
        with client, server:
            found = [client.gettimeout(), client.getblocking(), client.timeout]
            client.settimeout(0.01)
            found += [client.gettimeout(), client.getblocking(), told(client.recv, 1)]
            flags = fcntl.fcntl(client, fcntl.F_GETFL)
            found += [bool(flags & os.O_NONBLOCK), os.get_blocking(client.fileno())]
            client.setblocking(False)
            found += [client.gettimeout(), told(client.recv, 1)]
            client.settimeout(None)
            fcntl.fcntl(client, fcntl.F_SETFL, os.O_NONBLOCK)
            found += [told(client.recv, 1), client.getblocking()]
            server.sendall(b"late")
            os.set_blocking(client.fileno(), True)
            found += [client.recv(10)]
            nonblocking = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            found += [nonblocking.gettimeout(), nonblocking.type, client.get_inheritable()]
            client.set_inheritable(True)
            found += [client.get_inheritable(), fcntl.fcntl(client, fcntl.F_GETFD)]
            nonblocking.close()
            return found

    both(program)


def test_receive_timeout_of_the_kernel():
    def program():
        client, server = pair()
        with client, server:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 10_000))
            return told(client.recv, 1)

    both(program)


def test_default_timeout():
    def program():
        socket.setdefaulttimeout(2.5)
        try:
            client, server = pair()
            with client, server:
                return client.gettimeout(), server.gettimeout(), socket.getdefaulttimeout()
        finally:
            socket.setdefaulttimeout(None)

    both(program)


def test_accepted_sockets_do_not_inherit():
    def program():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(5)
            with socket.create_connection(listener.getsockname()) as client:
                server, address = listener.accept()
                with server:
                    return server.gettimeout(), address == client.getsockname(), server.get_inheritable()

    both(program)


def test_flags():
    def program():
        client, server = pair()
        with client, server:
            client.sendall(b"0123456789")
            found = [server.recv(4, socket.MSG_PEEK), server.recv(4), told(client.recv, 1, socket.MSG_DONTWAIT)]
            client.shutdown(socket.SHUT_WR)
            found += [server.recv(100, socket.MSG_WAITALL), server.recv(1), told(client.send, b"x")]
            return found

    both(program)


def test_waiting_for_all():
    def program():
        client, server = pair()

        def later():
            for part in (b"abc", b"def", b"gh"):
                client.sendall(part)

        thread = threading.Thread(target=later)
        with client, server:
            thread.start()
            data = server.recv(8, socket.MSG_WAITALL)
            thread.join()
            return data

    both(program)


def test_into_buffers_and_messages():
    def program():
        client, server = pair()
        with client, server:
            client.sendmsg([b"ab", bytearray(b"cd"), memoryview(b"efghijk")])
            buffer, tail = bytearray(3), bytearray(2)
            found = [server.recv_into(buffer), bytes(buffer), server.recvfrom(1)]
            found += [server.recvmsg_into([buffer, tail]), bytes(buffer), bytes(tail)]
            found += [server.recvmsg(10), told(server.recv_into, buffer, 4), told(server.recv_into, buffer, -1)]
            client.sendall(array.array("H", [1, 2]))
            return [*found, server.recv_into(memoryview(buffer)[1:]), bytes(buffer)]

    both(program)


def test_datagrams():
    def program():
        with socket.socket(type=socket.SOCK_DGRAM) as a, socket.socket(type=socket.SOCK_DGRAM) as b:
            a.bind(("127.0.0.1", 0))
            b.bind(("127.0.0.1", 0))
            a.settimeout(0.01)
            found = [told(a.recv, 1), b.sendto(b"hello", a.getsockname()), b.sendto(b"", 0, a.getsockname())]
            data, where = a.recvfrom(3)
            found += [data, where == b.getsockname(), a.recv(9)]
            b.connect(a.getsockname())
            found += [b.send(b"more"), b.getpeername() == a.getsockname()]
            a.setsockopt(socket.IPPROTO_IP, 12, 1)
            b.send(b"last")
            found += [a.recvmsg(2, 100)[:3], a.recvmsg(2)[:3]]
            return found

    both(program)


def test_options():
    def program():
        client, server = pair()
        with client, server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
            return [
                client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                client.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
                client.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
                client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                client.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL),
                client.getsockopt(socket.IPPROTO_IP, socket.IP_TTL),
                told(client.setsockopt, 1, 2, None),
            ]

    both(program)


def test_dup_detach_and_numbers():
    def program():
        client, server = pair()
        copy = client.dup()
        client.close()
        copy.sendall(b"x")
        found = [server.recv(1)]
        number = copy.detach()
        found += [copy.fileno(), told(copy.recv, 1)]
        again = socket.socket(fileno=number)
        found += [again.family.name, again.type.name, again.proto, again.fileno() == number, again.gettimeout()]
        other = socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)
        os.close(number)
        found += [told(again.recv, 1), again.detach() == number]
        other.sendall(b"y")
        found += [server.recv(1)]
        other.close()
        found += [server.recv(1)]
        server.close()
        return found

    both(program)


def test_files_over_sockets():
    def program():
        client, server = pair()
        found = []
        with client, server, server.makefile("rwb") as binary, client.makefile("rw", newline="\n") as text:
            text.write("one\ntwo\n")
            text.flush()
            found += [binary.readline(), binary.readline()]
            binary.write(b"three\nfour")
            binary.flush()
            server.close()  # the file holds it open
            binary.close()
            found += [text.readline(), text.read(), told(client.makefile, "a")]
        return found

    both(program)


def test_closing_with_unread_data_resets():
    def program():
        client, server = pair()
        client.sendall(b"never read")
        server.close()
        with client:
            return told(client.recv, 1), client.recv(1), told(client.send, b"x")

    both(program)


def test_sendfile():
    def program():
        client, server = pair()
        content = bytes(range(256)) * 2000
        got = []
        with tempfile.TemporaryFile() as file, client, server:
            file.write(content)
            file.flush()

            def read():
                while data := server.recv(1 << 16):
                    got.append(data)

            thread = threading.Thread(target=read)
            thread.start()
            found = [client.sendfile(file), file.tell(), client.sendfile(file, 100, 50), file.tell()]
            file.seek(0)
            found += [os.sendfile(client.fileno(), file.fileno(), None, 10), os.lseek(file.fileno(), 0, os.SEEK_CUR)]
            client.shutdown(socket.SHUT_WR)
            thread.join()
        data = b"".join(got)
        return [*found, data == content + content[100:150] + content[:10]]

    both(program)


def test_pairs_and_pipes():
    def program():
        a, b = socket.socketpair()
        with a, b:
            found = [a.family.name, a.send(b"abc"), b.recv(2), b.recv(9), a.getsockname(), a.getpeername()]
            a.setblocking(False)
            found += [told(a.recv, 1)]
            b.sendall(b"x")
            b.shutdown(socket.SHUT_WR)
            found += [a.recv(9), a.recv(9), told(b.send, b"x")]
            a.close()
            found += [b.recv(1)]
        reader, writer = os.pipe()
        found += [os.write(writer, b"pipe"), os.read(reader, 2), os.readv(reader, [bytearray(1), bytearray(5)])]
        os.set_blocking(reader, False)
        found += [told(os.read, reader, 1), told(os.write, reader, b"x"), told(os.read, writer, 1)]
        os.close(writer)
        found += [os.read(reader, 1), os.isatty(reader), os.fstat(reader).st_mode & 0o170000]
        os.close(reader)
        found += [told(os.close, reader), told(os.lseek, b.fileno(), 0, 0)]
        return found

    both(program)


def test_os_calls_on_sockets():
    def program():
        client, server = pair()
        with client, server:
            found = [os.write(client.fileno(), b"abcdef"), os.read(server.fileno(), 2)]
            found += [struct.unpack("i", fcntl.ioctl(server, termios.FIONREAD, b"\0\0\0\0"))[0]]
            answer = array.array("i", [0])
            found += [fcntl.ioctl(server, termios.FIONREAD, answer), answer[0]]
            found += [os.writev(server.fileno(), [b"x", b"yz"]), client.recv(9)]
            found += [os.fstat(client.fileno()).st_mode & 0o170000, os.isatty(client.fileno())]
            number = os.dup(client.fileno())
            os.close(number)
            return [*found, told(os.fstat, number)]

    both(program)


# -- waiting for many


def bits(events, *names):
    """[(fd, mask)] with names for the numbers."""
    return sorted((names.index(fd), mask) for fd, mask in events)


def test_select():
    def program():
        client, server = pair()
        with client, server:
            found = [select.select([client, server.fileno()], [], [], 0), select.select([], [client], [client], 0)[1:]]
            client.sendall(b"x")
            ready = select.select([client, server], [client], [], 5)
            found = [len(each) for group in found for each in group]
            found += [ready[0] == [server], ready[1] == [client], ready[2]]
            found += [told(select.select, [client], [], [], -1), told(select.select, ["x"], [], [], 0)]
            found += [told(select.select, 5, [], []), select.select([], [], [], 0.001)]
        return [*found, told(select.select, [client], [], [], 0)]

    both(program)


def test_poll():
    def program():
        client, server = pair()
        numbers = client.fileno(), server.fileno()
        poll = select.poll()
        found = [poll.register(client), poll.register(server, select.POLLIN), bits(poll.poll(0), *numbers)]
        client.sendall(b"x")
        found += [bits(poll.poll(100), *numbers), poll.modify(client, select.POLLIN), bits(poll.poll(), *numbers)]
        server.recv(1)
        found += [poll.poll(1), told(poll.modify, 999, 1), told(poll.unregister, 999), told(poll.register, client, -1)]
        server.shutdown(socket.SHUT_WR)
        poll.modify(client, select.POLLIN | select.POLLRDHUP)
        found += [bits(poll.poll(), *numbers)]
        server.close()
        found += [bits(poll.poll(), *numbers)]
        poll.unregister(server.fileno() if server.fileno() >= 0 else numbers[1])
        client.close()
        return [*found, bits(poll.poll(), *numbers), poll.poll()[0][1] == select.POLLNVAL]

    both(program)


def test_epoll_level_and_edge():
    def program():
        client, server = pair()
        number = server.fileno()
        found = []
        with client, server, select.epoll() as level, select.epoll() as edge:
            level.register(server, select.EPOLLIN)
            edge.register(server, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            found += [level.poll(0), bits(edge.poll(0), number), edge.poll(0)]
            client.sendall(b"one")
            found += [bits(level.poll(1), number), bits(level.poll(0), number)]
            found += [bits(edge.poll(1), number), edge.poll(0)]
            client.sendall(b"two")
            found += [bits(edge.poll(1), number), edge.poll(0)]
            server.recv(2)
            found += [bits(level.poll(0), number), edge.poll(0)]
            edge.modify(server, select.EPOLLIN | select.EPOLLET)  # a change counts as an edge
            found += [bits(edge.poll(0), number), edge.poll(0)]
            server.recv(100)
            found += [level.poll(0), edge.poll(0.001)]
        return found

    both(program)


def test_epoll_one_shot_and_errors():
    def program():
        client, server = pair()
        number = server.fileno()
        found = []
        with client, server:
            epoll = select.epoll()
            epoll.register(server, select.EPOLLIN | select.EPOLLONESHOT)
            client.sendall(b"one")
            found += [bits(epoll.poll(1), number), epoll.poll(0)]
            epoll.modify(server, select.EPOLLIN | select.EPOLLONESHOT)
            found += [bits(epoll.poll(0), number), epoll.poll(0)]
            found += [told(epoll.register, server), told(epoll.modify, client, 1), told(epoll.unregister, client)]
            found += [
                told(epoll.poll, 0, 0),
                told(epoll.poll, 0, -2),
                told(select.epoll, -2),
                told(epoll.register, 888),
            ]
            with tempfile.TemporaryFile() as file:
                found += [told(epoll.register, file)]
            found += [epoll.closed, epoll.close(), epoll.closed, told(epoll.poll), told(epoll.fileno)]
        return found

    both(program)


def test_closed_descriptors_leave_epoll():
    def program():
        client, server = pair()
        with select.epoll() as epoll:
            epoll.register(server, select.EPOLLIN)
            client.sendall(b"x")
            copy = server.dup()
            number = server.fileno()
            server.close()  # the description lives on in its duplicate, and is told under the old number
            found = [bits(epoll.poll(0), number), told(epoll.unregister, number)]
            copy.close()
            found += [epoll.poll(0)]
        client.close()
        return found

    both(program)


def test_epoll_of_epoll():
    def program():
        client, server = pair()
        with client, server, select.epoll() as inner, select.epoll() as outer:
            outer.register(inner, select.EPOLLIN)
            inner.register(server, select.EPOLLIN)
            found = [outer.poll(0)]
            client.sendall(b"x")
            found += [bits(outer.poll(1), inner.fileno()), len(select.select([inner], [], [], 0)[0])]
            server.recv(1)
            return [*found, outer.poll(0)]

    both(program)


def test_epoll_sets_in_circles_and_chains():
    def program():
        def chained(sets):
            return [told(outer.register, inner) for outer, inner in sets]

        one, other = select.epoll(), select.epoll()
        down, up = ([select.epoll() for _ in range(8)] for _ in range(2))
        return [
            *chained([(one, one), (one, other), (other, one)]),
            *chained(itertools.pairwise(down)),
            *chained(reversed(list(itertools.pairwise(up)))),
        ]

    both(program)


def test_what_goes_with_exclusive():
    def program():
        watching, listener = select.epoll(), socket.create_server(("127.0.0.1", 0))
        answers = []
        for more in (select.EPOLLIN, select.EPOLLET, select.EPOLLONESHOT, select.EPOLLPRI, select.EPOLLRDHUP):
            answers.append(told(watching.register, listener, select.EPOLLEXCLUSIVE | more))
            answers.append(told(watching.unregister, listener))
        answers.append(told(watching.register, select.epoll(), select.EPOLLEXCLUSIVE))
        listener.close()
        return answers

    both(program)


def test_hang_up_in_epoll():
    def program():
        client, server = pair()
        number = client.fileno()
        with client, select.epoll() as epoll:
            epoll.register(client, select.EPOLLIN | select.EPOLLRDHUP)
            server.shutdown(socket.SHUT_WR)
            found = [bits(epoll.poll(1), number)]
            client.shutdown(socket.SHUT_WR)
            server.recv(1)
            server.close()
            return [*found, bits(epoll.poll(1), number)]

    both(program)


def test_connect_without_waiting():
    def program():
        found = []
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client, socket.socket() as refused:
            client.setblocking(False)
            refused.setblocking(False)
            found += [errno.errorcode.get(client.connect_ex(listener.getsockname()))]
            found += [errno.errorcode.get(refused.connect_ex(NOBODY))]
            ready = select.select([], [client, refused], [], 5)[1]
            while len(ready) < 2:
                ready = select.select([], [client, refused], [], 5)[1]
            found += [client.connect_ex(listener.getsockname()), client.connect_ex(listener.getsockname())]
            found += [refused.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        return found

    both(program)


@pytest.mark.parametrize("kind", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_selectors(kind):
    def program():
        client, server = pair()
        with client, server, getattr(selectors, kind)() as selector:
            selector.register(client, selectors.EVENT_WRITE, "client")
            selector.register(server, selectors.EVENT_READ, "server")
            found = [[(key.data, mask) for key, mask in selector.select(0)]]
            client.sendall(b"x")
            selector.modify(client, selectors.EVENT_READ, "client")
            found += [[(key.data, mask) for key, mask in selector.select(5)]]
            selector.unregister(server)
            return [*found, selector.select(0.001), told(selector.unregister, server)[:8]]

    both(program)


def test_every_wait_ends_at_its_time():
    import time

    def program():
        began = time.monotonic_ns()
        steps = []

        def step(call, *args):
            call(*args)
            steps.append(time.monotonic_ns() - began)

        a, b = socket.socketpair()
        step(select.select, [a], [], [], 0.0015)
        step(select.select, [], [], [], 1)
        poll = select.poll()
        poll.register(a, select.POLLIN)
        step(poll.poll, 1.2)  # milliseconds, rounded up
        with select.epoll() as epoll:
            step(epoll.poll, 0.0001)
        a.settimeout(1e-9)
        step(told, a.recv, 1)
        a.close()
        b.close()
        return steps

    assert on_a_host(program) == [1_500_000, 1_001_500_000, 1_003_500_000, 1_004_500_000, 1_004_500_001]


def test_headers_of_single_datagrams():
    def program():
        def sent(*control):
            number = told(out.sendmsg, [b"x"], control, 0, into.getsockname())
            return number if isinstance(number, str) else [item[1:] for item in into.recvmsg(9, 400)[1]]

        def number(value):
            return struct.pack("i", value)

        ttl, tos, info = socket.IP_TTL, socket.IP_TOS, 8
        with socket.socket(type=socket.SOCK_DGRAM) as into, socket.socket(type=socket.SOCK_DGRAM) as out:
            into.bind(("127.0.0.1", 0))
            into.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
            into.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            told_of = [
                sent((0, ttl, number(9))),
                sent((0, tos, number(16)), (0, ttl, number(1))),
                sent((0, tos, b"\x08")),
            ]
            told_of += [
                sent((0, ttl, number(0))),
                sent((0, ttl, b"\x09")),
                sent((0, tos, number(256))),
                sent((0, 99, b"")),
            ]
            told_of += [
                sent((1, 1, b"")),
                sent((1, 99, b"")),
                sent((6, 1, b"")),
                sent((41, socket.IPV6_TCLASS, number(3))),
            ]
            told_of += [sent((0, info, struct.pack("i4s4s", 77, bytes(4), bytes(4)))), sent((0, info, b"short"))]
            info_of_7 = struct.pack("i4s4s", 0, socket.inet_aton("127.0.0.7"), bytes(4))
            out.sendmsg([b"x"], [(0, info, info_of_7)], 0, into.getsockname())
            return [*told_of, into.recvfrom(9)[1][0], sent(), out.getsockname()[0]]

    both(program)


def test_headers_of_single_datagrams_of_version_6():
    def program():
        wanted = ((41, socket.IPV6_HOPLIMIT, struct.pack("i", 7)), (41, socket.IPV6_TCLASS, struct.pack("i", 20)))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            s.sendmsg([b"x"], wanted, 0, s.getsockname())
            told_of = [sorted(s.recvmsg(9, 400)[1])]
            s.connect(s.getsockname())
            s.sendmsg([b"y"], wanted[:1])
            told_of += [sorted(s.recvmsg(9, 400)[1])]
            return [*told_of, told(s.sendmsg, [b"x"], [(41, socket.IPV6_HOPLIMIT, struct.pack("i", 256))])]

    # What Linux answers; the machine that runs the tests may have no version 6.
    hops, tclass = (41, 52), (41, 67)
    assert on_a_host(program) == [
        [(*hops, struct.pack("i", 7)), (*tclass, struct.pack("i", 20))],
        [(*hops, struct.pack("i", 7)), (*tclass, bytes(4))],
        "OSError 22 [Errno 22] Invalid argument",
    ]


def test_the_error_queue_of_a_stream_is_empty():
    def program():
        one, other = pair()
        with one, other:
            other.send(b"data")
            return [told(one.recv, 9, MSG_ERRQUEUE), one.recv(9), told(one.recv, 9, MSG_ERRQUEUE)]

    both(program)


def test_ports_of_services():
    def program():
        def found(*arguments):
            infos = socket.getaddrinfo("127.0.0.1", *arguments)
            return [(info[1], info[2], info[4]) for info in infos]

        asked = [("domain",), ("http",), ("http", 0, 2), ("http", 0, 3), (-1,), ("-1",), (70000,), (None,), (1.5,)]
        return [told(found, *each) for each in asked]

    both(program)


def test_odd_names_of_interfaces_and_addresses():
    def program():
        index, name, info = socket.if_nametoindex, socket.if_indextoname, socket.getnameinfo
        told_of = [told(index, each) for each in ("lo", b"lo", 0, None, "nobody")]
        told_of += [told(name, each) for each in (1, 0, -1, 2**40, 2**70, "lo", 1.0)]
        told_of += [told(info, each, 3) for each in (("::1", 80, -1), ("::1", 80, 2**20), ("127.0.0.1", 80, 0))]
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            return [*told_of, *[told(s.sendto, *[b"x"] * count) for count in (0, 1, 4)]]

    both(program)
