"""What does netstat show, and what does each line wait for?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Table
from netglass.experiments.measure import counted, spoken
from netglass.experiments.scene import Steps
from netglass.host.table import SocketEntry
from netglass.lab.io import Io, Stream
from netglass.lab.network import Network
from netglass.lab.segments import forge
from netglass.times import duration
from netglass.trace.table import netstat

CUT: Final = "300ms"
"""When the cable to `mute` breaks."""

HEADS: Final = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State", "Timer")

WAITS: Final = {
    "LISTEN": "for connections",
    "SYN_RECV": "for the third segment of a handshake; no program knows of it yet, and still it is listed, as Linux does",
    "SYN_SENT": "for an answer to its SYN",
    "ESTABLISHED": "for nothing: data may go both ways",
    "CLOSE_WAIT": "for its own program, which should call close(): the peer has. There is no timer; many such lines are a program that forgets to close",
    "FIN_WAIT1": "for the ACK of its FIN",
    "FIN_WAIT2": "for the peer's FIN; once no program holds it, for 60 s (net.ipv4.tcp_fin_timeout)",
    "LAST_ACK": "for the ACK of its FIN, which was the second one",
    "CLOSING": "for the ACK of its FIN; the peer's came meanwhile",
    "TIME_WAIT": "for 60 s (2 MSL), so that nothing old is under way",
}


# -- the server's programs, each on a port of its own


def idle(io: Io, stream: Stream) -> Steps:
    yield from io.sleep("1 h")


def reads_and_closes(io: Io, stream: Stream) -> Steps:
    yield from stream.receive()
    stream.close()


def reads_until_the_end_and_closes(io: Io, stream: Stream) -> Steps:
    yield from stream.receive_all()
    yield from io.sleep(CUT)
    stream.close()


def talks_much(io: Io, stream: Stream) -> Steps:
    yield from stream.send(bytes(10_000_000), timeout="1 h")


SERVICES: Final = {80: idle, 81: reads_and_closes, 82: reads_until_the_end_and_closes, 83: talks_much}


def serve(io: Io, port: int) -> Steps:
    listener = io.listen(port, 5)
    while True:
        stream = yield from listener.accept()
        io.spawn(SERVICES[port], stream)


def accepts_nobody(io: Io) -> Steps:
    io.listen(90, 5)
    io.udp(53)
    yield from io.sleep("1 h")


def calls_nobody(io: Io) -> Steps:
    yield from io.sleep("400ms")
    yield from io.connect("mute", 9)


# -- the others'


def leaves(io: Io) -> Steps:
    """CLOSE-WAIT at the server: it does not notice, or does not care."""
    stream = yield from io.connect("server", 80, source_port=40001)
    stream.close()


def stays(io: Io) -> Steps:
    stream = yield from io.connect("server", 80, source_port=40002)
    yield from stream.send(b"unread")
    yield from io.sleep("1 h")


def asks(io: Io, port: int, number: int) -> Steps:
    """And closes when the server has."""
    stream = yield from io.connect("server", port, source_port=number)
    yield from stream.send(b"question")
    yield from stream.receive_all()
    stream.close()


def asks_and_keeps(io: Io) -> Steps:
    """FIN-WAIT-2 at the server: it has closed, and the other end does not."""
    stream = yield from io.connect("server", 81, source_port=40004)
    yield from stream.send(b"question")
    yield from io.sleep("1 h")


def asks_late(io: Io) -> Steps:
    """FIN-WAIT-1 at the server: from here on no ACK gets through."""
    stream = yield from io.connect("server", 81, source_port=40005)
    yield from io.sleep(duration(CUT) - duration("25 ms"))
    yield from stream.send(b"question")
    yield from io.sleep("1 h")


def ends(io: Io) -> Steps:
    """LAST-ACK at the server: it closes when nobody can hear it any more."""
    stream = yield from io.connect("server", 82, source_port=40006)
    stream.close()


def reads_nothing(io: Io) -> Steps:
    yield from io.connect("server", 83, source_port=40007)
    yield from io.sleep("1 h")


def waits_in_line(io: Io) -> Steps:
    yield from io.connect("server", 90, source_port=40008)
    yield from io.sleep("1 h")


def sends_a_datagram(io: Io) -> Steps:
    yield from io.udp().send_to(b"question", "server", 53)


def knocks(io: Io, address: str) -> Steps:
    """SYN-RECEIVED at the server: a SYN from an address in the client's network at which nobody answers."""
    yield from io.sleep("500ms")
    io.inject(forge(f"{address.rpartition('.')[0]}.200", 40009, address, 80, "S", seq=1000, mss=1460))


def look(at: str) -> tuple[list[SocketEntry], str]:
    """The server's sockets at that time, and the same as netstat prints them."""
    net = Network(seed=1)
    server, client, mute = net.host("server"), net.host("client"), net.host("mute")
    net.cable(client, server, delay="10 ms")
    net.cable(mute, server, delay="10 ms")
    net.at(CUT, lambda: net.partition("mute", "server"))
    for port in SERVICES:
        server.spawn(serve, port)
    for program in (accepts_nobody, calls_nobody):
        server.spawn(program)
    for program in (leaves, stays, asks_and_keeps, reads_nothing, waits_in_line, sends_a_datagram):
        client.spawn(program)
    client.spawn(asks, 81, 40003)
    client.spawn(knocks, server.addresses[0])
    for program in (asks_late, ends):
        mute.spawn(program)
    net.run(until=at, expect_errors=True)
    return server.netstat(), netstat(server.netstat(), net.now())


def run(at: str) -> Outcome:
    entries, text = look(at)
    rows = [cells(line) for line in text.splitlines()[1:]]
    figures = {
        "lines": [dict(zip(HEADS, row, strict=True)) for row in rows],
        "states": sorted({row[5] for row in rows if row[5]}),
        "half_open": [each.state for each in entries].count("SYN-RECEIVED"),
    }
    shown = [(row[3], row[4], row[5], row[1], row[2], row[6]) for row in rows]
    heads_shown = ("Local Address", "Foreign Address", "State", "Recv-Q", "Send-Q", "Timer")
    return Outcome(answer(at, figures), figures, table=Table(heads_shown, shown))


def cells(line: str) -> list[str]:
    """As `HEADS`. UDP has no state; a timer is two words."""
    words = line.split()
    state = words[5] if len(words) == 8 else ""
    return [*words[:5], state, " ".join(words[-2:])]


def answer(at: str, figures: dict[str, Any]) -> str:
    states = [f"  {state:<11} {why}." for state, why in WAITS.items() if state in figures["states"]]
    return "\n".join(
        [
            f"This is what `netstat -anto` would print on a server {spoken(duration(at))} after it began: {counted(len(figures['lines']), 'socket')}, {figures['half_open'] or 'none'} of them half open (SYN_RECV). Each state waits for something:",
            *states,
            "Recv-Q is what the program has not read yet, Send-Q what the peer has not acknowledged; of a listener, Recv-Q is how many connections lie ready for accept(). The timer says (seconds to go/how often it ran out/0): 'on' repeats a segment, 'probe' asks a peer that "
            "has no room, 'timewait' ends a TIME_WAIT or a FIN_WAIT2 that no program holds. Look again later: --at 2s, --at 30s, --at 2min, --at 20min.",
        ]
    )


EXPERIMENT = Experiment(
    "netstat",
    "reliable",
    "What does netstat show, and what does each line wait for?",
    run,
    (Parameter("at", "1s", "when one looks", "1ms", "50min"),),
)
