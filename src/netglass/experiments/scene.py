"""The stage on which nearly every experiment plays: a client, a server, one cable, a recorder that sees all of it; and
programs that both ends run. Real ones, of `experiments.programs`, run through `play`, and `Words` notes what they say."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Final

from netglass import errnos
from netglass.experiments.experiment import Parameter
from netglass.host.config import HostConfig
from netglass.lab.host import LabHost
from netglass.lab.io import Io, Options, Stream
from netglass.lab.network import Network
from netglass.network.cable import Cable
from netglass.network.fault import Fault
from netglass.probe import Flow, Probe, TcbSnapshot
from netglass.times import duration, human
from netglass.trace.recorder import Recorder
from netglass.trace.records import Packet, flow_of
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import TcpSegment
from netglass.wire.udp import UdpDatagram

Steps = Generator[Any, None, Any]
"""What a program is."""

Say = Callable[[bytes, Flow], Iterable[str]]
"""Puts what a packet carries into words."""

RTT: Final = Parameter("rtt", "40ms", "round-trip time", "1us", "900ms")
"""Not longer: from 1 s on the first timers run out before the first answers come."""

MOST_LINES: Final = 10


class Scene:
    """`rtt` is there and back. `faults` sit in the cable. Each host may be given a configuration of its own. With `words`
    what hosts say to each other is noted."""

    def __init__(
        self,
        rtt: int | str = "40ms",
        faults: Sequence[Fault] = (),
        client: HostConfig | None = None,
        server: HostConfig | None = None,
        seed: int = 1,
        words: Say | None = None,
    ) -> None:
        self.trace = Recorder()
        self.net = Network(seed=seed)
        if words is not None:
            self.net.observe(
                Words(self.trace, words)
            )  # before the trace: words stand above the arrow that carries them
        self.net.observe(self.trace)
        self.client: LabHost = self.net.host("client", config=client)
        self.server: LabHost = self.net.host("server", config=server)
        self.cable: Cable = self.net.cable(self.client, self.server, delay=duration(rtt) // 2, faults=list(faults))

    def play(self, serve: Callable[[], object], ask: Callable[..., Any], *args: Any) -> Any:
        """Runs ordinary Python programs, as they are: `serve()` on the server, for as long as the other takes, and
        `ask(*args)` on the client, and a second more. What `ask` returns."""
        from netglass.experiments.programs.rest import then_rest
        from netglass.programs.run import run, spawn  # most experiments do without

        spawn(self.server, serve, daemon=True)
        return run(self.client, then_rest, ask, *args)


# -- what real programs say


class Words(Probe):
    """Notes what each host says, when it says it: the words that `say` finds in the payload of a packet. `say` is also
    told the connection, (source, port, destination, port)."""

    __slots__ = ("_say", "_trace")

    def __init__(self, trace: Recorder, say: Say) -> None:
        self._say: Say = say
        self._trace: Recorder = trace

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        flow = flow_of(packet)
        if flow is None or (tcb is None and isinstance(packet.payload, TcpSegment)):
            return  # it has no payload; or a router passes it on
        for text in self._say(payload(packet), flow):
            self._trace.note(host, "words", text, now)


def payload(packet: Packet) -> bytes:
    """What a TCP or UDP packet carries."""
    content = packet.payload
    if isinstance(content, TcpSegment):
        return b"".join(content.chunks)
    return bytes(content.payload) if isinstance(content, UdpDatagram) else b""


def lines(data: bytes, flow: Flow) -> list[str]:
    """Each line of a text, in quotes; of a long one how it begins and ends."""
    found = [f'"{line}"' for line in data.decode(errors="replace").splitlines() if line]
    hidden = len(found) - MOST_LINES
    return found if hidden < 1 else [*found[: MOST_LINES - 2], f"... {hidden + 1} more lines", found[-1]]


# -- programs. What they do is noted, so that the ladder shows it.


def accept_one(io: Io, backlog: int = 128, options: Options = ()) -> Generator[Any, None, Stream]:
    """A server that takes one connection and says nothing. The result is its stream."""
    listener = io.listen(80, backlog, options=options)
    io.note("listen()")
    stream = yield from listener.accept()
    io.note("accept() returns")
    return stream


def connect(io: Io, options: Options = (), timeout: int | str | None = None) -> Generator[Any, None, Stream | str]:
    """A client that connects and says nothing. The result is its stream, or the name of the error."""
    io.note("connect()")
    try:
        stream = yield from io.connect("server", 80, timeout, options)
    except OSError as error:
        name = error_name(error)
        io.note(f"connect() fails: {name}")
        return name
    io.note("connect() returns")
    return stream


def receive(io: Io, stream: Stream, timeout: int | str | None = None) -> Generator[Any, None, bytes | str]:
    """What comes next on `stream`, or the name of the error."""
    try:
        text = yield from stream.receive(timeout=timeout)
    except OSError as error:
        name = error_name(error)
        io.note(f"recv() fails: {name}")
        return name
    io.note(f"recv() returns {text.decode()!r}" if text else "recv() returns nothing: the end")
    return text


def serve_until_closed(io: Io, work: int | str = 0) -> Steps:
    """A server whose one client closes first."""
    stream = yield from io.listen(80).accept()
    yield from close_second(io, stream, work)


def call_and_close(io: Io) -> Steps:
    """A client that connects and closes."""
    stream = yield from io.connect("server", 80)
    yield from close_first(io, stream)


def close_first(io: Io, stream: Stream) -> Steps:
    """Closes after a second: the handshake is out of the picture then."""
    yield from io.sleep("1 s")
    io.note("close()")
    stream.close()


def close_second(io: Io, stream: Stream, work: int | str = 0) -> Steps:
    """Reads until the other end closes, works for a while, and closes too."""
    yield from stream.receive_all()
    io.note("recv() returns 0")
    yield from io.sleep(work)
    io.note("close()")
    stream.close()


def error_name(error: OSError) -> str:
    """As "ECONNREFUSED"."""
    return errnos.name(error.errno or 0)


# -- readings


def segments_sent(trace: Recorder, host: str, flags: str) -> list[TcpSegment]:
    """The TCP segments with these flags that `host` sent."""
    return [each.segment for each in trace.sent(host, flags) if each.segment is not None]


def reached(trace: Recorder, host: str, state: str) -> int:
    """When the first connection of `host` came to `state`, in ns; -1 if none did."""
    times = [change.time for change in trace.state_changes(host) if change.new == state]
    return times[0] if times else -1


def noted(trace: Recorder, host: str, text: str) -> int:
    """When a program on `host` noted something that begins with `text`, in ns; -1 if never."""
    times = [note.time for note in trace.notes(host) if note.text.startswith(text)]
    return times[0] if times else -1


def resets(trace: Recorder) -> int:
    """How many RSTs there were on the cables."""
    return len(trace.transmissions(flags="R")) + len(trace.transmissions(flags="RA"))


# -- words


def listed(times: Sequence[int]) -> str:
    """Times as one says them: "0, 1 s, 3 s"."""
    return ", ".join([human(each) if each else "0" for each in times])
