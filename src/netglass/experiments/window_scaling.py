"""Why is a long path slow without window scaling?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.scene import Steps
from netglass.host.config import HostConfig
from netglass.lab.io import Io, Stream
from netglass.lab.network import Network
from netglass.times import SECOND, duration, human
from netglass.trace.recorder import Recorder

MEGABYTE = MEGABIT = 1_000_000
PIECE = bytes(100_000)


class Transfer:
    """So many bytes from the client to the server over a path with a rate."""

    def __init__(self, rtt: str, rate: int, size: int, scaling: bool) -> None:
        self.size = size
        self.largest_window = 0
        self.first_at = 0
        self.last_at = 0
        config = HostConfig()
        config.tcp.window_scaling = scaling
        net = Network()
        self.trace = Recorder()
        net.observe(self.trace)
        client, server = net.host("client", config=config), net.host("server", config=config)
        net.cable(client, server, delay=duration(rtt) // 2, rate=rate, queue=10_000)
        server.spawn(self.serve)
        client.spawn(self.call)
        net.run(until="1 h")
        self.took = self.last_at - self.first_at
        self.rate_bps = size * 8 * SECOND // self.took

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        left = self.size
        while left:
            left -= len((yield from stream.receive()))
        self.last_at = io.now()
        stream.close()

    def call(self, io: Io) -> Steps:
        stream = yield from io.connect("server", 80)
        self.first_at = io.now()
        left = self.size
        while left:
            left -= yield from stream.send(PIECE[:left])
            self.look_at_window(io, stream)
        yield from stream.receive_all()
        self.look_at_window(io, stream)

    def look_at_window(self, io: Io, stream: Stream) -> None:
        info = io.machine.sockets.tcp_info(stream.fd, io.now())
        self.largest_window = max(self.largest_window, info["tcpi_snd_wnd"])


def run(rtt: str, megabits: int, megabytes: int) -> Outcome:
    size = megabytes * MEGABYTE
    without, with_scaling = (Transfer(rtt, megabits * MEGABIT, size, scaling) for scaling in (False, True))
    product = megabits * MEGABIT // 8 * duration(rtt) // SECOND
    bound = without.largest_window * 8 * SECOND // duration(rtt)
    figures: dict[str, Any] = {
        "bandwidth_delay_product": product,
        "window": without.largest_window,
        "window_scaled": with_scaling.largest_window,
        "bound_bps": bound,
        "rate_bps": without.rate_bps,
        "rate_scaled_bps": with_scaling.rate_bps,
        "took": without.took,
        "took_scaled": with_scaling.took,
    }
    answer = (
        f"A sender may have one window of bytes under way, then it must wait a round trip for their acknowledgement. The window field has 16 bits: "
        f"at most {without.largest_window:,} bytes every {human(duration(rtt))}, which is {mbit(bound)}, however fast the path is. This one "
        f"({megabits} Mbit/s) holds {product:,} bytes at a time (bandwidth times delay). The window scale option in the SYNs says by how many "
        f"bits each end shifts its windows (RFC 7323 §2): {with_scaling.largest_window:,} bytes. {megabytes} MB took {human(without.took)} without "
        f"it and {human(with_scaling.took)} with it ({mbit(without.rate_bps)} and {mbit(with_scaling.rate_bps)}, slow start "
        f"included). A middlebox that strips the option from SYNs makes exactly this happen."
    )
    table = Table(
        ("window scaling", "largest window", f"{megabytes} MB took", "rate"),
        [
            ("off", f"{without.largest_window:,}", human(without.took), mbit(without.rate_bps)),
            ("on", f"{with_scaling.largest_window:,}", human(with_scaling.took), mbit(with_scaling.rate_bps)),
        ],
    )
    parts = [
        Part("without window scaling", without.trace, end=without.first_at),
        Part("with window scaling", with_scaling.trace, end=with_scaling.first_at),
    ]
    return Outcome(answer, figures, parts, table)


def mbit(bps: int) -> str:
    return f"{bps / 1_000_000:.1f} Mbit/s"


EXPERIMENT = Experiment(
    "window-scaling",
    "reliable",
    "Why is a long path slow without window scaling?",
    run,
    (
        Parameter("rtt", "200ms", "round-trip time", "1ms", "900ms"),
        Parameter("megabits", 100, "rate of the path, in Mbit/s", 1, 1000),
        Parameter("megabytes", 2, "how much is sent", 1, 10),
    ),
)
