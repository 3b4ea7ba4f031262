"""What if the accept queue is full?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import after, so_often
from netglass.experiments.scene import RTT, Scene, Steps, connect, listed, noted, reached
from netglass.host.config import HostConfig
from netglass.lab.io import Io
from netglass.tcp.config import COOKIES_ALWAYS, COOKIES_WHEN_FULL
from netglass.times import MILLISECOND, SECOND, duration, human

BACKLOG: Final = 1


def busy(io: Io, time: str) -> Steps:
    """A server that is too busy to accept."""
    listener = io.listen(80, backlog=BACKLOG)
    io.note(f"listen(), backlog {BACKLOG}")
    yield from io.sleep(time)
    while True:
        yield from listener.accept()
        io.note("accept() returns")


def wait_and_connect(io: Io, pause: int) -> Steps:
    yield from io.sleep(pause)
    yield from connect(io)


def fill(io: Io) -> Steps:
    """A guest who takes all places: one at once, the last one a little later."""
    yield from io.connect("server", 80)
    yield from io.sleep("20ms")
    yield from io.connect("server", 80)


def play(rtt: str, time: str, pause: int, cookies: int) -> Scene:
    """The client connects `pause` after the guest's last SYN."""
    server = HostConfig()
    server.tcp.syncookies = cookies
    scene = Scene(rtt, server=server)
    guest = scene.net.host("guest")
    scene.net.cable(scene.server, guest, delay=scene.cable.lanes[0].delay)
    scene.server.spawn(busy, time)
    guest.spawn(fill)
    scene.client.spawn(wait_and_connect, duration(rtt) + duration("20ms") + pause)
    scene.net.run(until="10 min")
    return scene


def figures_of(scene: Scene) -> dict[str, Any]:
    trace = scene.trace
    flow = trace.flows("client")[0]
    server_side = (flow[2], flow[3], flow[0], flow[1])
    established = [each.time for each in trace.state_changes("server", server_side) if each.new == "ESTABLISHED"]
    return {
        "most_complete": max(each.complete for each in trace.queues("server")),
        "syn_times": trace.times("client", "S"),
        "syn_ack_times": trace.times("server", "SA", flow),
        "dropped": len(trace.drops("server", "accept-queue-full")),
        "connect_took": noted(trace, "client", "connect() returns") - noted(trace, "client", "connect()"),
        "client_established_after": reached(trace, "client", "ESTABLISHED"),
        "server_established_after": established[0] if established else -1,
    }


def run(rtt: str, busy: str) -> Outcome:
    ack, syn = (
        play(rtt, busy, min(MILLISECOND, duration(rtt) // 4), COOKIES_WHEN_FULL),
        play(rtt, busy, SECOND // 2, COOKIES_WHEN_FULL),
    )
    cookies = figures_of(play(rtt, busy, SECOND // 2, COOKIES_ALWAYS))
    ignored, turned_away = figures_of(ack), figures_of(syn)
    hosts = ("client", "server", "guest")
    parts = [
        Part("the third ACK finds the queue full", ack.trace, hosts),
        Part("the SYN finds the queue full", syn.trace, hosts),
    ]
    if not ignored["dropped"] or not turned_away["dropped"]:
        return Outcome(
            f"The server accepted {after(duration(busy))}: too early for its accept queue to be full when the client's segments came. A longer --busy shows what happens.",
            {"third_ack": ignored, "syn": turned_away, "syn_with_cookies": cookies},
            parts,
        )
    repeated = ignored["syn_ack_times"][1:]
    again = f" at {listed(repeated)}" if repeated else ""
    gap = ignored["server_established_after"] - ignored["client_established_after"]
    answer = (
        f"The server called listen() with a backlog of {BACKLOG}, so its accept queue holds {ignored['most_complete']} connections, and it is too busy to accept. "
        f"The client's SYN came while there was room, its third ACK when there was none: the ACK is ignored ({so_often(ignored['dropped'])}). But "
        f"for the client the handshake is over: connect() returned after {human(ignored['connect_took'])}, and it believes that it is connected. "
        f"On the wire the SYN-ACK, first sent at {human(ignored['syn_ack_times'][0])}, comes again{again}, until there is room: the server's end is "
        f"ESTABLISHED {human(gap)} after the client's. (With net.ipv4.tcp_abort_on_overflow = 1 it sends a RST instead.)\n"
        f"A SYN that comes when the accept queue is full is dropped ({so_often(turned_away['dropped'])} here), and SYN cookies do not help (with them: "
        f"{so_often(cookies['dropped'])}): the client sends it at {listed(turned_away['syn_times'])}."
    )
    return Outcome(answer, {"third_ack": ignored, "syn": turned_away, "syn_with_cookies": cookies}, parts)


EXPERIMENT = Experiment(
    "accept-queue-full",
    "opening",
    "What if the accept queue is full?",
    run,
    (
        RTT,
        Parameter("busy", "2500ms", "how long the server does not accept", "0s", "30s"),
    ),
)
