"""A client that sends some numbered segments and a server that reads them: what the experiments on reliability put
their faults into."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from netglass.experiments.scene import Scene, Steps
from netglass.host.config import HostConfig
from netglass.lab.io import Io
from netglass.network.fault import Fault
from netglass.sockets.constants import IPPROTO_TCP, TCP_NODELAY
from netglass.times import SECOND
from netglass.trace.recorder import Recorder
from netglass.trace.transmissions import Transmission

SIZE = 1000
START = SECOND
"""When the client begins to send: the handshake is over then, and out of the picture."""


class Talk:
    """One run. Segment number i (from 1) is `SIZE` bytes of the i-th letter of the alphabet."""

    def __init__(
        self,
        rtt: str,
        segments: int,
        faults: Sequence[Fault] = (),
        client: HostConfig | None = None,
        server: HostConfig | None = None,
        until: int | str = "1000 s",
    ) -> None:
        self.data = b"".join([bytes([65 + number % 26]) * SIZE for number in range(segments)])
        self.reads: list[tuple[int, int]] = []  # (when, how many bytes) the server's application got
        self.received = b""
        self.scene = Scene(rtt, faults, client=client, server=server)
        self.scene.server.spawn(self.serve)
        self.scene.client.spawn(self.call)
        self.scene.net.run(until=until)
        self.trace: Recorder = self.scene.trace

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        while piece := (yield from stream.receive()):
            self.reads.append((io.now(), len(piece)))
            self.received += piece
            io.note(f"recv() {named(piece)}")

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80, options=((IPPROTO_TCP, TCP_NODELAY, 1),))
        yield from io.sleep(START - io.now())
        io.note(f"send() {named(self.data)}")
        for start in range(0, len(self.data), SIZE):
            yield from stream.send(self.data[start : start + SIZE])

    # -- readings

    @property
    def complete_after(self) -> int:
        """From the first send() to the server's last recv()."""
        return self.reads[-1][0] - START

    @property
    def intact(self) -> bool:
        return self.received == self.data

    def data_segments(self) -> list[Transmission]:
        """What the client sent, retransmissions included, and copies that the cable made."""
        return [each for each in self.trace.transmissions("client") if each.length]

    def acks(self) -> list[Transmission]:
        """What the server sent after the handshake."""
        return [each for each in self.trace.transmissions("server") if each.time > START]

    def duplicate_acks(self) -> int:
        """ACKs that acknowledge nothing new while data is missing (RFC 5681 §2)."""
        numbers = [1] + [each.ack for each in self.acks()]
        return sum([after == before <= len(self.data) for before, after in pairwise(numbers)])

    def retransmitted_after(self) -> list[int]:
        """When the client sent something again, from the first send()."""
        return [each.time - START for each in self.trace.retransmissions("client")]


def named(data: bytes) -> str:
    """ "A B C": the segments in `data`, by letter."""
    return " ".join([chr(data[start]) for start in range(0, len(data), SIZE)])
