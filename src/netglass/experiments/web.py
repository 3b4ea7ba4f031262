"""HTTP in few words, for the ladders of the experiments with it."""

from __future__ import annotations

from netglass.experiments.scene import Say, lines
from netglass.probe import Flow


def http_words(*headers: str) -> Say:
    """Of a message the first line, these headers (in lower case), and the body, in full the first time; of what goes on
    in a later segment its lines."""
    told: set[bytes] = set()

    def say(data: bytes, flow: Flow) -> list[str]:
        head, blank, body = data.partition(b"\r\n\r\n")
        first, *fields = head.decode(errors="replace").split("\r\n")
        if not blank or "HTTP/1." not in first:
            return lines(data, flow)
        shown = [
            f'"{text}"' for text in (first, *[each for each in fields if each.partition(":")[0].lower() in headers])
        ]
        again = body in told and body.count(b"\n") > 1
        told.add(body)
        return [*shown, *([f"and the same {len(body)} bytes"] if again else lines(body, flow))]

    return say
