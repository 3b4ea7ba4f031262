"""Signals that a program sends itself come in virtual time, and its handlers run in the main task."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import pytest

from netglass import Deadlock, Network, run, spawn
from tests.programs.both import both


class RangError(Exception):
    pass


REAL: dict[str, Any] = {"kill": os.kill, "sleep": time.sleep, "lock": threading.Lock}
"""Not replaced in a run: nobody looks into dictionaries."""


@pytest.fixture
def kept():
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def on_a_host(program):
    return run(Network(seed=1).host("here"), program)


def test_an_alarm_ends_a_recv_by_its_exception(kept: None) -> None:
    def ring(*_: object) -> None:
        raise RangError

    def program() -> float:
        signal.signal(signal.SIGALRM, ring)
        signal.alarm(3)
        begun = time.monotonic()
        left, right = socket.socketpair()
        with left, right, pytest.raises(RangError):
            left.recv(1)
        return time.monotonic() - begun

    assert on_a_host(program) == 3.0


def test_an_interval_timer_rings_while_the_program_sleeps_and_until_it_is_stopped(kept: None) -> None:
    def program() -> tuple[list[float], tuple[float, float]]:
        rings: list[float] = []
        begun = time.monotonic()
        signal.signal(signal.SIGALRM, lambda *_: rings.append(time.monotonic() - begun))
        assert signal.setitimer(signal.ITIMER_REAL, 1, 0.5) == (0.0, 0.0)
        time.sleep(2.25)
        left = signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(5)
        return rings, left

    assert on_a_host(program) == ([1.0, 1.5, 2.0], (0.25, 0.5))


def test_asyncio_hears_of_a_signal_that_the_program_sends_itself(kept: None) -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        loop.call_later(2, os.kill, os.getpid(), signal.SIGUSR1)
        begun = loop.time()
        await came.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        return loop.time() - begun

    assert on_a_host(lambda: asyncio.run(wait())) == 2.0


def test_an_alarm_ends_with_its_run(kept: None) -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    on_a_host(lambda: signal.alarm(1000))
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert on_a_host(lambda: signal.alarm(0)) == 0


def test_pause_waits_for_a_signal(kept: None) -> None:
    def program() -> float:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(7)
        begun = time.monotonic()
        signal.pause()
        return time.monotonic() - begun

    assert on_a_host(program) == 7.0


def test_a_signal_between_giving_the_baton_and_waiting_for_it_is_handled_with_the_baton(kept: None) -> None:
    """The main thread, busy elsewhere when it has just let the alarm's thread go on, as on a loaded machine."""
    came: list[float] = []
    left: list[socket.socket] = []

    def ring(*_: object) -> None:
        came.append(time.monotonic())
        left[0].send(b"x")
        raise RangError

    def linger(frame: object, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_name == "_hand_over":  # type: ignore[attr-defined]
            REAL["sleep"](0.002)

    def program() -> list[float]:
        one, two = socket.socketpair()
        left.append(one)
        signal.signal(signal.SIGALRM, ring)
        with one, two:
            for _ in range(5):
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                sys.setprofile(linger)
                try:
                    with pytest.raises(RangError):
                        time.sleep(2)
                finally:
                    sys.setprofile(None)
                assert two.recv(10) == b"x"
        return [time.monotonic() - 100_000 for _ in "a"] + came

    rung = on_a_host(program)
    assert rung == [2.5, 100_000.5, 100_001, 100_001.5, 100_002, 100_002.5]


def test_a_signal_from_outside_is_handled_when_main_may_run_again(kept: None) -> None:
    """It interrupts the main thread, which waits for its turn: the handler may use sockets and time all the same."""
    story: list[object] = []
    ready = REAL["lock"]()
    ready.acquire()

    def program() -> None:
        left, right = socket.socketpair()

        def handle(*_: object) -> None:
            story.append(("handled", time.monotonic()))
            left.send(b"x")

        def busy() -> None:
            time.sleep(1)
            REAL["kill"](os.getpid(), signal.SIGUSR1)  # the main thread gets it, which waits for the baton
            ready.acquire(True, 0.05)
            story.append("still busy")

        signal.signal(signal.SIGUSR1, handle)
        with left, right:
            thread = threading.Thread(target=busy)
            thread.start()
            story.append(right.recv(1))
            thread.join()

    on_a_host(program)
    assert story == ["still busy", ("handled", 100_001.0), b"x"]


def test_ctrl_c_ends_a_program_of_asyncio_in_order_while_others_wait_too(kept: None) -> None:
    ended: list[str] = []
    ready = REAL["lock"]()
    ready.acquire()

    def outside() -> None:
        time.sleep(1)
        REAL["kill"](os.getpid(), signal.SIGINT)
        ready.acquire(True, 0.05)

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.5)
            ended.append("in order")

    def program() -> None:
        threading.Thread(target=outside).start()
        asyncio.run(work())

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            on_a_host(program)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended == ["in order"]


def test_a_program_sees_its_own_handlers_and_they_stay(kept: None) -> None:
    def first(*_: object) -> None: ...

    def second(*_: object) -> None: ...

    def program() -> tuple[object, object, object]:
        before = signal.getsignal(signal.SIGUSR1)
        return before, signal.signal(signal.SIGUSR1, second), signal.getsignal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, first)
    assert on_a_host(program) == (first, first, second)
    assert signal.getsignal(signal.SIGUSR1) is second


def test_a_spawned_program_has_handlers_of_its_own() -> None:
    net = Network(seed=1)
    one, other = net.host("one"), net.host("other")
    heard: list[str] = []

    def server() -> None:
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.signal(signal.SIGTERM, lambda *_: heard.append("server")) == signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(ValueError, match="out of range"):
            signal.signal(1000, signal.SIG_IGN)
        with pytest.raises(TypeError):
            signal.signal(signal.SIGTERM, "handler")  # type: ignore[arg-type]

    before = signal.getsignal(signal.SIGTERM)
    spawn(other, server)
    run(one, lambda: time.sleep(1))
    assert heard == ["server"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_asyncio_s_handlers_work_in_a_spawned_program() -> None:
    """aiohttp's run_app and uvicorn's run set some, and a server is more often spawned than not."""
    net = Network(seed=1)
    heard: list[str] = []

    async def server() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        asyncio.get_running_loop().call_later(1, signal.raise_signal, signal.SIGTERM)
        await stop.wait()
        heard.append("stopped")

    spawn(net.host("other"), lambda: asyncio.run(server()))
    run(net.host("one"), lambda: time.sleep(5))
    assert heard == ["stopped"]


def test_who_only_sets_handlers_and_who_only_raises_take_turns(kept: None) -> None:
    def program() -> int:
        came: list[int] = []
        done: list[bool] = []

        def raise_again_and_again() -> None:
            while not done:
                signal.raise_signal(signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
        thread = threading.Thread(target=raise_again_and_again)
        thread.start()
        while len(came) < 3:
            for handler in (signal.SIG_IGN, lambda *_: came.append(1)):
                signal.signal(signal.SIGUSR1, handler)
        done.append(True)
        thread.join()
        return len(came)

    assert on_a_host(program) >= 3


def test_signals_that_are_held_back() -> None:
    def program():
        came = []
        before = signal.signal(signal.SIGUSR1, lambda number, frame: came.append((number, type(number))))
        told: list[Any] = [signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])]
        signal.raise_signal(signal.SIGUSR1)
        told += [list(came), signal.sigpending(), signal.sigwait([signal.SIGUSR1, signal.SIGUSR2]), list(came)]
        told += [signal.sigpending(), signal.sigtimedwait([signal.SIGUSR1], 0.01)]
        signal.raise_signal(signal.SIGUSR1)
        told += [signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1]), list(came)]
        signal.signal(signal.SIGUSR1, before)
        return told

    both(program)


def test_waiting_for_a_signal_without_a_handler() -> None:
    def program():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 5)
        number = signal.sigwait([signal.SIGALRM])
        passed = time.monotonic() - began
        signal.setitimer(signal.ITIMER_REAL, 60)
        return number, round(passed, 6), signal.sigwaitinfo([signal.SIGALRM]).si_signo

    assert on_a_host(program) == (signal.SIGALRM, 5, signal.SIGALRM)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_signal_that_never_comes_is_a_deadlock() -> None:
    with pytest.raises(Deadlock, match=r"waits for a signal: SIGTERM \(sigwait\)"):
        on_a_host(lambda: signal.sigwait([signal.SIGTERM]))
