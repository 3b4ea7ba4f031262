"""A site that knows its visitors again, made with aiohttp, and browsers that visit it: aiohttp's client with its jar of
cookies."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import NamedTuple

import aiohttp
from aiohttp import web

COOKIE = "session"
STRANGER = "I do not know you"


class Session:
    """What the server remembers of one visitor. The browser has only its key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.visits = 0
        self.last_seen = time.time()


class Site:
    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.sessions: dict[str, Session] = {}

    async def log_in(self, request: web.Request) -> web.Response:
        name = str((await request.post())["name"])
        key = secrets.token_hex(4)
        self.sessions[key] = Session(name)
        answer = web.Response(text=f"Welcome, {name}")
        answer.set_cookie(COOKIE, key, httponly=True)
        return answer

    async def show_page(self, request: web.Request) -> web.Response:
        session = self.sessions.get(request.cookies.get(COOKIE, ""))
        if session is None or time.time() - session.last_seen > self.lifetime:
            return web.Response(text=STRANGER)
        session.visits += 1
        session.last_seen = time.time()
        return web.Response(text=f"Hello {session.name}, visit {session.visits}")


async def serve_for_ever(lifetime: float) -> None:
    site = Site(lifetime)
    application = web.Application()
    application.add_routes([web.post("/login", site.log_in), web.get("/", site.show_page)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 80).start()
    await asyncio.Event().wait()


def serve(lifetime: float) -> None:
    asyncio.run(serve_for_ever(lifetime))


class Visit(NamedTuple):
    who: str
    request: str
    cookie: str
    answer: str


async def ask(
    who: str, browser: aiohttp.ClientSession, method: str, path: str, form: dict[str, str] | None = None
) -> Visit:
    async with browser.request(method, path, data=form) as answer:
        sent = answer.request_info.headers.get("Cookie", "")
        return Visit(who, f"{method} {path}", sent, await answer.text())


async def visit_all(pause: float) -> list[Visit]:
    site = "http://server"
    jar = aiohttp.CookieJar()
    async with aiohttp.ClientSession(site, cookie_jar=jar) as browser:
        seen = [
            await ask("Ann", browser, "GET", "/"),
            await ask("Ann", browser, "POST", "/login", {"name": "Ann"}),
            await ask("Ann", browser, "GET", "/"),
        ]
    await asyncio.sleep(pause)
    stolen = {cookie.key: cookie.value for cookie in jar}
    for who, cookies in (
        ("Ann again", jar),
        ("Ben", aiohttp.CookieJar()),
        ("Eve, with Ann's cookie", aiohttp.CookieJar()),
    ):
        async with aiohttp.ClientSession(
            site, cookie_jar=cookies, cookies=stolen if who.startswith("Eve") else None
        ) as browser:
            seen.append(await ask(who, browser, "GET", "/"))
        await asyncio.sleep(1)
    return seen


def visit(pause: float) -> list[Visit]:
    """Ann comes, logs in, comes again, and again after a pause over a new connection; Ben comes; Eve has Ann's cookie."""
    return asyncio.run(visit_all(pause))
