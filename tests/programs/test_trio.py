"""Trio, imported before the run: it takes methods from the socket class, keeps threads, and wants to end in order."""

import time

import pytest

import netglass
from netglass import Network

trio = pytest.importorskip("trio")


async def answer(stream):
    async for data in stream:
        await stream.send_all(data.upper())


async def serve():
    await trio.serve_tcp(answer, 80)


async def ask():
    stream = await trio.open_tcp_stream("server", 80)
    async with stream:
        await stream.send_all(b"hello")
        return await stream.receive_some()


async def ask_with_a_socket():
    with trio.socket.socket() as sock:
        await sock.connect(("server", 80))
        await sock.send(b"hello")
        return await sock.recv(100)


def answer_to(client_program, loss=0.0):
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", loss=loss)
    netglass.spawn(server, trio.run, serve, daemon=True)

    def main():
        time.sleep(0.1)
        return trio.run(client_program)

    return netglass.run(client, main)


@pytest.mark.parametrize("loss", [0, 0.05])
@pytest.mark.parametrize("program", [ask, ask_with_a_socket])
def test_streams_and_sockets(program, loss):
    assert answer_to(program, loss) == b"HELLO"


def test_one_run_after_another():
    assert [answer_to(ask) for _ in range(5)] == [b"HELLO"] * 5


def test_threads_of_a_run_and_those_of_outside_do_not_meet():
    async def in_a_thread():
        return await trio.to_thread.run_sync(time.monotonic)

    real = trio.run(in_a_thread)
    assert 100_000 <= answer_to(in_a_thread) < 100_001
    assert 0 <= trio.run(in_a_thread) - real < 100


def test_a_server_that_is_stopped_ends_in_order():
    ended = []

    async def serve_for_ever():
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            ended.append(trio.current_time())

    net = Network(seed=1)
    netglass.spawn(net.host("server"), trio.run, serve_for_ever, daemon=True)
    netglass.run(net.host("client"), lambda: time.sleep(1))
    assert len(ended) == 1
    assert net.now() == 1_500_000_000
