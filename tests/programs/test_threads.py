"""Threads, their locks, and what the standard library builds from these, in virtual time."""

import concurrent.futures
import contextlib
import queue
import threading
import time

import pytest

import netglass
from netglass import Network


def lab():
    return Network(seed=1).host("a")


def run(main, *args):
    return netglass.run(lab(), main, *args)


def now(began):
    return round(time.monotonic() - began, 6)


def test_sleepers_wake_in_the_order_of_their_times():
    def main():
        began, order = time.monotonic(), []

        def sleeper(length):
            time.sleep(length)
            order.append((length, now(began)))

        threads = [threading.Thread(target=sleeper, args=(length,)) for length in (3, 1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return order, [thread.is_alive() for thread in threads]

    assert run(main) == ([(1, 1.0), (2, 2.0), (3, 3.0)], [False] * 3)


def test_join_gives_up_in_time():
    def main():
        began = time.monotonic()
        thread = threading.Thread(target=time.sleep, args=(5,))
        thread.start()
        thread.join(2)
        alive = thread.is_alive()
        thread.join()
        return alive, now(began), thread.is_alive()

    assert run(main) == (True, 5.0, False)


def test_a_lock_that_is_held_is_waited_for():
    def main():
        began, lock = time.monotonic(), threading.Lock()

        def holder():
            with lock:
                time.sleep(3)

        threading.Thread(target=holder).start()
        time.sleep(0.001)
        seen = [lock.acquire(blocking=False), lock.acquire(timeout=1), now(began), lock.locked()]
        with lock:
            seen.append(now(began))
        return seen

    assert run(main) == [False, False, 1.001, True, 3.0]


def test_whoever_asked_first_gets_the_lock_first():
    def main():
        lock, order = threading.Lock(), []

        def taker(name):
            with lock:
                order.append(name)
                time.sleep(1)

        with lock:
            threads = [threading.Thread(target=taker, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            time.sleep(1)
        for thread in threads:
            thread.join()
        return "".join(order)

    assert run(main) == "abcd"


def test_locks_complain_as_ever():
    def main():
        lock, again = threading.Lock(), threading.RLock()
        with pytest.raises(RuntimeError, match="release unlocked lock"):
            lock.release()
        with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
            again.release()
        with pytest.raises(ValueError, match="non-blocking"):
            lock.acquire(False, 1)
        with pytest.raises(ValueError, match="non-negative"):
            lock.acquire(True, -2)
        with pytest.raises(OverflowError):
            lock.acquire(True, 1e20)
        assert repr(lock).startswith("<unlocked _thread.lock object at 0x")
        assert type(again).__module__ == "_thread"
        return True

    assert run(main)


def test_an_rlock_may_be_taken_again_by_its_owner_only():
    def main():
        lock = threading.RLock()
        seen: list[bool] = []

        def other():
            seen.append(lock.acquire(blocking=False))

        with lock, lock:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        other()
        lock.release()
        return seen

    assert run(main) == [False, True]


def test_a_condition_an_event_a_semaphore_and_a_barrier():
    def main():
        began = time.monotonic()
        seen: list[object] = []
        condition, event = threading.Condition(), threading.Event()
        semaphore, barrier = threading.Semaphore(2), threading.Barrier(3)

        def waiter():
            with condition:
                condition.wait_for(lambda: seen)
            event.wait()
            with semaphore:
                time.sleep(1)
            barrier.wait()

        threads = [threading.Thread(target=waiter) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        with condition:
            seen.append("told")
            condition.notify_all()
        seen.append((event.wait(2), now(began)))
        event.set()
        for thread in threads:
            thread.join()
        return seen, now(began)

    assert run(main) == (["told", (False, 3.0)], 5.0)


@pytest.mark.parametrize("kind", [queue.Queue, queue.LifoQueue, queue.PriorityQueue, lambda: queue.SimpleQueue()])
def test_a_queue(kind):
    def main():
        began, items = time.monotonic(), kind()
        with pytest.raises(queue.Empty):
            items.get(timeout=1)
        threading.Timer(4, items.put, ["late"]).start()
        return items.get(), now(began)

    assert run(main) == ("late", 5.0)


def test_a_full_queue():
    def main():
        began = time.monotonic()
        items: queue.Queue[int] = queue.Queue(maxsize=1)
        items.put(1)
        with pytest.raises(queue.Full):
            items.put(2, timeout=0.5)
        threading.Timer(1, items.get).start()
        items.put(2)
        return now(began)

    assert run(main) == 1.5


def test_a_pool():
    def main():
        began = time.monotonic()

        def work(number):
            time.sleep(1)
            return number * number

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            results = list(pool.map(work, range(6)))
        return results, now(began)

    assert run(main) == ([0, 1, 4, 9, 16, 25], 2.0)


def test_a_pool_that_nobody_shuts_down_does_not_hold_the_run_up():
    def main():
        pool = concurrent.futures.ThreadPoolExecutor(2)
        return pool.submit(lambda: 7).result()

    assert run(main) == 7
    assert run(main) == 7
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # and pools outside still work
        assert pool.submit(lambda: 8).result() == 8


def test_a_run_waits_for_its_threads_but_not_for_daemons():
    def main():
        def slow():
            time.sleep(10)
            ended.append("slow")

        def forever():
            try:
                threading.Event().wait()
            finally:
                ended.append("forever")

        threading.Thread(target=slow).start()
        threading.Thread(target=forever, daemon=True).start()

    ended: list[str] = []
    run(main)
    assert ended == ["slow", "forever"]


def test_a_daemon_that_catches_everything_is_left_behind():
    def main():
        def stubborn():
            while True:
                with contextlib.suppress(BaseException):
                    time.sleep(1)

        threading.Thread(target=stubborn, daemon=True).start()
        time.sleep(1)
        return "done"

    assert run(main) == "done"


def test_locals_of_threads_and_names():
    def main():
        mine, seen = threading.local(), []

        def worker():
            mine.value = threading.current_thread().name
            time.sleep(1)
            seen.append(mine.value)

        for name in ("x", "y"):
            threading.Thread(target=worker, name=name).start()
        time.sleep(2)
        return seen, hasattr(mine, "value"), threading.current_thread() is threading.main_thread()

    assert run(main) == (["x", "y"], False, True)


def test_a_thread_made_before_the_run_may_be_started_in_it():
    began: list[float] = []

    def sleeper():
        time.sleep(5)
        began.append(time.monotonic())

    thread = threading.Thread(target=sleeper)

    def main():
        start = time.monotonic()
        thread.start()
        thread.join()
        return began[0] - start

    assert run(main) == 5


LOCK_OF_A_MODULE = threading.Lock()


def test_a_lock_that_a_module_made_before_the_run_is_waited_for_in_virtual_time():
    def main():
        def holder():
            with LOCK_OF_A_MODULE:
                time.sleep(3)

        began = time.monotonic()
        threading.Thread(target=holder).start()
        time.sleep(1)
        with LOCK_OF_A_MODULE:
            return now(began)

    before = LOCK_OF_A_MODULE
    assert run(main) == 3.0
    assert LOCK_OF_A_MODULE is before


def test_a_lock_made_in_a_run_works_after_it():
    lock, again = run(lambda: (threading.Lock(), threading.RLock()))
    for each in (lock, again):
        with each:
            assert each.acquire(blocking=False) is (each is again)
    seen = []

    def other():
        seen.append(lock.acquire(timeout=0.01))

    lock.acquire()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [False]


def test_an_exception_in_a_thread_goes_where_it_always_goes(monkeypatch):
    heard = []
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(args.exc_type))

    def main():
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()

    run(main)
    assert heard == [ZeroDivisionError]
