"""Pages of HTML and XML, served with aiohttp; a small browser over http.client that goes by their Content-Type."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from http.client import HTTPConnection
from typing import NamedTuple

from aiohttp import web

HTML_PAGE = """<!DOCTYPE html>
<html>
<ul>
<li>Soup
<li>Crêpe
</ul>
</html>
"""
XML_PIECES = ("<menu>\n", "<dish price='4'>Soup</dish>\n", "<dish price='6'>Crêpe</dish>\n", "</menu>\n")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def same_page(content_type: str) -> Handler:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=HTML_PAGE, content_type=content_type)

    return show


def stream(pause: float) -> Handler:
    """Written while it is made: nobody knows its length when it begins, so it goes in chunks."""

    async def show(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_type, answer.charset = "application/xml", "utf-8"
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for piece in XML_PIECES:
            await answer.write(piece.encode())
            await asyncio.sleep(pause)
        await answer.write_eof()
        return answer

    return show


async def serve_for_ever(pause: float) -> None:
    application = web.Application()
    application.add_routes(
        [
            web.get("/menu.html", same_page("text/html")),
            web.get("/menu.txt", same_page("text/plain")),
            web.get("/menu", same_page("application/xml")),
            web.get("/menu.xml", stream(pause)),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 80).start()
    await asyncio.Event().wait()


def serve(pause: float) -> None:
    asyncio.run(serve_for_ever(pause))


class Page(NamedTuple):
    path: str
    content_type: str
    framing: str
    size: int
    found: str


class Items(HTMLParser):
    """The texts of a list's items, closed or not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.inside = tag == "li"

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found.append(data.strip())


def read(server: HTTPConnection, path: str) -> Page:
    server.request("GET", path)
    answer = server.getresponse()
    body = answer.read()
    kind, charset = answer.headers.get_content_type(), str(answer.headers.get_content_charset())
    length = answer.headers["Content-Length"]
    framing = f"Content-Length: {length}" if length else f"Transfer-Encoding: {answer.headers['Transfer-Encoding']}"
    return Page(path, answer.headers["Content-Type"], framing, len(body), understood(kind, body, charset))


def understood(kind: str, body: bytes, charset: str) -> str:
    """What a browser makes of it, in words."""
    if kind == "text/html":
        parser = Items()
        parser.feed(body.decode(charset))
        return f"a list of {' and '.join(parser.found)}"
    if kind == "application/xml":
        try:
            return " and ".join([f"{dish.text} for {dish.get('price')}" for dish in ET.fromstring(body)])
        except ET.ParseError as error:
            return f"nothing: {error}"
    return f"text: {body.decode(charset).split()[0]} ..."


def browse() -> list[Page]:
    """Over one connection: the page, its source as text, as XML, and XML that is made while it is read."""
    server = HTTPConnection("server")
    seen = [read(server, path) for path in ("/menu.html", "/menu.txt", "/menu", "/menu.xml")]
    server.close()
    return seen
