"""Nobody can go on: found at once, and told so that one sees why."""

import queue
import subprocess
import sys
import threading
import time

import pytest

import netglass
from netglass import Deadlock, Hung, Network


def lab():
    return Network(seed=1).host("a")


def report_of(main, *args):
    with pytest.raises(Deadlock) as caught:
        netglass.run(lab(), main, *args)
    return str(caught.value)


def cross(first, second):
    """Two threads that take two locks in opposite orders."""

    def one():
        with first:
            time.sleep(1)
            with second:
                pass

    def two():
        with second:
            time.sleep(1)
            with first:
                pass

    threads = [threading.Thread(target=call, name=call.__name__) for call in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_cycle(text):
    assert "2 tasks wait for each other" in text
    assert "one holds" in text
    assert "two holds" in text
    assert "held by one; at test_deadlock.py" in text
    for condition in ("mutual exclusion", "hold and wait", "no preemption", "circular wait"):
        assert condition in text


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_two_locks_in_opposite_orders(kind):
    check_cycle(report_of(lambda: cross(getattr(threading, kind)(), getattr(threading, kind)())))


def test_a_cycle_is_found_at_once_even_if_others_go_on():
    net = Network(seed=1)

    def main():
        def busy():
            while True:
                time.sleep(1)

        threading.Thread(target=busy, daemon=True).start()
        cross(threading.Lock(), threading.Lock())

    with pytest.raises(Deadlock) as caught:
        netglass.run(net.host("a"), main)
    check_cycle(str(caught.value))
    assert "main on a waits for the end of one" in str(caught.value)
    assert net.now() < 2 * 10**9


def test_a_thread_that_waits_for_itself():
    def main():
        lock = threading.Lock()
        with lock, lock:
            pass

    text = report_of(main)
    assert "one task waits for itself: main -> main" in text
    assert "which it holds itself" in text


def test_joining_somebody_who_waits_for_my_lock():
    def main():
        lock = threading.Lock()

        def other():
            with lock:
                pass

        thread = threading.Thread(target=other, name="other")
        with lock:
            thread.start()
            thread.join()

    text = report_of(main)
    assert "circular wait     " in text
    assert "main on a waits for the end of other" in text


def test_a_limit_on_one_wait_breaks_the_circle():
    def main():
        first, second, seen = threading.Lock(), threading.Lock(), []

        def one():
            with first:
                time.sleep(1)
                if second.acquire(timeout=5):
                    second.release()
                else:
                    seen.append("gave up")

        def two():
            with second:
                time.sleep(1)
                with first:
                    seen.append("went on")

        threads = [threading.Thread(target=call) for call in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen

    assert netglass.run(lab(), main) == ["gave up", "went on"]


def test_nobody_will_ever_put_anything_into_the_queue():
    def main():
        items: queue.Queue[int] = queue.Queue()
        threading.Thread(target=items.get, name="getter", daemon=True).start()
        items.get()

    text = report_of(main)
    assert "nothing is left to happen" in text
    assert "main on a waits to be notified" in text
    assert "getter on a" in text
    assert "circular" not in text


def test_a_lock_whose_holder_has_ended():
    def main():
        lock = threading.Lock()
        thread = threading.Thread(target=lock.acquire, name="careless")
        thread.start()
        thread.join()
        lock.acquire()

    assert "held by careless, which has ended" in report_of(main)


def test_a_server_that_is_no_daemon_is_explained():
    net = Network(seed=1)
    host = net.host("a")
    netglass.spawn(host, threading.Event().wait, name="server")
    with pytest.raises(Deadlock, match="daemon=True"):
        netglass.run(host, lambda: None)


def test_a_lock_used_as_a_signal_is_no_deadlock():
    def main():
        signal = threading.Lock()
        signal.acquire()
        threading.Timer(3, signal.release).start()
        signal.acquire()
        return time.monotonic()

    assert netglass.run(lab(), main) == 100003


def test_a_busy_loop_is_ended_by_the_watchdog(capsys):
    def main():
        while True:
            pass

    with pytest.raises(Hung, match=r"test_deadlock\.py"):
        netglass.run(lab(), main, limit=0.5)
    assert "main on a runs" in capsys.readouterr().err


def test_a_busy_loop_in_another_thread_is_ended_by_the_watchdog(capsys):
    def main():
        def loop():
            while True:
                pass

        thread = threading.Thread(target=loop, name="loop")
        thread.start()
        thread.join()

    with pytest.raises(Hung, match="loop on a runs"):
        netglass.run(lab(), main, limit=0.5)
    assert "loop on a runs" in capsys.readouterr().err


def test_a_world_that_never_rests_is_ended_by_the_watchdog(capsys):
    net = Network(seed=1)

    def again():
        net.after("1 s", again)

    again()
    with pytest.raises(Hung, match="main on a waits for"):
        netglass.run(net.host("a"), lambda: threading.Event().wait(), limit=0.5)


AFTER_A_BITE = """
import sys, netglass
def busy():
    while True:
        pass
def idle():
    pass
try:
    netglass.run(netglass.Network(seed=1).host("a"), busy, limit=0.25)
except netglass.NetglassError:
    sys.setprofile(lambda *_: None)
    idle()
    sys.setprofile(None)
    print("went on")
"""


def test_a_debugger_works_after_the_watchdog_has_bitten():
    done = subprocess.run([sys.executable, "-c", AFTER_A_BITE], capture_output=True, text=True, timeout=30)
    assert done.stdout == "went on\n"
