"""HTTP and WebSockets: clients and servers, blocking and async."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.server
import logging
import ssl

from tests.compatibility.scene import BLOB, CERTIFICATE, Scene, scenario
from tests.compatibility.standard import Pages, serve_pages


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


def aiohttp_scene(scene: Scene, port: int, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
    import aiohttp
    from aiohttp import web

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), status=201)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        answers = web.WebSocketResponse()
        await answers.prepare(request)
        async for message in answers:
            await answers.send_str(message.data.upper())
        return answers

    async def serve() -> None:
        app = web.Application()
        app.add_routes([web.post("/echo", echo), web.get("/socket", socket)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port, ssl_context=server).start()
        await asyncio.Event().wait()

    async def post(session: aiohttp.ClientSession, number: int) -> tuple[int, bytes]:
        async with session.post("/echo", data=b"%d" % number + BLOB) as answer:
            return answer.status, await answer.read()

    async def ask() -> object:
        scheme = "https" if client else "http"
        connector = aiohttp.TCPConnector(ssl=client or True)
        async with aiohttp.ClientSession(f"{scheme}://server:{port}", connector=connector) as session:
            posted = await asyncio.gather(*[post(session, number) for number in range(3)])
            async with session.ws_connect("/socket") as talk:
                await talk.send_str("hello")
                return posted, await talk.receive_str()

    scene.serve(serve)
    assert scene.ask(ask) == ([(201, b"%d" % number + BLOB) for number in range(3)], "HELLO")


@scenario("aiohttp", "aiohttp")
def aiohttp_(scene: Scene) -> None:
    """Its server and its client: three POSTs of 40 KiB at once, then a WebSocket."""
    aiohttp_scene(scene, 80, None, None)


@scenario("aiohttp, TLS", "aiohttp")
def aiohttp_tls(scene: Scene) -> None:
    """The same over TLS."""
    aiohttp_scene(scene, 443, server_tls(), client_tls())


@scenario("httpx", "httpx")
def httpx_(scene: Scene) -> None:
    """`httpx.Client` against `http.server`: a GET, a POST that is answered in chunks, a page as a stream."""
    import httpx

    def ask() -> object:
        with httpx.Client(base_url="http://server", timeout=100) as client:
            got = client.get("/one").content
            posted = client.post("/two", content=BLOB)
            with client.stream("GET", "/three") as answer:
                return got, posted.status_code, posted.content, b"".join(answer.iter_bytes())

    scene.serve(serve_pages)
    assert scene.ask(ask) == (b"/one" + BLOB, 201, BLOB, b"/three" + BLOB)


@scenario("httpx, async", "httpx")
def httpx_async(scene: Scene) -> None:
    """`httpx.AsyncClient` against `http.server`: three GETs at once, then a POST."""
    import httpx

    async def ask() -> object:
        async with httpx.AsyncClient(base_url="http://server", timeout=100) as client:
            got = await asyncio.gather(*[client.get(f"/{number}") for number in range(3)])
            return [each.content for each in got], (await client.post("/", content=BLOB)).content

    scene.serve(serve_pages)
    assert scene.ask(ask) == ([b"/%d" % number + BLOB for number in range(3)], BLOB)


@scenario("requests", "requests")
def requests_(scene: Scene) -> None:
    """A `Session` against `http.server`: a GET, a POST, four threads with a page each, a refused connection."""
    import requests

    def ask() -> object:
        with requests.Session() as session:
            got = session.get("http://server/one", timeout=100).content
            posted = session.post("http://server/two", data=BLOB, timeout=100)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            urls = [f"http://server/{number}" for number in range(4)]
            pages = [each.content for each in pool.map(requests.get, urls)]
        try:
            requests.get("http://server:81/", timeout=100)
        except requests.ConnectionError as error:
            refused = "Connection refused" in str(error)
        return got, (posted.status_code, posted.content), pages, refused

    scene.serve(serve_pages)
    assert scene.ask(ask) == (b"/one" + BLOB, (201, BLOB), [b"/%d" % number + BLOB for number in range(4)], True)


@scenario("requests, TLS", "requests")
def requests_tls(scene: Scene) -> None:
    """A `Session` over TLS against `http.server` on a wrapped listener: two pages, then one that trusts nobody."""
    import requests

    def serve() -> None:
        with http.server.ThreadingHTTPServer(("", 443), Pages) as server:
            server.socket = server_tls().wrap_socket(server.socket, server_side=True)
            server.serve_forever()

    def ask() -> object:
        with requests.Session() as session:
            urls = [f"https://server/{number}" for number in range(2)]
            pages = [session.get(url, timeout=100, verify=str(CERTIFICATE)).content for url in urls]
        try:
            requests.get("https://server/", timeout=100)
        except requests.exceptions.SSLError as error:
            return pages, "CERTIFICATE_VERIFY_FAILED" in str(error)

    scene.serve(serve)
    assert scene.ask(ask) == ([b"/%d" % number + BLOB for number in range(2)], True)


@scenario("urllib3", "urllib3")
def urllib3_(scene: Scene) -> None:
    """A `PoolManager` against `http.server`: five pages over one connection, then a host that is not there, tried
    twice until a timeout."""
    import urllib3

    def ask() -> object:
        pool = urllib3.PoolManager(maxsize=1, block=True)
        pages = [pool.request("GET", f"http://server/{number}", timeout=100).data for number in range(5)]
        connections = pool.connection_from_url("http://server").num_connections
        try:
            pool.request("GET", "http://10.0.0.77/", timeout=2, retries=urllib3.Retry(connect=1, backoff_factor=0))
        except urllib3.exceptions.MaxRetryError as error:
            return pages, connections, type(error.reason).__name__

    scene.serve(serve_pages)
    assert scene.ask(ask) == ([b"/%d" % number + BLOB for number in range(5)], 1, "ConnectTimeoutError")


@scenario("websockets", "websockets")
def websockets_(scene: Scene) -> None:
    """Its asyncio server and client: text, 40 KiB of compressed binary, a ping, closing with a code."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve as start
    from websockets.exceptions import ConnectionClosed

    async def answer(talk) -> None:
        await talk.send((await talk.recv()).upper())
        await talk.send((await talk.recv())[::-1])
        await talk.recv()
        await talk.close(4000, "enough")

    async def serve() -> None:
        async with start(answer, "", 80) as server:
            await server.serve_forever()

    async def ask() -> object:
        async with connect("ws://server/") as talk:
            await talk.send("hello")
            text = await talk.recv()
            await talk.send(BLOB)
            data = await talk.recv()
            await (await talk.ping())
            await talk.send("end")
            try:
                await talk.recv()
            except ConnectionClosed as closed:
                return text, data, closed.rcvd.code, closed.rcvd.reason

    scene.serve(serve)
    assert scene.ask(ask) == ("HELLO", BLOB[::-1], 4000, "enough")


@scenario("websockets, threads", "websockets")
def websockets_threads(scene: Scene) -> None:
    """Its blocking server and client, which have a thread for each connection."""
    from websockets.sync.client import connect
    from websockets.sync.server import serve as start

    def answer(talk) -> None:
        for message in talk:
            talk.send(message[::-1])

    def serve() -> None:
        with start(answer, "", 80) as server:
            server.serve_forever()

    def ask() -> object:
        with connect("ws://server/") as talk:
            talk.send("hello")
            text = talk.recv()
            talk.send(BLOB)
            data = talk.recv()
            try:
                talk.recv(timeout=0.5)
            except TimeoutError:
                return text, data

    scene.serve(serve)
    assert scene.ask(ask) == ("olleh", BLOB[::-1])


@scenario("tornado", "tornado")
def tornado_(scene: Scene) -> None:
    """Its HTTP server and `AsyncHTTPClient`: three POSTs at once and one that its server refuses with 404."""
    from tornado.httpclient import AsyncHTTPClient
    from tornado.web import Application, RequestHandler

    class Echo(RequestHandler):
        def post(self) -> None:
            self.write(self.request.body)

    async def serve() -> None:
        logging.getLogger("tornado.access").setLevel(logging.ERROR)
        Application([("/echo", Echo)]).listen(80)
        await asyncio.Event().wait()

    async def ask() -> object:
        client = AsyncHTTPClient()
        asked = [client.fetch("http://server/echo", method="POST", body=b"%d" % each + BLOB) for each in range(3)]
        answers = await asyncio.gather(*asked)
        missing = await client.fetch("http://server/nothing", raise_error=False)
        client.close()
        return [each.body for each in answers], missing.code

    scene.serve(serve)
    assert scene.ask(ask) == ([b"%d" % each + BLOB for each in range(3)], 404)


@scenario("uvicorn, starlette", "uvicorn", "starlette", "httpx")
def uvicorn_starlette(scene: Scene) -> None:
    """A Starlette application under uvicorn (h11, asyncio); an async httpx client posts, reads JSON and a stream."""
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def echo(request) -> Response:
        return Response(await request.body())

    async def who(request) -> Response:
        return JSONResponse({"client": request.client.host, "name": request.path_params["name"]})

    async def slow(request) -> Response:
        async def pieces():
            for _ in range(10):
                yield BLOB[:4000]
                await asyncio.sleep(1)

        return StreamingResponse(pieces())

    def serve() -> None:
        routes = [Route("/echo", echo, methods=["POST"]), Route("/who/{name}", who), Route("/slow", slow)]
        config = uvicorn.Config(Starlette(routes=routes), "0.0.0.0", 80, loop="asyncio", http="h11", log_level="error")
        uvicorn.Server(config).run()

    async def ask() -> object:
        async with httpx.AsyncClient(base_url="http://server", timeout=100) as client:
            posted = (await client.post("/echo", content=BLOB)).content
            told = (await client.get("/who/me")).json()
            return posted, told, (await client.get("/slow")).content

    scene.serve(serve)
    assert scene.ask(ask) == (BLOB, {"client": "10.0.0.1", "name": "me"}, BLOB[:4000] * 10)


@scenario("cheroot", "cheroot", "requests")
def cheroot_(scene: Scene) -> None:
    """Its WSGI server with a pool of threads; a `requests.Session` and four threads."""
    import requests
    from cheroot import wsgi

    def app(environ, start_response):
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def serve() -> None:
        wsgi.Server(("0.0.0.0", 80), app, numthreads=4).start()

    def post(number: int) -> bytes:
        return requests.post("http://server/", data=b"%d" % number + BLOB, timeout=100).content

    def ask() -> object:
        with requests.Session() as session:
            kept = [session.post("http://server/", data=BLOB, timeout=100).content == BLOB for _ in range(2)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return kept, list(pool.map(post, range(4)))

    scene.serve(serve)
    assert scene.ask(ask) == ([True, True], [b"%d" % number + BLOB for number in range(4)])
