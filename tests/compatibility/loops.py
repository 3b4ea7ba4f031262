"""Async libraries with a loop of their own."""

from __future__ import annotations

import asyncio

from tests.compatibility.scene import BLOB, Scene, scenario


@scenario("trio", "trio")
def trio_(scene: Scene) -> None:
    """`trio.serve_tcp` and `open_tcp_stream`: three conversations at once, one that a deadline ends."""
    import trio

    async def answer(stream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def serve() -> None:
        await trio.serve_tcp(answer, 7)

    async def talk(number: int, got: dict[int, bytes]) -> None:
        async with await trio.open_tcp_stream("server", 7) as stream:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, b"%d" % number + BLOB)
                data = b""
                while len(data) < len(BLOB) + 1:
                    data += await stream.receive_some()
            got[number] = data

    async def ask() -> object:
        got: dict[int, bytes] = {}
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(talk, number, got)
        with trio.move_on_after(2) as scope:
            async with await trio.open_tcp_stream("server", 7) as stream:
                await stream.receive_some()
        return got, scope.cancelled_caught

    scene.serve(lambda: trio.run(serve))
    assert scene.ask(lambda: trio.run(ask)) == ({each: b"%d" % each + BLOB for each in range(3)}, True)


def anyio_scene(scene: Scene, backend: str) -> None:
    import anyio

    async def answer(stream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data.upper())

    async def serve() -> None:
        listener = await anyio.create_tcp_listener(local_host="0.0.0.0", local_port=7)
        await listener.serve(answer)

    async def talk(number: int, got: dict[int, bytes]) -> None:
        async with await anyio.connect_tcp("server", 7) as stream:
            await stream.send(b"hello %d " % number * 1000)
            await stream.send_eof()
            got[number] = b"".join([data async for data in stream])

    async def ask() -> object:
        got: dict[int, bytes] = {}
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(talk, number, got)
        slept = await anyio.to_thread.run_sync(lambda: 42)
        return got, slept

    scene.serve(lambda: anyio.run(serve, backend=backend))
    wanted = {each: b"HELLO %d " % each * 1000 for each in range(3)}
    assert scene.ask(lambda: anyio.run(ask, backend=backend)) == (wanted, 42)


@scenario("anyio, asyncio", "anyio")
def anyio_asyncio(scene: Scene) -> None:
    """A TCP listener and three clients of a task group over asyncio; work in a thread."""
    anyio_scene(scene, "asyncio")


@scenario("anyio, trio", "anyio", "trio")
def anyio_trio(scene: Scene) -> None:
    """The same over trio."""
    anyio_scene(scene, "trio")


class Answers:
    """What dnslib's server asks. `many.test` and `long.test` have so many addresses that 512 bytes do not hold them;
    over UDP the answer about the first is truncated."""

    def resolve(self, request, handler):
        from dnslib import QTYPE, RR, A

        reply = request.reply()
        name = request.q.qname
        if name == "www.test":
            reply.add_answer(RR(name, QTYPE.A, rdata=A("192.0.2.1"), ttl=60))
        elif name == "many.test" and handler.protocol == "udp":
            reply.header.tc = 1
        elif name in ("many.test", "long.test"):
            for number in range(200):
                reply.add_answer(RR(name, QTYPE.A, rdata=A(f"192.0.2.{number}"), ttl=60))
        else:
            reply.header.rcode = 3
        return reply


def serve_names() -> None:
    from dnslib.server import DNSLogger, DNSServer, UDPServer

    class Quiet(UDPServer):
        def handle_error(self, request, client_address):
            pass

    logger = DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")
    DNSServer(Answers(), address="", port=53, logger=logger, server=Quiet).start_thread()
    DNSServer(Answers(), address="", port=53, tcp=True, logger=logger).start()


@scenario("dnspython", "dnspython", "dnslib")
def dnspython(scene: Scene) -> None:
    """A `Resolver` against dnslib's servers: a name, one whose answer is truncated and asked again over TCP, one that
    nobody has."""
    import dns.resolver

    def ask() -> object:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [scene.address]
        resolver.lifetime = 60
        one = [each.address for each in resolver.resolve("www.test", "A")]
        many = len(list(resolver.resolve("many.test", "A")))
        try:
            resolver.resolve("nobody.test", "A")
        except dns.resolver.NXDOMAIN as error:
            return one, many, type(error).__name__

    scene.serve(serve_names)
    assert scene.ask(ask) == (["192.0.2.1"], 200, "NXDOMAIN")


@scenario("dnspython, long answers", "dnspython", "dnslib")
def dnspython_long(scene: Scene) -> None:
    """The server truncates nothing: 3 KiB in one datagram."""
    import dns.message
    import dns.query

    def ask() -> object:
        answer = dns.query.udp(dns.message.make_query("long.test", "A"), scene.address, timeout=10)
        return len(answer.answer[0])

    scene.serve(serve_names)
    assert scene.ask(ask) == 200


@scenario("dnspython, async", "dnspython", "dnslib")
def dnspython_async(scene: Scene) -> None:
    """`dns.asyncresolver` over asyncio: a name and a truncated answer, both at once."""
    import dns.asyncresolver

    async def ask() -> object:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [scene.address]
        resolver.lifetime = 60
        found = await asyncio.gather(*[resolver.resolve(name, "A") for name in ("www.test", "many.test")])
        return [len(list(each)) for each in found]

    scene.serve(serve_names)
    assert scene.ask(ask) == [1, 200]
