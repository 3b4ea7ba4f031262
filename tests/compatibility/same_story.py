"""`python -m tests.compatibility.same_story CAPTURE [tls]`: an aiohttp server; on another host, threads with requests
beside an aiohttp client; a cable that loses packets. Its capture is compared with that of another process."""

from __future__ import annotations

import asyncio
import random
import ssl
import sys
import threading
import time
from pathlib import Path

import aiohttp
import requests
from aiohttp import web

import netglass
from netglass import Network
from netglass.trace import Recorder, write_pcapng

CERTIFICATE = Path(__file__).parents[1] / "programs" / "certificate.pem"


async def hello(request: web.Request) -> web.Response:
    await asyncio.sleep(random.random() / 10)
    return web.Response(text=f"hello {request.query['name']}", headers={"X-Drawn": str(random.random())})


async def serve(tls: bool) -> None:
    app = web.Application()
    app.add_routes([web.get("/", hello)])
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 443 if tls else 80, ssl_context=context).start()
    await asyncio.Event().wait()


def ask_by_requests(url: str, name: str, heard: list[str]) -> None:
    with requests.Session() as session:
        for _ in range(3):
            time.sleep(random.random())
            heard.append(session.get(url, params={"name": name}, verify=False, timeout=60).text)


async def ask_by_aiohttp(url: str, heard: list[str]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:

        async def one(name: str) -> None:
            async with session.get(url, params={"name": name}) as answer:
                heard.append(await answer.text())

        await asyncio.gather(*[one(name) for name in ("anna", "bert", "carl")])


def client(url: str) -> list[str]:
    heard: list[str] = []
    threads = [threading.Thread(target=ask_by_requests, args=(url, name, heard)) for name in ("dora", "emil", "fritz")]
    for thread in threads:
        thread.start()
    asyncio.run(ask_by_aiohttp(url, heard))
    for thread in threads:
        thread.join()
    return heard


def main(capture: str, tls: bool) -> None:
    net = Network(seed=5)
    here, there = net.host("client"), net.host("server")
    net.cable(here, there, delay="5 ms", loss="5%")
    recorder = Recorder()
    net.observe(recorder)
    netglass.spawn(there, lambda: asyncio.run(serve(tls)), daemon=True)
    url = "https://server/" if tls else "http://server/"
    heard = netglass.run(here, client, url, deterministic_tls=tls)
    assert len(heard) == 12, heard
    write_pcapng(recorder, capture, "all")


if __name__ == "__main__":
    requests.packages.urllib3.disable_warnings()  # type: ignore[attr-defined]
    main(sys.argv[1], sys.argv[2:] == ["tls"])
