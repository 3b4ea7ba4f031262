"""A run as a whole: its programs, what it replaces and puts back, and that it is the same every time."""

import _thread
import asyncio
import errno
import gc
import importlib
import os
import queue
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

import netglass
from netglass import MisuseError, Network


def lab():
    return Network(seed=1).host("a")


# -- programs


def test_the_result_and_the_arguments():
    assert netglass.run(lab(), lambda a, b: a + b, 3, 4) == 7


@pytest.mark.parametrize("start", [netglass.run, netglass.spawn])
def test_a_program_needs_a_host(start):
    with pytest.raises(MisuseError, match=r"runs on a host, such as client = Network.*this is 'client'"):
        start("client", print)


def test_a_name_that_nobody_has_is_told_who_there_is():
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.host("island")
    net.cable(client, server)

    def notes(host):
        with pytest.raises(OSError) as caught:
            socket.create_connection((host, 80))
        return type(caught.value), caught.value.errno, getattr(caught.value, "__notes__", [])

    def programs():
        return notes("sever"), notes("island")

    unknown, lonely = netglass.run(client, programs)
    names = "client, server, island"
    assert unknown == (socket.gaierror, socket.EAI_NONAME, [f"no host is called 'sever'; there are {names}"])
    assert lonely == (socket.gaierror, socket.EAI_NONAME, ["'island' has no address yet: no cable leads to it"])


def test_a_host_without_a_cable_is_told_so():
    def main():
        with pytest.raises(OSError) as caught:
            socket.create_connection(("192.0.2.1", 80))
        return caught.value.errno, caught.value.__notes__

    assert netglass.run(lab(), main) == (errno.ENETUNREACH, ["a has no address: no cable leads to it"])


def test_an_error_of_main_is_raised_as_it_is():
    def main():
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        netglass.run(lab(), main)


def test_programs_on_two_hosts():
    net = Network(seed=1)
    one, two = net.host("one"), net.host("two")
    names = []

    def program():
        time.sleep(1)
        names.append(netglass_host())

    task = netglass.spawn(two, program)
    netglass.run(one, program)
    assert names == ["one", "two"]
    assert task.done


def netglass_host():
    from netglass.programs import current

    kernel = current.kernel()
    assert kernel is not None
    return kernel.host().name


def test_threads_run_on_the_host_of_whoever_started_them():
    net = Network(seed=1)
    one, two = net.host("one"), net.host("two")
    names = []

    def program():
        thread = threading.Thread(target=lambda: names.append(netglass_host()))
        thread.start()
        thread.join()

    netglass.spawn(two, program)
    netglass.run(one, program)
    assert sorted(names) == ["one", "two"]


def test_spawning_in_a_run_and_waiting_for_the_result():
    net = Network(seed=1)
    one, two = net.host("one"), net.host("two")

    def main():
        task = netglass.spawn(two, netglass_host)
        return task.wait(), netglass.run(two, netglass_host)

    assert netglass.run(one, main) == ("two", "two")


def test_the_error_of_a_program_is_raised_at_the_end():
    host = lab()
    netglass.spawn(host, lambda: 1 / 0, name="divider")
    ended: list[str] = []
    with pytest.raises(ZeroDivisionError):
        netglass.run(host, lambda: ended.append("main"))
    assert ended == ["main"]


def test_an_error_of_main_mentions_those_of_the_others():
    host = lab()
    netglass.spawn(host, lambda: 1 / 0, name="divider")

    def main():
        time.sleep(1)
        raise LookupError("lost")

    with pytest.raises(LookupError) as caught:
        netglass.run(host, main)
    assert caught.value.__notes__ == ["divider on a had failed before: ZeroDivisionError('division by zero')"]


def test_whoever_waits_for_a_program_gets_its_error_alone():
    host = lab()

    def main():
        task = netglass.spawn(host, lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            task.wait()
        return "fine"

    assert netglass.run(host, main) == "fine"


def test_hosts_of_two_networks_do_not_mix():
    other = Network(seed=1).host("other")
    with pytest.raises(MisuseError, match="another network"):
        netglass.run(lab(), lambda: netglass.spawn(other, print))


def test_an_error_in_the_world_reaches_main():
    net = Network(seed=1)
    net.at("1 s", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        netglass.run(net.host("a"), lambda: time.sleep(5))


def test_ctrl_c_while_another_thread_runs_reaches_main():
    def main():
        def interrupt():
            time.sleep(1)
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)

        threading.Thread(target=interrupt).start()
        time.sleep(10)

    # A shell that starts tests in the background has SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            netglass.run(lab(), main)
    finally:
        signal.signal(signal.SIGINT, before)


# -- what it replaces


def places():
    modules = [time, threading, _thread, queue, signal, os, random, socket, uuid, *STDLIB]
    return {(module.__name__, name): id(value) for module in modules for name, value in vars(module).items()}


STDLIB = [sys.modules[name] for name in ("subprocess", "selectors", "secrets") if name in sys.modules]


@pytest.mark.parametrize("end", ["well", "badly", "in a deadlock"])
def test_everything_is_put_back(end):
    def main():
        time.sleep(1)
        if end == "badly":
            raise LookupError
        if end == "in a deadlock":
            threading.Event().wait()

    netglass.run(lab(), lambda: None)  # what is imported for the first time stays
    before = places()
    state = random.getstate()
    cpus = os.sched_getaffinity(0)
    try:
        netglass.run(lab(), main)
    except (LookupError, RuntimeError):
        assert end != "well"
    after = places()
    assert [key for key in before if after.get(key) != before[key]] == []
    assert random.getstate() == state
    assert os.sched_getaffinity(0) == cpus


def test_a_module_imported_in_a_run_has_the_real_things_after_it(tmp_path, monkeypatch):
    (tmp_path / "imported_late.py").write_text("from time import monotonic\nfrom threading import Lock\nimport time\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def main():
        late = importlib.import_module("imported_late")
        time.sleep(5)
        return late.monotonic()

    assert netglass.run(lab(), main) == 100005
    module = sys.modules.pop("imported_late")
    assert module.monotonic is time.monotonic
    assert module.Lock is threading.Lock


HELD_BEFORE = """
import functools, socket, time

def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

def later(method):
    def wrapper(self, *args):
        return method(self.sock, *args)
    return wrapper

class Wrapped:
    recv = later(socket.socket.recv)
    send = staticmethod(logged(logged(socket.socket.send)))
    def __init__(self, sock):
        self.sock = sock

now = logged(time.monotonic)
"""


def test_what_functions_have_closed_over_is_found(tmp_path, monkeypatch):
    (tmp_path / "held_before.py").write_text(HELD_BEFORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    held = importlib.import_module("held_before")

    def main():
        time.sleep(5)
        one, two = socket.socketpair()
        with one, two:
            held.Wrapped.send(one, b"hello")
            return held.now(), held.Wrapped(two).recv(100)

    try:
        for _ in range(2):
            assert netglass.run(lab(), main) == (100005, b"hello")
            assert held.Wrapped.recv.__closure__[0].cell_contents is socket.socket.recv
            assert abs(held.now() - time.monotonic()) < 100
            assert "netglass" not in repr(socket.socket.recv)
    finally:
        del sys.modules["held_before"]


def test_what_the_program_replaced_itself_stays():
    def main():
        time.sleep = stand_in

    def stand_in(seconds):
        pass

    real = time.sleep
    try:
        netglass.run(lab(), main)
        assert time.sleep is stand_in
    finally:
        time.sleep = real


def test_threads_outside_the_run_have_real_time():
    seen = []
    go, went = threading.Event(), threading.Event()

    def outside():
        go.wait()
        began = time.monotonic()
        time.sleep(0.01)
        seen.append(time.monotonic() - began)
        went.set()

    thread = threading.Thread(target=outside)
    thread.start()
    real_join = thread.join

    def main():
        go.set()
        time.sleep(1000)

    netglass.run(lab(), main)
    real_join()
    assert 0.01 <= seen[0] < 5
    assert went.is_set()


def test_a_hundred_runs_leave_nothing_behind():
    def main():
        threads = [threading.Thread(target=time.sleep, args=(1,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        for thread in threads:
            thread.join()

    def counts():
        gc.collect()
        tasks = len(os.listdir("/proc/self/task"))
        return tasks, len(os.listdir("/proc/self/fd")), threading.active_count(), kernels()

    for _ in range(3):
        netglass.run(lab(), main)
    before = counts()
    for _ in range(100):
        netglass.run(lab(), main)
    assert counts() == before


def kernels():
    from netglass.programs.kernel import Kernel, Task

    return sum(isinstance(each, (Kernel, Task)) for each in gc.get_objects())


# -- the end of what still goes on


def test_a_server_of_asyncio_that_is_stopped_ends_in_order(capfd):
    ended = []

    async def work():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.5)
            ended.append("work")

    async def serve():
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1)
        task = asyncio.create_task(work())
        try:
            await task
        finally:
            ended.append("serve")

    net = Network(seed=1)
    netglass.spawn(net.host("server"), lambda: asyncio.run(serve()), daemon=True)
    netglass.run(net.host("client"), lambda: time.sleep(1))
    gc.collect()
    assert sorted(ended) == ["serve", "work"]
    assert net.now() == 1_500_000_000
    assert capfd.readouterr() == ("", "")


def test_who_does_not_end_in_a_second_is_ended():
    ended = []

    def stubborn():
        try:
            threading.Event().wait()
        finally:
            try:
                time.sleep(1000)
            finally:
                ended.append(time.monotonic())

    net = Network(seed=1)
    netglass.spawn(net.host("server"), stubborn, daemon=True)
    netglass.run(net.host("client"), lambda: time.sleep(1))
    assert ended == [100_002]


def test_a_thread_that_had_not_begun_does_not_begin_at_the_end():
    begun: list[int] = []
    netglass.run(lab(), lambda: _thread.start_new_thread(begun.append, (1,)))
    assert begun == []


# -- the same every time


def draws():
    time.sleep(random.random())
    drawn = [random.random(), random.Random().random(), os.urandom(8), secrets.token_hex(4)]
    return [*drawn, str(uuid.uuid4()), str(uuid.uuid1())]


def test_one_seed_one_randomness():
    first = netglass.run(lab(), draws)
    assert netglass.run(lab(), draws) == first
    assert netglass.run(lab(), draws, seed=5) != first
    assert netglass.run(Network(seed=2).host("a"), draws) != first


def test_randomness_outside_is_not_decided_by_a_run():
    netglass.run(lab(), draws)
    first = os.urandom(8)
    netglass.run(lab(), draws)
    assert os.urandom(8) != first


STORY = """
import random, threading, time, netglass
from netglass import Network
story = []
def main():
    lock = threading.Lock()
    def worker(name):
        for _ in range(20):
            time.sleep(random.random())
            with lock:
                story.append((name, time.monotonic_ns()))
                time.sleep(random.random() / 10)
    threads = [threading.Thread(target=worker, args=(n,)) for n in range(5)]
    [t.start() for t in threads]
    [t.join() for t in threads]
netglass.run(Network(seed=3).host("a"), main)
print(story)
"""


def test_two_processes_tell_the_same_story():
    stories = [
        subprocess.run(
            [sys.executable, "-c", STORY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(stories[0]) > 1000
    assert stories[0] == stories[1]
