"""Two ends, one hostile cable: what a case may be, how it is run, and what must be true of it whatever happened.

Each end sends a stream and reads the other's, at the same time. Whatever the cable does, a reader gets the other's
stream from its beginning, in order, each byte once; if it sees the end of the stream, it has seen all of it; if it
does not, it gets an error. Afterwards nothing is left: no socket, no timer, nothing in the lab's agenda.
"""

from __future__ import annotations

import io as files
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from netglass import HostConfig, Network, faults
from netglass.lab.host import LabHost
from netglass.lab.io import Io, Options, Stream
from netglass.lab.process import Process, Steps
from netglass.network.fault import Fault
from netglass.rng import Rng
from netglass.sockets.constants import (
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SO_RCVBUF,
    SO_SNDBUF,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
)
from netglass.times import HOUR, human
from netglass.trace.pcapng import write_pcapng
from netglass.trace.recorder import Recorder

CLOSINGS: Final = ("half-close", "client first", "server first", "both at once", "client aborts", "server aborts")
LONGEST_HANDSHAKE: Final = "20 min"
"""Nobody else waits with a limit of its own: it is TCP that must give up."""


@dataclass(frozen=True)
class Case:
    """What is drawn. Chances in percent; sizes in bytes, times in ms."""

    seed: int = 1
    loss: int = 0
    duplication: int = 0
    reorder: int = 0
    corruption: int = 0
    delay: int = 10
    jitter: int = 0
    mtu: int = 1500
    up: int = 20_000  # from the client
    down: int = 20_000
    piece: int = 65536  # one send
    closing: str = "half-close"
    client_pause: int = 0  # before it closes
    server_pause: int = 0
    sack: bool = True
    timestamps: bool = True
    window_scaling: bool = True
    control: str = "cubic"
    client_buffer: int = 0  # SO_SNDBUF and SO_RCVBUF; 0: the default
    server_buffer: int = 0
    client_read: int = 65536  # the most that one read takes
    server_read: int = 65536
    reading_pause: int = 0  # after each read, on both ends
    nodelay: bool = False
    version: int = 4
    offload: bool = False
    serialise: bool = False


def switches() -> st.SearchStrategy[bool]:
    return st.booleans()


def percent() -> st.SearchStrategy[int]:
    return st.one_of(st.just(0), st.integers(1, 8), st.integers(9, 30))


def sizes() -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from((0, 1, 1460, 4000)), st.integers(0, 40_000), st.integers(40_000, 300_000))


def buffers() -> st.SearchStrategy[int]:
    return st.sampled_from((0, 0, 1, 3000, 20_000))


CASES: Final = st.builds(
    Case,
    seed=st.integers(0, 1 << 30),
    loss=percent(),
    duplication=percent(),
    reorder=percent(),
    corruption=percent(),
    delay=st.sampled_from((0, 1, 10, 80)),
    jitter=st.sampled_from((0, 0, 1, 15)),
    mtu=st.sampled_from((1500, 1500, 1280, 9000)),
    up=sizes(),
    down=sizes(),
    piece=st.sampled_from((100, 1000, 65536)),
    closing=st.sampled_from(CLOSINGS),
    client_pause=st.sampled_from((0, 0, 50, 3000)),
    server_pause=st.sampled_from((0, 0, 50, 3000)),
    sack=switches(),
    timestamps=switches(),
    window_scaling=switches(),
    control=st.sampled_from(("reno", "cubic")),
    client_buffer=buffers(),
    server_buffer=buffers(),
    client_read=st.sampled_from((700, 65536)),
    server_read=st.sampled_from((700, 65536)),
    reading_pause=st.sampled_from((0, 0, 1, 20)),
    nodelay=switches(),
    version=st.sampled_from((4, 6)),
    offload=switches(),
    serialise=switches(),
)
"""Anything, in any combination."""


def drawn(seed: int) -> Case:
    """A case of its own for each seed, for runs without hypothesis: rougher things are rarer."""
    rng = Rng(seed).stream("case")

    def one_of(*choices: int) -> int:
        return choices[rng.below(len(choices))]

    def percent() -> int:
        return one_of(0, 0, 1, 3, 10, 30)

    return Case(
        seed=seed,
        loss=percent(),
        duplication=percent(),
        reorder=percent(),
        corruption=percent(),
        delay=one_of(0, 1, 10, 80),
        jitter=one_of(0, 0, 1, 15),
        mtu=one_of(1500, 1500, 1280, 9000),
        up=one_of(0, 1, 5000, rng.below(300_000)),
        down=one_of(0, 1, 5000, rng.below(300_000)),
        piece=one_of(100, 1000, 65536),
        closing=CLOSINGS[rng.below(len(CLOSINGS))],
        client_pause=one_of(0, 50, 3000),
        server_pause=one_of(0, 50, 3000),
        sack=rng.below(4) > 0,
        timestamps=rng.below(4) > 0,
        window_scaling=rng.below(4) > 0,
        control=("reno", "cubic")[rng.below(2)],
        client_buffer=one_of(0, 0, 1, 3000, 20_000),
        server_buffer=one_of(0, 0, 1, 3000, 20_000),
        client_read=one_of(700, 65536),
        server_read=one_of(700, 65536),
        reading_pause=one_of(0, 0, 1, 20),
        nodelay=rng.below(2) > 0,
        version=one_of(4, 6),
        offload=rng.below(2) > 0,
        serialise=rng.below(2) > 0,
    )


@dataclass
class End:
    """What one end saw."""

    got: bytearray = field(default_factory=bytearray)
    ended: bool = False  # the end of the other's stream was seen
    complete: bool = False  # it stopped reading because it had all that it was to get
    errors: list[str] = field(default_factory=list)
    done: bool = False


def text(size: int, who: str) -> bytes:
    """A stream of its own for each end, in which every place looks different."""
    letter = who.encode()[:1]
    return b"".join([b"%b%07d" % (letter, place) for place in range(size // 8 + 1)])[:size]


class Hostile:
    """A case in a lab, ready to run."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.net = Network(seed=case.seed, serialise=case.serialise)
        self.client = self.net.host("client", *_addresses(case, 1), config=_config(case))
        self.server = self.net.host("server", *_addresses(case, 2), config=_config(case))
        self.net.cable(
            "client",
            "server",
            delay=f"{case.delay} ms",
            jitter=f"{case.jitter} ms",
            mtu=case.mtu,
            rate="200 Mbit/s",
            reorder=case.reorder > 0,
            offload=case.offload,
            faults=_faults(case),
        )
        self.ends = {"client": End(), "server": End()}
        self.done_at = 0  # when the last program was
        self.processes: list[Process] = [self.server.spawn(self.serve), self.client.spawn(self.ask)]

    # -- the programs

    def serve(self, io: Io) -> Steps:
        own = self.ends["server"]
        listener = io.listen(80, backlog=4, options=_options(self.case, self.case.server_buffer))
        try:
            stream = yield from listener.accept(timeout=LONGEST_HANDSHAKE)
            listener.close()
        except OSError as error:
            own.errors.append(str(error))
            listener.close()
            self.finish(own)
            return
        yield from self.talk(io, stream, "server")

    def ask(self, io: Io) -> Steps:
        own = self.ends["client"]
        try:
            stream = yield from io.connect("server", 80, options=_options(self.case, self.case.client_buffer))
        except OSError as error:
            own.errors.append(str(error))
            self.finish(own)
            return
        yield from self.talk(io, stream, "client")

    def talk(self, io: Io, stream: Stream, who: str) -> Steps:
        """Sends and reads at the same time, then closes as the case says."""
        case = self.case
        own = self.ends[who]
        size, other, pause = (case.up, case.down, case.client_pause)
        if who == "server":
            size, other, pause = (case.down, case.up, case.server_pause)
        aborts = case.closing == f"{who} aborts"
        keeps = case.closing in ("both at once", f"{who} first")
        writer = io.spawn(self.write, stream, text(size, who), own, case.closing == "half-close")
        reader = io.spawn(self.read, stream, own, other if keeps or aborts else -1)
        yield from io.wait(writer)
        yield from io.wait(reader)
        yield from io.sleep(f"{pause} ms")
        try:
            if aborts:
                stream.abort()
            else:
                stream.close()
        except OSError as error:
            own.errors.append(str(error))
        self.finish(own)

    def finish(self, own: End) -> None:
        own.done = True
        self.done_at = self.net.now()

    def write(self, io: Io, stream: Stream, data: bytes, own: End, half_close: bool) -> Steps:
        piece = self.case.piece
        try:
            for start in range(0, len(data), piece):
                yield from stream.send(data[start : start + piece])
            if half_close:
                stream.shutdown()
        except OSError as error:
            own.errors.append(str(error))

    def read(self, io: Io, stream: Stream, own: End, enough: int) -> Steps:
        """Reads to the end of the stream, or until it has `enough` bytes."""
        case = self.case
        most = case.client_read if own is self.ends["client"] else case.server_read
        try:
            while enough < 0 or len(own.got) < enough:
                piece = yield from stream.receive(most)
                if not piece:
                    own.ended = True
                    return
                own.got += piece
                if case.reading_pause:
                    yield from io.sleep(f"{case.reading_pause} ms")
            own.complete = True
        except OSError as error:
            own.errors.append(str(error))

    # -- what must be true

    def run(self) -> None:
        """Everything happens, up to the last timer."""
        self.net.run()
        self.check()

    def check(self) -> None:
        for name, end in self.ends.items():
            sent = text(self.case.down, "server") if name == "client" else text(self.case.up, "client")
            assert end.done, f"{name} still waits: {self.net.waiting()}"
            assert end.got == sent[: len(end.got)], f"{name} got another stream"
            # Linux tells an error once, to whoever calls first; after it a reader sees an end that is none.
            if end.complete or (end.ended and not end.errors):
                assert len(end.got) == len(sent), f"{name} saw the end after {len(end.got)} of {len(sent)} bytes"
            else:
                assert end.errors, f"{name} neither got all nor an error"
        for host in (self.client, self.server):
            assert self.counters(host).get("illegal-transition", 0) == 0
        self.check_nothing_left()

    def check_nothing_left(self) -> None:
        after = self.net.now() - self.done_at
        assert after <= 2 * HOUR, f"the last timer ran {human(after)} longer than the programs"
        assert not self.net.run_next(), "something is left to happen"
        assert self.net.waiting() == []
        for host in (self.client, self.server):
            assert [(each.state, each.local_port, each.timer) for each in host.netstat()] == []

    def counters(self, host: LabHost) -> dict[str, int]:
        return host.core.counters.counts

    @property
    def delivered(self) -> bool:
        """Both streams arrived whole, and nobody had an error."""
        return not any(end.errors for end in self.ends.values())


def capture(case: Case) -> bytes:
    """The pcapng of a case."""
    hostile = Hostile(case)
    recorder = Recorder()
    hostile.net.observe(recorder)
    hostile.run()
    out = files.BytesIO()
    write_pcapng(recorder, out, "all")
    return out.getvalue()


def _addresses(case: Case, number: int) -> tuple[str, ...]:
    return (f"10.0.0.{number}/24",) if case.version == 4 else (f"fd00::{number}/64",)


def _config(case: Case) -> HostConfig:
    config = HostConfig()
    config.tcp.sack = case.sack
    config.tcp.timestamps = case.timestamps
    config.tcp.window_scaling = case.window_scaling
    config.tcp.congestion_control = case.control
    return config


def _options(case: Case, buffer: int) -> Options:
    # Keep-alive, or an end that only listens would never learn that the other gave up.
    options: list[tuple[int, int, int | bytes]] = [
        (SOL_SOCKET, SO_KEEPALIVE, 1),
        (IPPROTO_TCP, TCP_KEEPIDLE, 60),
        (IPPROTO_TCP, TCP_KEEPINTVL, 10),
        (IPPROTO_TCP, TCP_KEEPCNT, 9),
    ]
    if buffer:
        options += [(SOL_SOCKET, SO_SNDBUF, buffer), (SOL_SOCKET, SO_RCVBUF, buffer)]
    if case.nodelay:
        options.append((IPPROTO_TCP, TCP_NODELAY, 1))
    return tuple(options)


def _faults(case: Case) -> list[Fault]:
    found: list[Fault] = []
    if case.loss:
        found.append(faults.loss(f"{case.loss}%"))
    if case.duplication:
        found.append(faults.duplication(f"{case.duplication}%"))
    if case.reorder:
        found.append(faults.reorder(f"{case.reorder}%", by="25 ms"))
    if case.corruption:
        found.append(faults.corruption(f"{case.corruption}%"))
    return found
