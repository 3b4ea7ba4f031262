"""What the tests of `netglass.trace` look at: an exchange told by hand to a recorder, and exchanges of the lab."""

from __future__ import annotations

from netglass import Network, faults, match
from netglass.probe import TcbSnapshot
from netglass.times import MILLISECOND, NEVER
from netglass.trace import Recorder
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, FIN, SYN, TcpSegment

CLIENT = (b"\x0a\x00\x00\x01", 40000)
SERVER = (b"\x0a\x00\x00\x02", 80)
FLOW = (*CLIENT, *SERVER)
ISS = {"client": 1000, "server": 0xFFFFFFF0}  # the server's numbers wrap soon


class Play:
    """Two hosts, one cable of 10 ms; tells a recorder what real ones would."""

    def __init__(self, recorder: Recorder | None = None):
        self.trace = recorder or Recorder()
        self.now = 0
        self.number = 0

    def packet(self, source, flags, seq, ack=0, length=0):
        own, other = (CLIENT, SERVER) if source == "client" else (SERVER, CLIENT)
        base, back = ISS[source], ISS["server" if source == "client" else "client"]
        chunks = (b"x" * length,) if length else ()
        numbers = ((base + seq) & 0xFFFFFFFF, (back + ack) & 0xFFFFFFFF if flags & ACK else 0)
        segment = TcpSegment(own[1], other[1], *numbers, flags, 65535, chunks, length)
        return IpPacket(own[0], other[0], TCP, segment)

    def snapshot(self, host, state):
        tcb = TcbSnapshot()
        tcb.state = state
        tcb.iss = ISS[host]
        return tcb

    def state(self, host, old, new):
        flow = FLOW if host == "client" else (*SERVER, *CLIENT)
        self.trace.state_changed(host, flow, old, new, self.now)

    def leave(self, source, packet, note="", lost=False, delay=10 * MILLISECOND, frame=None, tcb=None):
        """`source` sends, the cable takes it."""
        destination = "server" if source == "client" else "client"
        self.trace.packet_sent(source, "eth0", packet, tcb, self.now)
        self.number += 1
        arrives = NEVER if lost else self.now + delay
        self.trace.carried("cable", source, destination, self.number, packet, frame, self.now, arrives, note)

    def reach(self, destination, packet):
        self.trace.packet_received(destination, "eth0", packet, self.now)

    def done(self, destination, packet, tcb=None):
        self.trace.packet_done(destination, packet, tcb, self.now)


def handshake(recorder: Recorder | None = None) -> Recorder:
    """SYN, SYN-ACK, ACK, with states and queues, told by hand."""
    play = Play(recorder)
    syn = play.packet("client", SYN, 0)
    syn_ack = play.packet("server", SYN | ACK, 0, 1)
    ack = play.packet("client", ACK, 1, 1)
    play.state("client", "CLOSED", "SYN-SENT")
    play.leave("client", syn, tcb=play.snapshot("client", "SYN-SENT"))
    play.now += 10 * MILLISECOND
    play.reach("server", syn)
    play.state("server", "LISTEN", "SYN-RECEIVED")
    play.trace.queue_changed("server", 80, 1, 0, 6, 6, play.now)
    play.done("server", syn)
    play.leave("server", syn_ack)
    play.now += 10 * MILLISECOND
    play.reach("client", syn_ack)
    play.state("client", "SYN-SENT", "ESTABLISHED")
    play.done("client", syn_ack, play.snapshot("client", "ESTABLISHED"))
    play.leave("client", ack)
    play.now += 10 * MILLISECOND
    play.reach("server", ack)
    play.trace.queue_changed("server", 80, 0, 1, 6, 6, play.now)
    play.state("server", "SYN-RECEIVED", "ESTABLISHED")
    play.done("server", ack)
    return play.trace


def two_losses() -> Recorder:
    """A FIN that is lost twice and comes a third time."""
    play = Play()
    for lost in (True, True, False):
        fin = play.packet("client", FIN | ACK, 1, 1)
        if play.now:
            play.trace.timer_fired("client", FLOW, "retransmission", play.now)
        play.leave("client", fin, note="drop FIN" if lost else "", lost=lost)
        play.now += 200 * MILLISECOND
    return play.trace


def corrupted() -> Recorder:
    """A segment of which the server gets bytes that are no packet any more."""
    play = Play()
    packet = play.packet("client", ACK, 1, 1, length=4)
    frame = bytearray(packet_bytes(packet))
    frame[-1] ^= 1
    play.leave("client", packet, note="corrupt data", frame=bytes(frame))
    play.now += 10 * MILLISECOND
    play.trace.packet_dropped("server", None, "tcp-checksum", play.now)
    return play.trace


# -- the lab


def conversation(*trouble, size=5, router=False, serialise=False, seed=1, run=None, **cable) -> Recorder:
    """A client asks 5 bytes, a server answers `size` bytes and closes; the client closes then."""
    net = Network(seed=seed, serialise=serialise)
    client, server = net.host("client"), net.host("server")
    cable = {"delay": "10 ms", **cable}
    if router:
        middle = net.router("router")
        net.cable(client, middle, faults=trouble, **cable)
        net.cable(middle, server, **cable)
    else:
        net.cable(client, server, faults=trouble, **cable)
    trace = Recorder()
    net.observe(trace)

    def serve(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        yield from stream.receive()
        yield from stream.send(b"a" * size)
        stream.close()
        listener.close()

    def ask(io):
        stream = yield from io.connect("server", 80)
        yield from stream.send(b"GET /")
        yield from stream.receive_all()
        stream.close()

    server.spawn(serve)
    client.spawn(ask)
    net.run(run, expect_errors=True)
    return trace


def simultaneous_open() -> Recorder:
    net = Network()
    left, right = net.host("left"), net.host("right")
    net.cable(left, right, delay="10 ms")
    trace = Recorder()
    net.observe(trace)

    def meet(io, other):
        stream = yield from io.connect(other, 7000, source_port=7000)
        yield from stream.send(b"x" * 10)
        yield from stream.receive()
        stream.close()

    left.spawn(meet, "right")
    right.spawn(meet, "left")
    net.run()
    return trace


SCENES = {
    "handshake": handshake,
    "a lost SYN": lambda: conversation(faults.drop(match.syn)),
    "a lost third ACK": lambda: conversation(faults.drop(match.third_ack)),
    "a duplicate SYN-ACK through a router": lambda: conversation(faults.duplicate(match.syn_ack), router=True),
    "a delayed third ACK": lambda: conversation(faults.delay(match.third_ack, by="2 s")),
    "a corrupted FIN": lambda: conversation(faults.corrupt(match.fin), size=3000),
    "simultaneous open": simultaneous_open,
}
"""Exchanges of which every picture must be good."""
