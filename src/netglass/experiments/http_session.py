"""How does a server know a browser again?"""

from __future__ import annotations

from functools import partial
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import spoken
from netglass.experiments.scene import Scene
from netglass.experiments.web import http_words
from netglass.times import SECOND, duration


def run(rtt: str, pause: str, lifetime: str) -> Outcome:
    from netglass.experiments.programs import session

    scene = Scene(rtt, words=http_words("cookie", "set-cookie"))
    serve = partial(session.serve, duration(lifetime) / SECOND)
    visits = scene.play(serve, session.visit, duration(pause) / SECOND)
    trace = scene.trace
    told = [note.text for note in trace.notes("server", "words") if note.text.startswith('"Set-Cookie')]
    openings = trace.times("client", "S")
    figures: dict[str, Any] = {
        "visits": [each._asdict() for each in visits],
        "set_cookie": [text.strip('"') for text in told],
        "cookies_sent": len([each for each in visits if each.cookie]),
        "connections": len(trace.flows("client")),
        "known": [each.who for each in visits if each.answer.startswith("Hello")],
    }
    rows = [(each.who, each.request, each.cookie or "none", each.answer) for each in visits]
    later = openings[1]
    parts = [Part("Ann logs in", trace, end=later - 1), Part("Ann comes again, then Ben, then Eve", trace, start=later)]
    return Outcome(
        answer(figures, pause, lifetime), figures, parts, Table(("who", "request", "cookie", "answer"), rows)
    )


def answer(seen: dict[str, Any], pause: str, lifetime: str) -> str:
    again, ben, eve = seen["visits"][-3:]
    if again["who"] in seen["known"]:
        later = (
            f'{spoken(duration(pause))} later, over a new connection, the cookie goes with the request, and the server answers "{again["answer"]}". So the '
            f"session belongs neither to a connection ({seen['connections']} of them here) nor to the address (it is the same for all)."
        )
        thief = f'Eve has only a copy of Ann\'s cookie, and for the server she is Ann: "{eve["answer"]}"'
    else:
        later = (
            f"{spoken(duration(pause))} later the cookie goes with the request, but the server forgets who was away for more than "
            f'{spoken(duration(lifetime))}: "{again["answer"]}".'
        )
        thief = f'Eve has a copy of Ann\'s cookie, which is worth nothing any more: "{eve["answer"]}"'
    return (
        f'HTTP forgets: each request stands alone. When Ann logs in, the server answers with "{seen["set_cookie"][0]}", and from then on her browser '
        f"sends that back with each request to this server; nothing else in the requests says who she is. The browser has the key, the server everything else: the name and "
        f"how often she came. {later}\n"
        f'Ben sends no cookie: "{ben["answer"]}". {thief}. Hence keys that nobody can guess, HttpOnly (scripts of the page cannot read it), and TLS with Secure (nobody '
        f"on the way can: here all of it can be read in the picture)."
    )


EXPERIMENT = Experiment(
    "http-session",
    "services",
    "HTTP: how does a server know a browser again?",
    run,
    (
        Parameter("rtt", "20ms", "round-trip time", "1us", "900ms"),
        Parameter("pause", "10s", "how long Ann is away", "2s", "24h"),
        Parameter("lifetime", "30min", "how long the server remembers who is away", "5s", "24h"),
    ),
    ("aiohttp",),
)
