"""What modules, classes and their instances made before the run works in it, and after it."""

import queue
import threading
import time

import pytest

import netglass
from netglass import Network

LOCK = threading.Lock()
SHARED = threading.Condition(LOCK)
CONDITION = threading.Condition()
EVENT = threading.Event()
SEMAPHORE = threading.BoundedSemaphore(1)
BARRIER = threading.Barrier(2)
QUEUE: queue.Queue[float] = queue.PriorityQueue(1)
SIMPLE: queue.SimpleQueue[str] = queue.SimpleQueue()


class Pool:
    lock = threading.RLock()

    def __init__(self):
        self.free = threading.Semaphore(1)


POOL = Pool()


def run(main):
    return netglass.run(Network(seed=1).host("a"), main)


def held_for_three_seconds(lock):
    """When a second thread gets what a first has for three seconds, and waits for something meanwhile."""

    def holder():
        with lock:
            time.sleep(3)

    began = time.monotonic()
    threading.Thread(target=holder).start()
    time.sleep(1)
    with lock:
        return time.monotonic() - began


@pytest.mark.parametrize(
    "lock",
    [lambda: LOCK, lambda: CONDITION, lambda: SHARED, lambda: SEMAPHORE, lambda: Pool.lock, lambda: POOL.free],
    ids=["lock", "condition", "shared", "semaphore", "of a class", "of an instance"],
)
def test_who_waits_does_so_in_virtual_time(lock):
    assert run(lambda: held_for_three_seconds(lock())) == 3.0


def test_a_condition_and_its_lock_stay_together():
    def main():
        with LOCK:
            SHARED.notify_all()
            return SHARED.wait(5), time.monotonic()

    assert run(main) == (False, 100_005)


def test_an_event():
    def main():
        threading.Timer(7, EVENT.set).start()
        return EVENT.wait(), time.monotonic()

    assert run(main) == (True, 100_007)
    assert EVENT.is_set()
    EVENT.clear()


def test_a_barrier():
    def main():
        threading.Timer(7, BARRIER.wait).start()
        BARRIER.wait()
        return time.monotonic()

    assert run(main) == 100_007


def test_queues():
    def main():
        def worker():
            for _ in range(3):
                QUEUE.put(time.monotonic())
            SIMPLE.put("done")

        threading.Thread(target=worker).start()
        found = []
        for _ in range(3):
            time.sleep(1)
            found.append(QUEUE.get())
        return found, SIMPLE.get()

    assert run(main) == ([100_000, 100_000, 100_001], "done")


def test_they_are_as_before_after_the_run():
    before = [LOCK, CONDITION._lock, EVENT._cond, SEMAPHORE._cond, BARRIER._cond, QUEUE.mutex, SIMPLE, Pool.lock]  # type: ignore[attr-defined]
    run(lambda: QUEUE.put(1.5))
    after = [LOCK, CONDITION._lock, EVENT._cond, SEMAPHORE._cond, BARRIER._cond, QUEUE.mutex, SIMPLE, Pool.lock]  # type: ignore[attr-defined]
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert QUEUE.get(timeout=1) == 1.5


def test_one_that_a_thread_outside_waits_for_still_reaches_it():
    heard = []
    thread = threading.Thread(target=lambda: heard.append(QUEUE.get()))
    thread.start()
    real_join = thread.join
    run(lambda: QUEUE.put(2.5))
    real_join(10)
    assert heard == [2.5]
