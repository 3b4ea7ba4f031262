"""Signals that a program sends itself come in virtual time, and its handlers run in the main task."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import pytest

from netglass import Network, run


class RangError(Exception):
    pass


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
        left, _right = socket.socketpair()
        signal.signal(signal.SIGALRM, ring)
        signal.alarm(3)
        begun = time.monotonic()
        with pytest.raises(RangError):
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
