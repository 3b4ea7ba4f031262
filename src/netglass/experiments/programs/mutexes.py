"""What one can do to a mutex, whatever kind it is: anything with acquire(blocking, timeout) and release()."""

from __future__ import annotations

import errno
import threading
import time
from typing import Any, Final

LIMIT: Final = 0.5
"""Seconds for which a timed lock waits."""


def lock_twice(mutex: Any) -> str:
    """By the thread that holds it already."""
    mutex.acquire()
    try:
        mutex.acquire()
    except OSError as error:
        return name(error)
    mutex.release()
    still = is_held(mutex)
    mutex.release()
    return "locked again, free after two unlocks" if still and not is_held(mutex) else "locked again"


def is_held(mutex: Any) -> bool:
    """Whether another thread cannot have it now."""
    found: list[bool] = []

    def look() -> None:
        got = mutex.acquire(blocking=False)
        if got:
            mutex.release()
        found.append(not got)

    in_another_thread(look)
    return found[0]


def unlock_anothers(mutex: Any) -> str:
    found: list[str] = []

    def unlock() -> None:
        try:
            mutex.release()
            found.append("done")
        except OSError as error:
            found.append(name(error))

    mutex.acquire()
    in_another_thread(unlock)
    mutex.release()
    return found[0]


def lock_in_time(mutex: Any) -> str:
    """While another thread holds it for longer."""
    found: list[str] = []

    def lock() -> None:
        began = time.monotonic()
        got = mutex.acquire(timeout=LIMIT)
        found.append(f"{'locked' if got else 'gives up'} after {round((time.monotonic() - began) * 1000)} ms")

    mutex.acquire()
    in_another_thread(lock)
    mutex.release()
    return found[0]


def wait_for_it(mutex: Any, turns: int, seconds: float) -> None:
    """While another thread works with it: for so many turns on the processor, and for so long asleep."""

    def work() -> None:
        with mutex:
            holds.set()
            for _ in range(turns):
                time.sleep(0)
            if seconds:
                time.sleep(seconds)

    holds = threading.Event()
    worker = threading.Thread(target=work, name="worker")
    waiter = threading.Thread(target=lambda: in_turn(mutex), name="waiter")
    worker.start()
    holds.wait()
    waiter.start()
    waiter.join()
    worker.join()


def in_turn(mutex: Any) -> None:
    mutex.acquire()
    mutex.release()


def in_another_thread(call: Any) -> None:
    thread = threading.Thread(target=call, name="another")
    thread.start()
    thread.join()


def name(error: OSError) -> str:
    return "EDEADLK" if error.errno == errno.EDEADLK else errno.errorcode.get(error.errno or 0, str(error))
