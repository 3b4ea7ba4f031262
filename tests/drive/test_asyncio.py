"""Two driven hosts inside an asyncio loop, beside what else the loop does."""

from __future__ import annotations

import asyncio

import pytest

from netglass.drive import Drive, DriveHost
from netglass.drive.on_asyncio import OnAsyncio
from netglass.errors import LinkError, MisuseError
from netglass.link.pair import pair
from netglass.sockets import TO_ACCEPT, TO_CONNECT, TO_RECEIVE
from netglass.sockets.constants import AF_INET, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM


async def serve(driven: OnAsyncio, host: DriveHost, listener: int) -> None:
    now = host.world.now
    await driven.ready(host, listener, TO_ACCEPT)
    accepted = host.sockets.accept(listener, now(), SOCK_NONBLOCK)
    assert isinstance(accepted, tuple)
    await driven.ready(host, accepted[0], TO_RECEIVE)
    question = host.sockets.recv(accepted[0], 100, now())
    assert isinstance(question, bytes)
    host.sockets.send(accepted[0], b"you said " + question, now())
    host.sockets.close(accepted[0], now())
    driven.flush()


async def ask(driven: OnAsyncio, host: DriveHost) -> bytes:
    now = host.world.now
    fd = host.sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    host.sockets.connect(fd, ("10.0.0.2", 80), now())
    await driven.ready(host, fd, TO_CONNECT)
    host.sockets.send(fd, b"hello", now())
    await driven.ready(host, fd, TO_RECEIVE)
    answer = host.sockets.recv(fd, 100, now())
    assert isinstance(answer, bytes)
    return answer


async def talk(drive: Drive) -> bytes:
    a, b = pair()
    client, server = drive.host("client"), drive.host("server")
    drive.attach(client, a, "10.0.0.1/24")
    drive.attach(server, b, "10.0.0.2/24")
    listener = server.sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    server.sockets.bind(listener, ("", 80), drive.now())
    server.sockets.listen(listener, 8, drive.now())
    async with OnAsyncio(drive) as driven, asyncio.timeout(20):
        _, answer = await asyncio.gather(serve(driven, server, listener), ask(driven, client))
        return answer


def test_a_question_and_its_answer():
    with Drive(seed=1) as drive:
        assert asyncio.run(talk(drive)) == b"you said hello"


async def wait_for_nobody(drive: Drive) -> None:
    a, b = pair()
    host = drive.host("alone")
    drive.attach(host, a, "10.0.0.1/24")
    fd = host.sockets.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)
    host.sockets.bind(fd, ("", 9), drive.now())
    async with OnAsyncio(drive) as driven, asyncio.timeout(20):
        asyncio.get_running_loop().call_soon(b.close)
        await driven.ready(host, fd, TO_RECEIVE)


def test_a_device_that_goes_ends_the_waiting():
    with Drive(seed=1) as drive, pytest.raises(LinkError, match="an end of the pair was closed"):
        asyncio.run(wait_for_nobody(drive))


async def retransmit(drive: Drive) -> int:
    a, _ = pair()
    host = drive.host("client")
    drive.attach(host, a, "10.0.0.1/24")
    host.core.config.tcp.initial_rto = 1_000_000
    host.core.config.tcp.syn_retries = 2
    fd = host.sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    host.sockets.connect(fd, ("10.0.0.2", 80), drive.now())
    async with OnAsyncio(drive) as driven, asyncio.timeout(20):
        await driven.ready(host, fd, TO_CONNECT)
    return host.core.interfaces["a"].out_packets


def test_timers_run():
    """Nobody answers: the SYN, two more, and the end of it, all by timers."""
    with Drive(seed=1) as drive:
        assert asyncio.run(retransmit(drive)) == 3


def test_outside_of_the_loop():
    async def wrong() -> None:
        with Drive(seed=1) as drive:
            await OnAsyncio(drive).ready(drive.host("a"), 3, TO_RECEIVE)

    with pytest.raises(MisuseError, match="belongs into"):
        asyncio.run(wrong())
