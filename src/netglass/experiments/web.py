"""HTTP in few words, for the ladders of the experiments with it."""

from __future__ import annotations

from netglass.experiments.scene import Say, lines
from netglass.probe import Flow


def http_words(*headers: str) -> Say:
    """Of a message the first line, these headers (in lower case), and the body; of what goes on in a later segment its
    lines."""

    def say(data: bytes, flow: Flow) -> list[str]:
        head, blank, body = data.partition(b"\r\n\r\n")
        first, *fields = head.decode(errors="replace").split("\r\n")
        if not blank or "HTTP/1." not in first:
            return lines(data, flow)
        told = [field for field in fields if field.partition(":")[0].lower() in headers]
        return [f'"{text}"' for text in (first, *told)] + lines(body, flow)

    return say
