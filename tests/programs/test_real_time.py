"""Programs in real time, over a drive: our sockets and the operating system's files side by side. Each wait is short
and ends by what it waits for; the bounds are for a machine that is broken."""

from __future__ import annotations

import _socket
import asyncio
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

import pytest

import netglass
from netglass.drive import Drive, DriveHost

PATIENCE = 30.0  # s


@pytest.fixture
def host() -> Iterator[DriveHost]:
    with Drive(seed=1) as drive:
        yield drive.host("machine")


def listener(port: int = 7000) -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", port))
    made.listen()
    return made


def test_clocks_are_the_machines_and_sleep_takes_its_time(host: DriveHost):
    before = time.monotonic()

    def sleep() -> tuple[float, float]:
        begin = time.monotonic()
        time.sleep(0.02)
        return begin, time.monotonic()

    begin, end = netglass.run(host, sleep)
    assert before <= begin
    assert end - begin >= 0.02
    assert end <= time.monotonic()


def test_threads_talk_over_our_loopback(host: DriveHost):
    def talk() -> bytes:
        server = listener()

        def echo() -> None:
            connection, _ = server.accept()
            connection.sendall(connection.recv(100).upper())
            connection.close()

        thread = threading.Thread(target=echo)
        thread.start()
        with socket.create_connection(("127.0.0.1", 7000)) as client:
            client.sendall(b"hello")
            answer = client.recv(100)
        thread.join()
        server.close()
        return answer

    assert netglass.run(host, talk) == b"HELLO"


@pytest.mark.parametrize("wait", ["epoll", "poll", "select"])
def test_one_call_waits_for_ours_and_for_the_kernels(host: DriveHost, wait: str):
    theirs, far = _socket.socketpair()

    def ready(numbers: list[int]) -> list[int]:
        if wait == "select":
            return [int(number) for number in select.select(numbers, [], [], PATIENCE)[0]]
        asking: Any = select.epoll() if wait == "epoll" else select.poll()
        for number in numbers:
            asking.register(number, select.POLLIN)
        found = asking.poll(PATIENCE if wait == "epoll" else PATIENCE * 1000)
        if wait == "epoll":
            asking.close()
        return [number for number, _ in found]

    def watch() -> tuple[list[int], list[int], list[int]]:
        ours = listener()
        numbers = [theirs.fileno(), ours.fileno()]

        def knock() -> None:
            far.send(b"x")
            time.sleep(0.02)
            socket.create_connection(("127.0.0.1", 7000)).close()

        thread = threading.Thread(target=knock)
        thread.start()
        first = ready(numbers)
        assert theirs.recv(1) == b"x"
        second = ready(numbers)
        thread.join()
        ours.close()
        return numbers, first, second

    numbers, first, second = netglass.run(host, watch)
    assert first == [numbers[0]]
    assert second == [numbers[1]]
    theirs.close()
    far.close()


def test_a_level_is_told_again_and_a_closed_file_leaves(host: DriveHost):
    read_end, write_end = os.pipe()

    def watch() -> list[list[tuple[int, int]]]:
        asking = select.epoll()
        asking.register(read_end, select.EPOLLIN)
        quiet = asking.poll(0)
        os.write(write_end, b"xy")
        told = [asking.poll(PATIENCE), asking.poll(0)]
        os.read(read_end, 2)
        told.append(asking.poll(0))
        os.write(write_end, b"z")
        told.append(asking.poll(PATIENCE))
        os.close(read_end)
        told.append(asking.poll(0))
        asking.close()
        return [quiet, *told]

    readable = [(read_end, select.EPOLLIN)]
    assert netglass.run(host, watch) == [[], readable, readable, [], readable, []]
    os.close(write_end)


def test_asyncio_reads_a_pipe_of_the_kernel_beside_a_server_of_ours(host: DriveHost):
    theirs, far = _socket.socketpair()
    theirs.setblocking(False)

    async def main() -> tuple[bytes, bytes]:
        async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read(100)).upper())
            writer.close()

        server = await asyncio.start_server(upper, "127.0.0.1", 7000)
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(theirs.fileno(), lambda: heard.set_result(theirs.recv(10)))
        reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
        writer.write(b"ours")
        ours = await reader.read()
        far.send(b"theirs")
        found = await heard
        asyncio.get_running_loop().remove_reader(theirs.fileno())
        writer.close()
        server.close()
        return ours, found

    assert netglass.run(host, asyncio.run, main()) == (b"OURS", b"theirs")
    theirs.close()
    far.close()


def test_who_never_waits_does_not_keep_the_network_waiting(host: DriveHost):
    def spin() -> int:
        server = listener()
        client = socket.create_connection(("127.0.0.1", 7000))
        connection, _ = server.accept()
        connection.setblocking(False)
        threading.Timer(0.02, client.sendall, (b"at last",)).start()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                size = len(connection.recv(100))
                break
            except BlockingIOError:
                continue
        for each in (server, client, connection):
            each.close()
        return size

    assert netglass.run(host, spin) == 7


def test_a_fork_is_refused_and_a_socket_of_the_kernel_is_not(host: DriveHost):
    def leave() -> str:
        _socket.socket().close()
        try:
            os.fork()
        except Exception as error:
            return str(error)
        return ""

    assert netglass.run(host, leave).startswith("os.fork")


# -- child processes


def test_who_waits_for_a_child_lets_the_others_run(host: DriveHost):
    def wait() -> tuple[int, int]:
        ticks = 0

        def tick(stdin: IO[bytes]) -> None:
            nonlocal ticks
            for _ in range(3):
                time.sleep(0.01)
                ticks += 1
            stdin.close()

        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        assert child.stdin is not None
        thread = threading.Thread(target=tick, args=(child.stdin,))
        thread.start()
        code = child.wait()
        seen = ticks
        thread.join()
        return code, seen

    assert netglass.run(host, wait) == (0, 3)


def test_a_child_is_talked_to_blocking_and_async(host: DriveHost):
    async def through_cat() -> bytes:
        child = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return (await child.communicate(b"async"))[0]

    def talk() -> tuple[bytes, bytes]:
        blocking = subprocess.run(["cat"], input=b"blocking", capture_output=True, check=True)
        return blocking.stdout, asyncio.run(through_cat())

    assert netglass.run(host, talk) == (b"blocking", b"async")


def test_who_reads_a_pipe_lets_the_others_run(host: DriveHost):
    read_end, write_end = os.pipe()

    def read() -> bytes:
        threading.Timer(0.02, os.write, (write_end, b"late")).start()
        return os.read(read_end, 10)

    assert netglass.run(host, read) == b"late"
    os.close(read_end)
    os.close(write_end)
