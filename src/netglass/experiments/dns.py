"""What does a name lookup look like, and what if the query is lost?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted
from netglass.experiments.scene import Scene, listed
from netglass.network.faults import drop
from netglass.network.match import udp
from netglass.probe import Flow
from netglass.times import SECOND, duration, human
from netglass.trace.recorder import Recorder

ALIAS: Final = "www.test"
NOBODY: Final = "nobody.test"
LARGE: Final = "many.test"


def run(rtt: str, losses: int, patience: str) -> Outcome:
    from netglass.experiments.programs import names

    def say(data: bytes, flow: Flow) -> list[str]:
        return [names.words(data)] if data else []

    scene = Scene(rtt, [drop(udp.from_("client"), times=losses)] if losses else [], words=say)
    seconds = duration(patience) / SECOND
    asked = (ALIAS, NOBODY, LARGE)
    found = scene.play(names.serve, names.look_up, str(scene.server.address), list(asked), seconds)
    trace = scene.trace
    queries = [each for each in trace.transmissions("client") if each.segment is None]
    first = [note.time for note in trace.notes("client", "words") if note.text == f"A {ALIAS}?"]
    figures: dict[str, Any] = {
        "answers": {name: text for name, (text, _) in zip(asked, found, strict=True)},
        "took": {name: round(took * SECOND) for name, (_, took) in zip(asked, found, strict=True)},
        "queries": first,
        "lost": len(trace.losses()),
        "ports": [each.flow[1] for each in queries if each.flow is not None],
        "datagrams": len([each for each in trace.transmissions() if each.segment is None]),
        "segments": len([each for each in trace.transmissions() if each.segment is not None]),
        "large_bytes": large_bytes(trace),
    }
    return Outcome(told(figures), figures, [Part("three names", trace)])


def large_bytes(trace: Recorder) -> int:
    """Of the answer over TCP."""
    return sum(
        [each.length for each in trace.transmissions("server") if each.segment is not None and not each.retransmission]
    )


def told(seen: dict[str, Any]) -> str:
    took, queries, answers = seen["took"], seen["queries"], seen["answers"]
    if not seen["lost"]:
        lost = f"One datagram there, one back: {ALIAS} took {human(took[ALIAS])}. Were one of them lost, nobody would send it again but the program that asked: try --losses 1."
    else:
        lost = (
            f"One datagram there, one back, and nobody sends a lost one again but the program that asked. {counted(seen['lost'], 'query', 'queries').capitalize()} "
            f"{'was' if seen['lost'] == 1 else 'were'} lost: the program asked at {listed(queries)}, each time from another port (who forges an answer must guess port and number), and {ALIAS} took "
            f"{human(took[ALIAS])}: {answers[ALIAS]}."
        )
    return (
        f'{lost} "{answers[NOBODY]}" for {NOBODY} is an answer too, after {human(took[NOBODY])}: the name does not exist. Silence says nothing, not even that.\n'
        f"The {answers[LARGE]} of {LARGE} do not fit in the 512 bytes that a plain DNS datagram may have (RFC 1035 §4.2.1). The server says so, and the program asks again over TCP, where a message has "
        f"its length in front: {seen['large_bytes']} bytes, {human(took[LARGE])} in all, {seen['segments']} segments beside {seen['datagrams']} datagrams for everything else. "
        f"A firewall that lets only UDP through to port 53 breaks exactly the large names."
    )


EXPERIMENT = Experiment(
    "dns",
    "services",
    "DNS: what does a name lookup look like, and what if the query is lost?",
    run,
    (
        Parameter("rtt", "20ms", "round-trip time", "1us", "900ms"),
        Parameter("losses", 1, "how many queries are lost", 0, 9),
        Parameter("patience", "5s", "how long the program goes on asking for a name", "3s", "60s"),
    ),
    ("dnslib", "dns"),
)
