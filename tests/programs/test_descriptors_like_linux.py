"""Descriptors that are sent, doubled, spliced and made file objects, compared with the kernel below the tests."""

import array
import os
import select
import socket
import tempfile
import threading

import pytest

from netglass import Network, run

from .both import both, linux_only, told

pytestmark = linux_only

RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)


def numbers(control):
    found = array.array("i")
    for level, kind, data in control:
        assert (level, kind) == RIGHTS
        found.frombytes(data)
    return list(found)


def test_sending_descriptors():
    def program():
        one, two = socket.socketpair()
        reader, writer = os.pipe()
        with one, two:
            socket.send_fds(one, [b"take this"], [writer, one.fileno()])
            os.close(writer)
            data, fds, flags, _ = socket.recv_fds(two, 100, 5)
            os.write(fds[0], b"through")
            os.close(fds[0])
            story = [data, len(fds), flags, os.read(reader, 100), os.read(reader, 100)]
            with socket.socket(fileno=fds[1]) as copy:
                copy.send(b"as one")
            story.append(two.recv(100))
            os.close(reader)
            return story

    assert both(program)[3:5] == [b"through", b""]


def test_sending_a_real_file():
    def program():
        one, two = socket.socketpair()
        with one, two, tempfile.TemporaryFile() as file:
            file.write(b"content")
            file.flush()
            socket.send_fds(one, [b"x"], [file.fileno()])
            _, (fd,), _, _ = socket.recv_fds(two, 1, 1)
            told_by_it = os.pread(fd, 100, 0)
            os.close(fd)
            return told_by_it

    assert both(program) == b"content"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_what_is_beside_which_bytes(kind):
    def program():
        one, two = socket.socketpair(socket.AF_UNIX, kind)
        story: list[object] = []
        with one, two:
            one.send(b"before")
            socket.send_fds(one, [b"with"], [one.fileno()])
            one.send(b"after")
            for size in (3, 100, 2, 100, 100):
                two.settimeout(0.01)
                try:
                    data, control, flags, _ = two.recvmsg(size, socket.CMSG_SPACE(40))
                except TimeoutError:
                    story.append("nothing")
                    continue
                for fd in numbers(control):
                    os.close(fd)
                story.append((data, len(control), flags))
        return story

    both(program)


def test_room_for_fewer_than_came():
    def program():
        story: list[object] = []
        for room in (0, 1, socket.CMSG_LEN(0), socket.CMSG_LEN(4), socket.CMSG_SPACE(4), socket.CMSG_LEN(8), 100):
            one, two = socket.socketpair()
            with one, two:
                socket.send_fds(one, [b"x"], [one.fileno()] * 3)
                data, control, flags, _ = two.recvmsg(10, room)
                found = numbers(control)
                for fd in found:
                    os.close(fd)
                story.append((data, len(found), flags))
        return story

    both(program)


def test_nobody_takes_them():
    def program():
        reader, writer = os.pipe()
        one, two = socket.socketpair()
        with one, two:
            for _ in range(2):
                socket.send_fds(one, [b"x"], [writer])
            os.close(writer)
            two.recv(1)
            os.set_blocking(reader, False)
            story = [told(os.read, reader, 1)]
        story.append(told(os.read, reader, 1))
        os.close(reader)
        return story

    both(program)


def test_peeking_at_them():
    def program():
        one, two = socket.socketpair()
        with one, two:
            socket.send_fds(one, [b"x"], [one.fileno()])
            story: list[object] = []
            for flags in (socket.MSG_PEEK, 0):
                fds = numbers(two.recvmsg(10, socket.CMSG_SPACE(4), flags)[1])
                story.append(len(fds))
                with socket.socket(fileno=fds[0]) as copy:
                    copy.send(b"y")
            return [*story, two.recv(10)]

    assert both(program) == [1, 1, b"yy"]


def test_errors_of_sending_them():
    def program():
        one, two = socket.socketpair()
        with one, two:
            return [
                told(one.sendmsg, [b"x"], [(*RIGHTS, array.array("i", [-5]))]),
                told(one.sendmsg, [b"x"], [(*RIGHTS, array.array("i", [one.fileno()] * 254))]),
                told(one.sendmsg, [b"x"], [(*RIGHTS, b"")]),
                two.recvmsg(10, 100),
            ]

    both(program)


def test_dup2():
    def program():
        one, two = socket.socketpair()
        reader, writer = os.pipe()
        with one, two:
            story: list[object] = [os.dup2(one.fileno(), writer) == writer]  # the pipe's end is closed by it
            story += [os.read(reader, 10), os.write(writer, b"hello"), two.recv(10)]
            story += [os.dup2(writer, writer) == writer, os.get_inheritable(writer)]
            os.dup2(one.fileno(), writer, inheritable=False)
            story += [os.get_inheritable(writer), told(os.dup2, 1_000_000_000, writer).split(":")[0][:16]]
            os.close(writer)
            os.close(reader)
            one.close()
            story.append(two.recv(10))
            return story

    both(program)


def test_file_objects():
    def program():
        story: list[object] = []
        reader, writer = os.pipe()
        with os.fdopen(writer, "w", encoding="utf-8") as out, os.fdopen(reader, encoding="utf-8", newline="\n") as back:
            print("hällo", file=out)
            print("wörld", file=out, flush=True)
            story += [back.readline(), back.readline(), out.mode, back.mode, out.fileno() == writer, back.isatty()]
            story += [back.seekable(), back.readable(), back.writable(), told(back.write, "x"), out.name == writer]
        story += [told(os.read, reader, 1), told(back.readline)]
        one, two = socket.socketpair()
        with one, two:
            with open(one.fileno(), "wb", buffering=0, closefd=False) as raw:
                story += [raw.write(b"raw"), two.recv(10)]
            with open(two.fileno(), "rb", closefd=False) as buffered:
                one.send(b"line\nmore")
                story += [buffered.readline(), buffered.read(4)]
            rest = (None, None, None, False)
            story += [told(open, one.fileno(), "r+b", -1, *rest), told(open, one.fileno(), "w", 0, *rest)]
            two.setblocking(False)
            with open(two.fileno(), "rb", buffering=0, closefd=False) as raw:
                story += [raw.read(1)]
        return story

    both(program)


def test_a_file_object_waits_in_virtual_time():
    import time

    def program():
        reader, writer = os.pipe()
        with os.fdopen(reader) as back:

            def late():
                with os.fdopen(writer, "w") as out:
                    out.write("late\n")

            threading.Timer(1000, late).start()
            return back.read(), time.monotonic()

    assert run(Network(seed=1).host("a"), program) == ("late\n", 101_000)


def test_splice_from_socket_to_socket():
    def program():
        one, two = socket.socketpair()
        left, right = socket.socketpair()
        reader, writer = os.pipe()
        with one, two, left, right:
            one.sendall(b"spliced")
            story = [os.splice(two.fileno(), writer, 100), os.splice(reader, left.fileno(), 100), right.recv(100)]
            story.append(told(os.splice, two.fileno(), left.fileno(), 10))
            os.close(reader)
            os.close(writer)
            return story

    assert both(program)[2] == b"spliced"


def test_splice_waits_until_the_pipe_has_room():
    def program():
        one, two = socket.socketpair()
        reader, writer = os.pipe()
        with one, two:
            os.set_blocking(writer, False)
            full = os.write(writer, bytes(1_000_000))
            os.set_blocking(writer, True)
            one.sendall(b"behind")
            threading.Timer(0.05, os.read, (reader, full)).start()
            story = [os.splice(two.fileno(), writer, 100), os.read(reader, 100)]
            os.close(reader)
            os.close(writer)
            return story

    assert both(program) == [6, b"behind"]


def test_polling_a_file_that_was_closed():
    def program():
        with tempfile.TemporaryFile() as file:
            poll = select.poll()
            poll.register(file)
            number = file.fileno()
            before = [(found == number, bits) for found, bits in poll.poll()]
        return before, [(found == number, bits) for found, bits in poll.poll(0)]

    both(program)


def test_any_time_below_zero_is_for_ever():
    def program():
        reader, writer = os.pipe()
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        story = []
        for milliseconds in (-1, -0.1, -1e-100):
            threading.Timer(0.01, os.write, (writer, b"x")).start()
            story += [len(poll.poll(milliseconds)), os.read(reader, 10)]
        os.close(reader)
        os.close(writer)
        return story

    assert both(program) == [1, b"x"] * 3
