"""The log of calls: who asked the machine for what, and slept in it how long."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from netglass import CallLog, Network, run, spawn
from netglass.programs.patches import Aliases
from netglass.trace import Recorder


def serve():
    with socket.create_server(("", 80)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                data = connection.recv(100)
                time.sleep(1)
                connection.sendall(data)


def ask():
    with socket.create_connection(("server", 80)) as sock:
        sock.sendall(b"hello")
        select.select([sock], [], [])
        sock.setblocking(False)
        answer = sock.recv(100)
        try:
            sock.recv(1)
        except BlockingIOError:
            sock.setblocking(True)
        return answer + sock.recv(1)


def logged(program, notes=()):
    """The log of `program` on a client, the trace, and what it returned."""
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    trace = Recorder()
    net.observe(trace)
    log = CallLog(notes)
    spawn(server, serve, daemon=True)
    return log, trace, run(client, program, calls=log)


def test_each_call_says_what_came_of_it_and_how_long_the_thread_slept():
    log, _, answer = logged(ask)
    assert answer == b"hello"
    assert [(str(each), each.slept // 1_000_000) for each in log.of(host="client")] == [
        ("connect() returns", 20),
        ("sendall(server) returns 5 bytes", 0),
        ("select() returns server", 1020),
        ("setblocking() returns", 0),
        ("recv(server) returns 5 bytes", 0),
        ("recv(server): EAGAIN", 0),
        ("setblocking() returns", 0),
        ("recv(server) returns 0 bytes", 0),
        ("close(server) returns", 0),
    ]
    assert [each.slept for each in log.of("sleep", host="server")] == [1_000_000_000]
    assert [each.error for each in log.of("accept")] == ["", "Stopped"]  # the run ended
    assert "sendall(server) returns 5 bytes  fd 3\n" in log.text()


def test_the_network_is_told_when_a_thread_falls_asleep_and_what_a_call_came_to():
    _, trace, _ = logged(ask, notes=["client"])
    found = [(note.time // 1_000_000, note.text) for note in trace.notes("client")]
    assert found[:4] == [
        (0, "connect() sleeps"),
        (20, "connect() returns"),
        (20, "sendall(server) returns 5 bytes"),
        (20, "select() sleeps"),
    ]
    assert not trace.notes("server")


def test_without_notes_the_network_is_told_nothing():
    assert not logged(ask)[1].notes()


def test_only_locks_that_must_be_waited_for_are_calls():
    def wait_for_a_lock():
        lock = threading.Lock()
        with lock:
            pass
        lock.acquire()
        threading.Timer(2, lock.release).start()
        lock.acquire()

    log, _, _ = logged(wait_for_a_lock)
    waits = log.of("lock", task="main")
    assert [each.slept for each in waits] == [0, 2_000_000_000]  # until the timer's thread has begun; and for the lock


def test_reading_a_file_is_a_call_on_a_descriptor_of_its_own(tmp_path):
    (tmp_path / "file").write_bytes(b"text")

    def read():
        with open(tmp_path / "file", "rb") as file:
            return os.read(file.fileno(), 100)

    log, _, text = logged(read)
    assert text == b"text"
    assert [(each.who, each.amount) for each in log.of("read")] == [("", 4)]


def test_afterwards_everything_is_as_it_was():
    before = socket.socket.recv, os.read, select.select, time.sleep
    logged(ask)
    assert before == (socket.socket.recv, os.read, select.select, time.sleep)


def test_the_log_changes_nothing():
    plain = Network(seed=1)
    client, server = plain.host("client"), plain.host("server")
    plain.cable(client, server, delay="10 ms")
    trace = Recorder()
    plain.observe(trace)
    spawn(server, serve, daemon=True)
    run(client, ask)
    assert trace.times() == logged(ask)[1].times()


def test_a_thread_that_was_woken_for_nothing_took_another_nap():
    def wait():
        with socket.create_server(("", 80)) as listener:
            listener.setblocking(False)

            def take():
                with select.epoll() as events:
                    events.register(listener, select.EPOLLIN)
                    events.poll(1)
                    with suppress(BlockingIOError):
                        listener.accept()[0].close()

            threads = [threading.Thread(target=take, name=name) for name in ("first", "second")]
            for thread in threads:
                thread.start()
            socket.create_connection(("localhost", 80)).close()
            for thread in threads:
                thread.join()

    log = CallLog()
    run(Network(seed=1).host("alone"), wait, calls=log)
    assert [(each.task, each.naps, len(each.ready)) for each in log.of("epoll.poll")] == [
        ("first", 2, 0),
        ("second", 1, 1),  # whoever came last is woken first
    ]


def test_what_is_asked_wrongly_fails_as_it_does_without_a_log():
    def ask_wrongly():
        told: list[Any] = []
        calls: list[Any] = [select.select, os.read, partial(select.select, iter(()), (), (), 0)]
        for call in calls:
            try:
                told.append(call())
            except TypeError:
                told.append("TypeError")
        return told

    assert run(Network(seed=1).host("alone"), ask_wrongly, calls=CallLog()) == ["TypeError", "TypeError", ([], [], [])]


def test_pipes_and_pairs_have_nobody_at_the_other_end():
    def talk():
        reader, writer = os.pipe()
        os.write(writer, b"1")
        select.select([reader], [], [])
        one, other = socket.socketpair()
        with one, other:
            one.sendall(os.read(reader, 1))
            return other.recv(1)

    log = CallLog()
    assert run(Network(seed=1).host("alone"), talk, calls=log) == b"1"
    assert [str(each) for each in log.of("select")] == [f"select() returns fd {log.of('read')[0].number % 2**20}"]
    assert {each.who for each in log.calls} == {""}


def test_one_log_after_another():
    first, second = CallLog(), CallLog()
    for log in (first, second):
        run(Network(seed=1).host("alone"), lambda: time.sleep(1), calls=log)
    run(Network(seed=1).host("alone"), lambda: time.sleep(1))
    assert [len(log.of("sleep")) for log in (first, second)] == [1, 1]


@pytest.mark.parametrize("logs", [(None, None), (CallLog(), CallLog())], ids=["without", "with"])
def test_a_second_run_searches_no_module_again(logs, monkeypatch):
    searched: list[str] = []

    def search(self, name, module):
        searched.append(name)
        return real(self, name, module)

    run(Network(seed=1).host("alone"), lambda: None, calls=logs[0])
    real = Aliases._search
    monkeypatch.setattr(Aliases, "_search", search)
    run(Network(seed=1).host("alone"), lambda: None, calls=logs[1])
    assert len(searched) < 5
