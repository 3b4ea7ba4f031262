"""The end of a run: whom it waits for, and that those whom it stops are quiet."""

import asyncio
import logging
import queue
import socket
import socketserver
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

import netglass
from netglass import Network

LOGGED = logging.getLogger("a program")


def run_beside(server, main=lambda: time.sleep(1)):
    """`main`, with `server` as a daemon on another host."""
    net = Network(seed=1)
    netglass.spawn(net.host("server"), server, daemon=True)
    result = netglass.run(net.host("client"), main)
    return net, result


@pytest.fixture
def shown(capsys, monkeypatch):
    """What is written to stderr until this is called, log records and errors of threads included."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    handler: logging.Handler = getattr(logging, "_StderrHandler")(logging.WARNING)  # noqa: B009 - not in the stubs
    logging.getLogger().addHandler(handler)
    yield lambda: capsys.readouterr().err
    logging.getLogger().removeHandler(handler)


# -- quiet


def test_a_pool_that_nobody_shut_down(shown):
    def serve():
        pool = ThreadPoolExecutor(2)
        pool.submit(time.sleep, 0.1).result()
        pool.submit(time.sleep, 1000)
        threading.Event().wait()

    run_beside(serve)
    assert shown() == ""


def test_a_loop_whose_tasks_nobody_cancels(shown):
    async def work():
        await asyncio.sleep(1000)

    async def serve():
        await asyncio.start_server(lambda reader, writer: None, port=80)
        task = asyncio.create_task(work())
        await asyncio.gather(work(), task)

    def main():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(serve())

    run_beside(main)
    assert shown() == ""


def test_a_worker_that_tells_whatever_ends_it(shown):
    jobs: queue.Queue[object] = queue.Queue()

    def work():
        try:
            jobs.get()
        except BaseException:
            traceback.print_exc()
            LOGGED.critical("a worker died", exc_info=True)
            raise

    def serve():
        threading.Thread(target=work).start()
        threading.Event().wait()

    run_beside(serve)
    assert shown() == ""


def test_a_program_that_logs_what_ends_it(shown):
    def serve():
        try:
            threading.Event().wait()
        except BaseException:
            LOGGED.exception("ended")
            raise

    run_beside(serve)
    assert shown() == ""


# -- not quiet


def test_errors_before_the_end_are_shown(shown):
    def serve():
        threading.Thread(target=lambda: 1 / 0).start()
        LOGGED.error("something is wrong")
        threading.Event().wait()

    run_beside(serve)
    text = shown()
    assert "ZeroDivisionError" in text
    assert "something is wrong" in text


def test_what_a_program_says_when_it_ends_in_order_is_shown(shown):
    def serve():
        try:
            threading.Event().wait()
        finally:
            LOGGED.warning("closing")
            try:
                raise LookupError("the file is gone")
            except LookupError:
                LOGGED.exception("not saved")

    run_beside(serve)
    text = shown()
    assert "closing" in text
    assert "LookupError: the file is gone" in text


def test_log_records_and_warnings_are_as_before_after_the_run(shown):
    run_beside(threading.Event().wait)
    LOGGED.warning("after")
    print("the end", file=sys.stderr)
    text = shown()
    assert text.endswith("after\nthe end\n")


# -- in order


def test_a_program_ends_before_its_threads_are_stopped():
    story = []
    jobs: queue.Queue[object] = queue.Queue()

    def work():
        try:
            while jobs.get() is not None:
                pass
            story.append("the worker was told")
        finally:
            story.append("the worker ended")

    def serve():
        worker = threading.Thread(target=work)
        worker.start()
        try:
            threading.Event().wait()
        finally:
            jobs.put(None)
            worker.join()
            story.append("the program ended")

    run_beside(serve)
    assert story == ["the worker was told", "the worker ended", "the program ended"]


# -- whom a run waits for


def test_threads_of_a_daemon_program_do_not_keep_the_run_waiting():
    class Echo(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = False

    def serve():
        with Server(("", 80), Echo) as server:
            server.serve_forever()

    def ask():
        with socket.create_connection(("server", 80)) as connection:
            connection.sendall(b"hello\n")
            said = connection.recv(100)
            kept.append(connection.dup())  # so that the server's thread goes on waiting
            return said

    kept = []
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    netglass.spawn(server, serve, daemon=True)
    assert netglass.run(client, ask) == b"hello\n"
    assert net.now() < 2_000_000_000


def test_threads_of_other_programs_do():
    ended = []

    def program():
        threading.Thread(target=work).start()

    def work():
        time.sleep(5)
        ended.append("thread")

    net = Network(seed=1)
    netglass.spawn(net.host("server"), program)
    netglass.run(net.host("client"), lambda: None)
    assert ended == ["thread"]


def test_idle_threads_of_a_pool_end_with_their_program():
    def program():
        time.sleep(1)
        ThreadPoolExecutor(2).submit(time.sleep, 1)

    net = Network(seed=1)
    netglass.spawn(net.host("server"), program)
    netglass.run(net.host("client"), lambda: None)
    assert net.now() == 2_000_000_000


def test_the_error_of_a_program_with_an_idle_pool_is_raised():
    def program():
        ThreadPoolExecutor(2).submit(time.sleep, 1).result()
        raise LookupError("lost")

    net = Network(seed=1)
    netglass.spawn(net.host("server"), program)
    with pytest.raises(LookupError, match="lost"):
        netglass.run(net.host("client"), lambda: None)


def test_a_pool_that_ends_does_not_end_those_of_other_programs():
    done: list[float] = []

    def serve():
        pool = ThreadPoolExecutor(2)
        while True:
            pool.submit(done.append, time.monotonic()).result()
            time.sleep(0.5)

    def main():
        pool = ThreadPoolExecutor(1)
        pool.submit(time.sleep, 2)

    run_beside(serve, main)
    assert len(done) == 5
