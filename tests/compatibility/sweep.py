"""Small conversations with libraries of others, unmodified, in the lab. Prints what works and why the rest does not:

    python -m tests.compatibility.sweep [NAME ...]

A library that is not installed is left out. Each runs without loss and with 5 %.
"""

# mypy: ignore-errors

from __future__ import annotations

import asyncio
import http.server
import sys
import time

from netglass import Network
from netglass.programs.run import run, spawn


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *arguments):
        pass


def http_server():
    with http.server.ThreadingHTTPServer(("", 80), Page) as server:
        server.serve_forever()


def use_requests():
    import requests

    def client():
        with requests.Session() as session:
            return [session.get("http://server/").text for _ in range(3)]

    return http_server, client, ["hello"] * 3


def use_httpx():
    import httpx

    def client():
        with httpx.Client() as session:
            return [session.get("http://server/").text for _ in range(3)]

    return http_server, client, ["hello"] * 3


def use_httpx_async():
    import httpx

    async def ask():
        async with httpx.AsyncClient() as session:
            answers = await asyncio.gather(*[session.get("http://server/") for _ in range(3)])
            return [answer.text for answer in answers]

    return http_server, lambda: asyncio.run(ask()), ["hello"] * 3


def use_aiohttp():
    import aiohttp
    from aiohttp import web

    def server():
        async def page(request):
            return web.Response(text="hello")

        application = web.Application()
        application.router.add_get("/", page)
        web.run_app(application, port=80, print=None, handle_signals=False)

    async def ask():
        async with aiohttp.ClientSession() as session:
            found = []
            for _ in range(3):
                async with session.get("http://server/") as answer:
                    found.append(await answer.text())
            return found

    return server, lambda: asyncio.run(ask()), ["hello"] * 3


def use_tornado():
    import tornado.httpclient
    import tornado.web

    class Hello(tornado.web.RequestHandler):
        def get(self):
            self.write("hello")

    async def serve():
        tornado.web.Application([("/", Hello)]).listen(80)
        await asyncio.Event().wait()

    async def ask():
        answer = await tornado.httpclient.AsyncHTTPClient().fetch("http://server/")
        return answer.body

    return lambda: asyncio.run(serve()), lambda: asyncio.run(ask()), b"hello"


def use_websockets():
    import websockets

    async def echo(connection):
        async for message in connection:
            await connection.send(message.upper())

    async def serve():
        async with websockets.serve(echo, "", 80):
            await asyncio.Event().wait()

    async def ask():
        async with websockets.connect("ws://server:80/", proxy=None) as connection:
            await connection.send("hello")
            return await connection.recv()

    return lambda: asyncio.run(serve()), lambda: asyncio.run(ask()), "HELLO"


def use_trio():
    import trio

    async def echo(stream):
        async for data in stream:
            await stream.send_all(data.upper())

    async def ask():
        stream = await trio.open_tcp_stream("server", 80)
        async with stream:
            await stream.send_all(b"hello")
            return await stream.receive_some()

    return lambda: trio.run(trio.serve_tcp, echo, 80), lambda: trio.run(ask), b"HELLO"


SCENARIOS = {name.removeprefix("use_"): call for name, call in list(globals().items()) if name.startswith("use_")}


def outcome(scenario, loss):
    try:
        server, client, expected = scenario()
    except ImportError as error:
        return f"left out: {error}"
    net = Network(seed=1)
    near, far = net.host("client"), net.host("server")
    net.cable(near, far, delay="10 ms", loss=loss)

    def ask():
        time.sleep(0.1)  # the server is up by then
        return client()

    spawn(far, server, daemon=True)
    try:
        answer = run(near, ask)
    except Exception as error:
        return f"FAILS: {type(error).__name__}: {error}"
    return "works" if answer == expected else f"FAILS: {answer!r}"


def main(names):
    for name in names or SCENARIOS:
        for loss in (0, 0.05):
            print(f"{name:14} loss {loss:4.0%}  {outcome(SCENARIOS[name], loss)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
