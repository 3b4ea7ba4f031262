"""The third ACK is lost, the server speaks first and uses SYN cookies."""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.lost_third_ack_server_first import greet
from netglass.experiments.scene import RTT, Scene, Steps, connect, noted, reached, receive
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.network.faults import drop
from netglass.network.match import third_ack
from netglass.tcp.config import COOKIES_ALWAYS
from netglass.times import HOUR, human


def listen_to_greeting(io: Io, patience: str) -> Steps:
    stream = yield from connect(io)
    assert isinstance(stream, Stream)
    yield from receive(io, stream, timeout=patience)


def run(rtt: str, patience: str) -> Outcome:
    server = HostConfig()
    server.tcp.syncookies = COOKIES_ALWAYS
    scene = Scene(rtt, faults=[drop(third_ack)], server=server)
    scene.server.spawn(greet)
    scene.client.spawn(listen_to_greeting, patience)
    scene.net.run(until=HOUR)
    trace = scene.trace
    figures: dict[str, Any] = {
        "client_established_after": reached(trace, "client", "ESTABLISHED"),
        "client_state_at_the_end": trace.state_at("client", HOUR),
        "server_established_after": reached(trace, "server", "ESTABLISHED"),
        "server_connections": len([each for each in scene.server.netstat() if each.state != "LISTEN"]),
        "half_open": max([each.half_open for each in trace.queues("server")], default=0),
        "syn_acks": len(trace.sent("server", "SA")),
        "application_gave_up_after": noted(trace, "client", "recv() fails"),
    }
    answer = (
        f"Then nobody ever speaks. A SYN cookie is a SYN-ACK that the server forgets: its SYN queue held {figures['half_open']} entries, so it has "
        f"no timer and sends {figures['syn_acks']} SYN-ACK and no more. The third ACK would have brought the cookie back; it is lost, and the server "
        f"has {figures['server_connections']} connections. The client has been {figures['client_state_at_the_end']} since "
        f"{human(figures['client_established_after'])}, has nothing to send, and so nothing to repeat: after an hour it still is. Only its "
        f"application can end it, with a timeout: this one lost patience after "
        f"{human(figures['application_gave_up_after'] - figures['client_established_after'])}. (RFC 4987 §3.6; net.ipv4.tcp_syncookies is 2 here, so that "
        f"cookies are used at once; with 1, the default, they are used when the SYN queue is full.)"
    )
    return Outcome(answer, figures, [Part("SYN cookies, the server speaks first", trace)])


EXPERIMENT = Experiment(
    "lost-third-ack-cookies",
    "opening",
    "What if the third ACK is lost, the server speaks first and uses SYN cookies?",
    run,
    (
        RTT,
        Parameter("patience", "30s", "how long the client's application waits for the greeting", "1s", "30min"),
    ),
)
