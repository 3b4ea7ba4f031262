"""What does a browser get, and how does it know what it is and where it ends?"""

from __future__ import annotations

from functools import partial
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.scene import Scene, noted, payload
from netglass.experiments.web import http_words
from netglass.times import SECOND, duration
from netglass.trace.recorder import Recorder


def run(rtt: str, apart: str) -> Outcome:
    from netglass.experiments.programs import pages

    scene = Scene(rtt, words=http_words("content-type", "content-length", "transfer-encoding"))
    seen = scene.play(partial(pages.serve, duration(apart) / SECOND), pages.browse)
    trace = scene.trace
    body = chunked_body(trace)
    figures: dict[str, Any] = {
        "pages": [each._asdict() for each in seen],
        "letters": len(pages.HTML_PAGE),
        "connections": len(trace.flows("client")),
        "chunks": chunk_sizes(body),
        "chunk_segments": len(streamed(trace)),
        "chunked_bytes": len(body),
    }
    rows = [(each.path, each.content_type.partition(";")[0], each.framing, each.found) for each in seen]
    table = Table(("page", "Content-Type", "its end", "what the browser finds"), rows)
    return Outcome(answer(figures), figures, [Part("four pages", trace)], table)


def streamed(trace: Recorder) -> list[bytes]:
    """The server's segments that answer the last request."""
    start = noted(trace, "client", '"GET /menu.xml')
    sent = [
        each for each in trace.transmissions("server") if each.length and each.time > start and not each.retransmission
    ]
    return [payload(each.packet) for each in sent]


def chunked_body(trace: Recorder) -> bytes:
    """As it is on the wire: with the sizes of the chunks."""
    return b"".join(streamed(trace)).partition(b"\r\n\r\n")[2]


def chunk_sizes(body: bytes) -> list[int]:
    sizes: list[int] = []
    while body:
        line, _, rest = body.partition(b"\r\n")
        sizes.append(int(line, 16))
        body = rest[sizes[-1] + 2 :]
    return sizes


def answer(seen: dict[str, Any]) -> str:
    html, _, xml, stream = seen["pages"]
    sizes = ", ".join([f"{size:x}" for size in seen["chunks"]])
    return (
        f"A page is bytes; what they mean is said by Content-Type, not by the name. The same {html['size']} bytes came three times. As text/html the browser finds {html['found']}, although the "
        f"items are never closed: HTML forgives. As text/plain it shows them as they are. As application/xml it finds {xml['found']}. XML demands that every tag is closed.\n"
        f"Where does an answer end, on {'one connection that stays open' if seen['connections'] == 1 else 'a connection'}? {html['framing']} counts bytes, not letters (there are {seen['letters']}: ê is one letter and, in "
        f"UTF-8, two bytes). {stream['path']} is sent while it is made, so nobody knows its length: {stream['framing']}. Each chunk begins with its size in hexadecimal ({sizes}), the one of size 0 is the end. "
        f"They came in {seen['chunk_segments']} segments; {stream['size']} bytes of XML were {seen['chunked_bytes']} on the wire, and the parser, who never saw a chunk, finds {stream['found']}."
    )


EXPERIMENT = Experiment(
    "html-and-xml",
    "services",
    "HTML and XML: what does a browser get, and where does it end?",
    run,
    (
        Parameter("rtt", "20ms", "round-trip time", "1us", "900ms"),
        Parameter("apart", "50ms", "how long the server takes for each piece of the XML", "0s", "10s"),
    ),
    ("aiohttp",),
)
