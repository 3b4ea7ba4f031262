"""What if the SYN queue is full?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, listed, noted
from netglass.host.config import HostConfig
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.segments import forge
from netglass.sockets.constants import IPPROTO_TCP, TCP_SYNCNT
from netglass.tcp.config import COOKIES_NEVER, COOKIES_WHEN_FULL
from netglass.times import human


def flood(io: Io, server: LabHost, count: int) -> Steps:
    """SYNs from addresses where nobody answers, in the attacker's own network."""
    target = server.addresses[-2]
    network = target.rpartition(".")[0]
    for number in range(count):
        io.inject(forge(f"{network}.{200 + number}", 1024 + number, target, 80, "S", seq=1000 * number, mss=1460))
    yield from io.sleep(0)


def late(io: Io) -> Steps:
    yield from io.sleep("100ms")
    yield from connect(io)


def play(rtt: str, backlog: int, retries: int, cookies: int) -> Scene:
    server = HostConfig()
    server.tcp.syncookies = cookies
    scene = Scene(rtt, server=server)
    attacker = scene.net.host("attacker")
    scene.net.cable(attacker, scene.server, delay=scene.cable.lanes[0].delay)
    scene.server.spawn(accept_one, backlog, ((IPPROTO_TCP, TCP_SYNCNT, retries),))
    attacker.spawn(flood, scene.server, backlog + 1)
    scene.client.spawn(late)
    scene.net.run(until="5 min")
    return scene


def figures_of(scene: Scene) -> dict[str, Any]:
    trace = scene.trace
    return {
        "most_half_open": max(each.half_open for each in trace.queues("server")),
        "syn_times": trace.times("client", "S"),
        "syns_dropped": len(trace.drops("server", "syn-queue-full")),
        "connected_after": noted(trace, "client", "connect() returns") - noted(trace, "client", "connect()"),
        "connected": noted(trace, "client", "connect() returns") >= 0,
        "cookies": scene.server.core.counters.counts.get("syncookies-received", 0),
    }


def run(rtt: str, backlog: int, retries: int) -> Outcome:
    dropped, cookie = play(rtt, backlog, retries, COOKIES_NEVER), play(rtt, backlog, retries, COOKIES_WHEN_FULL)
    without, with_cookies = figures_of(dropped), figures_of(cookie)
    waited = human(without["connected_after"]) if without["connected"] else "for ever"
    answer = (
        f"The server called listen() with a backlog of {backlog}, and {without['most_half_open']} half-open connections that nobody will complete fill its SYN queue: Linux "
        f"counts one more than the backlog. Without SYN cookies the honest client's SYN is dropped without a word, {without['syns_dropped']} times; "
        f"to the client this looks like loss, and it tries again (at {listed(without['syn_times'])}). It waited {waited}, until forged entries had "
        f"timed out.\n"
        f"With SYN cookies (net.ipv4.tcp_syncookies = 1, the default) the full queue does not matter: the server puts what it must remember into the "
        f"sequence number of its SYN-ACK and forgets it; the third segment brings it back ({with_cookies['cookies']} cookie). The client "
        f"waited {human(with_cookies['connected_after'])}, one round trip."
    )
    hosts = ("client", "server", "attacker")
    parts = [
        Part("without SYN cookies", dropped.trace, hosts),
        Part("with SYN cookies", cookie.trace, hosts, end="500 ms"),
    ]
    return Outcome(answer, {"without_cookies": without, "with_cookies": with_cookies}, parts)


EXPERIMENT = Experiment(
    "syn-queue-full",
    "opening",
    "What if the SYN queue is full?",
    run,
    (
        RTT,
        Parameter("backlog", 1, "what the server gives to listen()", 1, 50),
        Parameter("retries", 1, "how often the listener repeats a SYN-ACK (TCP_SYNCNT)", 1, 127),
    ),
)
