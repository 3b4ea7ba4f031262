"""echo, discard and character generator (RFC 862, 863, 864) over TCP and UDP, and a small web server.

Strangers may call: connections, their requests and what is sent to them are bounded. Over UDP nobody is answered who
asks from a port below 1024: a forged datagram from one such service to the other would make the two answer each other
for ever. Whoever is refused is counted in `Tally`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

ECHO, DISCARD, CHARGEN, HTTP = 7, 9, 19, 80

MOST_CONNECTIONS: Final = 1000  # of each service
GENERATED: Final = 1_000_000
"""Bytes a second that the character generator sends over TCP, to all its connections together."""
ANSWERS: Final = 1000
"""Datagrams a second that are answered, of echo and of chargen each."""
FIRST_UNRESERVED: Final = 1024

CHUNK: Final = 65536
LONGEST_REQUEST: Final = 8192  # bytes of an HTTP request, which has no body
PATIENCE: Final = 60.0  # seconds for the next HTTP request, for its answer to be read, and for what is left at the end

_WIDTH: Final = 72
_PRINTABLE: Final = bytes(range(32, 127)) * 2
LINES: Final = [_PRINTABLE[start : start + _WIDTH] + b"\r\n" for start in range(95)]
"""The pattern of RFC 864: each line begins one character later."""
PATTERN: Final = b"".join(LINES)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Page = Callable[[], tuple[str, bytes]]
"""Makes a page: its content type, and its bytes."""


class Tally:
    """What came of those who called."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()  # connections, by service
        self.counts: Counter[str] = Counter()


class Budget:
    """At most `rate` units a second, for all who share it."""

    def __init__(self, rate: int) -> None:
        self._rate: int = rate
        self._free_at: float = 0.0

    def delay(self, units: int, now: float) -> float:
        """Takes `units`; how many seconds too early that is."""
        begin = max(self._free_at, now)
        self._free_at = begin + units / self._rate
        return begin - now

    def take(self, now: float) -> bool:
        """Takes one if there is one, of what one second gives."""
        if self._free_at > now + 1:
            return False
        self.delay(1, now)
        return True


# -- TCP


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(CHUNK):
        pass


def chargen(budget: Budget) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        ignored = asyncio.ensure_future(discard(reader, writer))
        try:
            while not ignored.done():
                await asyncio.sleep(budget.delay(len(PATTERN), clock()))
                writer.write(PATTERN)
                await writer.drain()
        finally:
            ignored.cancel()

    return talk


def bounded(name: str, talk: Talk, tally: Tally) -> Talk:
    """Counts who comes, refuses whom there is no room for, and closes the connection at the end."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tally.open[name] >= MOST_CONNECTIONS:
            tally.counts["connections refused: too many"] += 1
            writer.transport.abort()
            return
        tally.open[name] += 1
        tally.counts[f"{name} connections"] += 1
        try:
            await talk(reader, writer)
            writer.close()
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            tally.counts["connections broken"] += 1
        except asyncio.CancelledError:
            pass  # the end of all; let out of here, it would be complained of by Python 3.11's streams
        finally:
            tally.open[name] -= 1
            writer.transport.abort()

    return guarded


# -- UDP


class Datagrams(asyncio.DatagramProtocol):
    """Answers datagrams with what `answer` makes of them; None: not at all."""

    def __init__(self, name: str, answer: Callable[[bytes], bytes] | None, budget: Budget, tally: Tally) -> None:
        self._name: str = name
        self._answer: Callable[[bytes], bytes] | None = answer
        self._budget: Budget = budget
        self._counts: Counter[str] = tally.counts
        self._transport: asyncio.DatagramTransport | None = None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        self._counts[f"{self._name} datagrams"] += 1
        if self._answer is None or self._transport is None:
            return
        if sender[1] < FIRST_UNRESERVED:
            self._counts["datagrams not answered: from a reserved port"] += 1
        elif not self._budget.take(self._clock()):
            self._counts["datagrams not answered: too many"] += 1
        else:
            self._transport.sendto(self._answer(data), sender)


def one_line(data: bytes) -> bytes:
    """RFC 864 lets a datagram have any length. No more than was asked with: nobody is to be flooded through us."""
    return LINES[0][: max(len(data), 1)]


# -- HTTP


def web(pages: Mapping[str, Page]) -> Talk:
    """HTTP/1.1, GET and HEAD of `pages` by path."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        again = True
        while again:
            try:
                async with asyncio.timeout(PATIENCE):
                    answer, again = answer_to(await reader.readuntil(b"\r\n\r\n"), pages)
                    writer.write(answer)
                    await writer.drain()
            except (asyncio.IncompleteReadError, TimeoutError):
                return
            except asyncio.LimitOverrunError:
                writer.write(response(431, "text/plain", b"Request too long\n", False))
                return

    return talk


def answer_to(head: bytes, pages: Mapping[str, Page]) -> tuple[bytes, bool]:
    """(the response, whether another request may follow)."""
    first, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return response(400, "text/plain", b"Bad request\n", False), False
    lower = [field.lower().replace(" ", "") for field in fields]
    has_body = any(field.startswith(("content-length:", "transfer-encoding:")) for field in lower)
    keep = words[2] == "HTTP/1.1" and not has_body and "connection:close" not in lower
    if words[0] not in ("GET", "HEAD"):
        return response(405, "text/plain", b"GET or HEAD\n", keep), keep
    page = pages.get(words[1].partition("?")[0])
    if page is None:
        answer = response(404, "text/plain", b"Not found\n", keep)
    else:
        answer = response(200, *page(), keep)
    return answer[: answer.index(b"\r\n\r\n") + 4] if words[0] == "HEAD" else answer, keep


_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}


def response(status: int, kind: str, body: bytes, keep: bool) -> bytes:
    fields = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {kind}; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options: nosniff",
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    if status == 405:
        fields.append("Allow: GET, HEAD")
    return "\r\n".join([*fields, "", ""]).encode() + body


# -- all of them


async def serve(addresses: Sequence[str], pages: Mapping[str, Page], tally: Tally, ready: Callable[[], None]) -> None:
    """Until it is cancelled. `ready` is called once all services are there."""
    loop = asyncio.get_running_loop()
    echoed, generated = Budget(ANSWERS), Budget(ANSWERS)
    talks = {
        (ECHO, "echo"): echo,
        (DISCARD, "discard"): discard,
        (CHARGEN, "chargen"): chargen(Budget(GENERATED)),
        (HTTP, "http"): web(pages),
    }
    answers: list[tuple[int, str, Callable[[bytes], bytes] | None, Budget]] = [
        (ECHO, "echo", bytes, echoed),
        (DISCARD, "discard", None, echoed),
        (CHARGEN, "chargen", one_line, generated),
    ]
    for (port, name), talk in talks.items():
        for address in addresses:
            limit = LONGEST_REQUEST if port == HTTP else CHUNK
            await asyncio.start_server(bounded(name, talk, tally), address, port, limit=limit)
    for address in addresses:  # each its own socket, so that an answer comes from the address that was asked
        for port, name, answer, budget in answers:
            await loop.create_datagram_endpoint(
                lambda name=name, answer=answer, budget=budget: Datagrams(name, answer, budget, tally),  # type: ignore[misc]
                (address, port),
            )
    ready()
    await asyncio.Event().wait()
