"""netglass.sync.Mutex: POSIX's kinds, in real threads and in a run."""

import errno
import threading
import time

import pytest

import netglass
from netglass import Deadlock, MisuseError, Network
from netglass.sync import KINDS, Mutex


def in_a_run(main):
    return netglass.run(Network(seed=1).host("a"), main)


def outside(main):
    return main()


@pytest.fixture(params=[in_a_run, outside])
def place(request):
    return request.param


def elsewhere(call):
    """What `call` returns or raises in another thread."""
    seen = []

    def body():
        try:
            seen.append(call())
        except OSError as error:
            seen.append(error.errno)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_thread_at_a_time(place, kind):
    def main():
        mutex = Mutex(kind)
        with mutex:
            assert elsewhere(lambda: mutex.acquire(blocking=False)) is False
            assert elsewhere(lambda: mutex.acquire(timeout=0.01)) is False
        assert not mutex.locked()
        return elsewhere(lambda: mutex.acquire())

    assert place(main) is True


@pytest.mark.parametrize("kind", KINDS)
def test_waiting_until_it_is_free(place, kind):
    def main():
        mutex, order = Mutex(kind), []

        def holder():
            with mutex:
                order.append("holder")
                time.sleep(0.02)

        thread = threading.Thread(target=holder)
        thread.start()
        time.sleep(0.01)
        with mutex:
            order.append("main")
        thread.join()
        return order

    assert place(main) == ["holder", "main"]


@pytest.mark.parametrize("kind", KINDS)
def test_unlocking_what_another_holds_is_eperm(place, kind):
    def main():
        mutex = Mutex(kind)
        with pytest.raises(PermissionError):
            mutex.release()
        with mutex:
            return elsewhere(mutex.release)

    assert place(main) == errno.EPERM


def test_recursive(place):
    def main():
        mutex = Mutex("recursive")
        with mutex, mutex:
            mutex.release()
            assert elsewhere(lambda: mutex.acquire(blocking=False)) is False
            mutex.acquire()
        return mutex.locked()

    assert place(main) is False


def test_errorcheck(place):
    def main():
        mutex = Mutex("errorcheck")
        with mutex:
            assert mutex.acquire(blocking=False) is False
            for timeout in (-1, 1):
                with pytest.raises(OSError, match="holds the mutex already") as caught:
                    mutex.acquire(timeout=timeout)
                assert caught.value.errno == errno.EDEADLK
        return True

    assert place(main)


@pytest.mark.parametrize("kind", ["timed", "adaptive"])
def test_locking_a_plain_one_twice_is_a_deadlock_that_a_run_finds(kind):
    def main():
        mutex = Mutex(kind)
        with mutex, mutex:
            pass

    with pytest.raises(Deadlock, match=r"the mutex made at test_sync.py:\d+"):
        in_a_run(main)


def test_locking_a_plain_one_twice_with_a_limit(place):
    def main():
        mutex = Mutex("timed")
        with mutex:
            return mutex.acquire(timeout=0.01)

    assert place(main) is False


def test_a_circle_of_mutexes_is_reported():
    def main():
        first, second = Mutex(), Mutex("errorcheck")

        def one():
            with first:
                time.sleep(1)
                with second:
                    pass

        threading.Thread(target=one, name="one").start()
        with second:
            time.sleep(2)
            with first:
                pass

    with pytest.raises(Deadlock) as caught:
        in_a_run(main)
    assert "main holds the mutex made at" in str(caught.value)
    assert "circular wait" in str(caught.value)


def test_a_mutex_made_before_the_run():
    mutex = Mutex()

    def main():
        def holder():
            with mutex:
                time.sleep(5)

        threading.Thread(target=holder).start()
        time.sleep(1)
        with mutex:
            return time.monotonic()

    assert in_a_run(main) == 100005


def test_other_kinds_are_refused():
    with pytest.raises(MisuseError, match="timed, recursive, errorcheck, adaptive"):
        Mutex("fast")
