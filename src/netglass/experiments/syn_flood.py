"""A SYN flood in the lab, and what each defence is worth.

The flood cannot leave the lab: its packets are objects, handed to the victim's end of a simulated cable. What the
victim sends to the forged addresses ends in that cable.
"""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Table
from netglass.experiments.scene import Steps
from netglass.host.config import HostConfig
from netglass.lab.agenda import Agenda, Target
from netglass.lab.io import Io, Options
from netglass.lab.machine import Port
from netglass.lab.network import Network
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.sockets.constants import IPPROTO_TCP, TCP_SYNCNT
from netglass.tcp.config import COOKIES_ALWAYS, COOKIES_NEVER, COOKIES_WHEN_FULL
from netglass.times import MILLISECOND, SECOND, duration, human
from netglass.wire.address import parse
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.tcp import SYN, TcpOptions, TcpSegment

HEAVY: Final = 1000
LARGE: Final = 4096
SHORT: Final[Options] = ((IPPROTO_TCP, TCP_SYNCNT, 1),)
PATIENCE: Final = "10 s"
QUICK: Final = SECOND
FORGED: Final = int.from_bytes(parse("198.18.1.0"))  # RFC 2544: a network for tests
BURST: Final = 25 * MILLISECOND


class Defence:
    """What the administrator of the victim has done."""

    def __init__(self, name: str, cookies: int = COOKIES_NEVER, large: bool = False, short: bool = False) -> None:
        self.name: str = name
        self.cookies: int = cookies
        self.backlog: int = LARGE if large else 0
        self.options: Options = SHORT if short else ()

    def config(self) -> HostConfig:
        config = HostConfig()
        config.tcp.syncookies = self.cookies
        config.tcp.recycle_half_open = self.name == "recycling"
        return config


DEFENCES: Final = (
    Defence("none"),
    Defence("short timeout", short=True),
    Defence("large backlog", large=True),
    Defence("both", large=True, short=True),
    Defence("recycling"),
    Defence("cookies", COOKIES_WHEN_FULL),
    Defence("cookies always", COOKIES_ALWAYS),
)


class Peak(Probe):
    """The fullest that the victim's SYN queue was."""

    def __init__(self) -> None:
        self.half_open: int = 0

    def queue_changed(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, now: int
    ) -> None:
        self.half_open = max(self.half_open, half_open)


class Flood(Target):
    """SYNs from ever new forged addresses, handed over every 25 ms or so: a flood in step with the victim's timers
    would take every place in the moment in which it becomes free."""

    def __init__(self, port: Port, target: bytes, rate: int, end: int, agenda: Agenda) -> None:
        self.port: Port = port
        self.target: bytes = target
        self.rate: int = rate
        self.end: int = end
        self.agenda: Agenda = agenda
        self.rng: Rng = Rng(1).stream("flood")
        self.sent: int = 0
        self.syn: TcpSegment = TcpSegment(1024, 80, 1000, 0, SYN, 65535, options=TcpOptions(1460))

    def happen(self, item: object, now: int) -> None:
        machine = self.port.machine
        while self.sent * SECOND < self.rate * now:
            source = (FORGED + self.sent).to_bytes(4)
            packet = IpPacket(source, self.target, TCP, self.syn)
            machine.host.receive_packet(packet, self.port.interface, now)
            self.sent += 1
        machine.flush(now)
        following = now + 1 + self.rng.below(2 * BURST)
        if now < self.end:
            self.agenda.enter(min(following, self.end), self, None)


def serve(io: Io, backlog: int, options: Options) -> Steps:
    listener = io.listen(80, backlog, options=options)
    while True:
        stream = yield from listener.accept()
        stream.close()


def visit(io: Io, waits: list[int]) -> Steps:
    """An honest client; how long it waited for its connection, if it got one."""
    start = io.now()
    try:
        stream = yield from io.connect("victim", 80, timeout=PATIENCE)
    except OSError:
        return
    waits.append(io.now() - start)
    stream.abort()


def visitors(io: Io, count: int, pause: int, waits: list[int]) -> Steps:
    """One in each stretch of `pause`, at any moment of it: nobody walks in step with the flood."""
    rng = Rng(1).stream("visitors")
    for number in range(count):
        yield from io.sleep(number * pause + rng.below(pause) - io.now())
        io.spawn(visit, waits)


def play(defence: Defence, rate: int, rtt: str, seconds: int, backlog: int, honest: int) -> dict[str, Any]:
    """One cell of the matrix."""
    net = Network(seed=1)
    config = defence.config()
    config.tcp.somaxconn = max(config.tcp.somaxconn, backlog)
    victim = net.host("victim", "198.18.0.1/15", config=config)
    attacker = net.host("attacker", "198.18.0.2/15")
    wire = net.cable(victim, attacker)
    wire.lanes[0].mtu = 0  # nothing gets through: cheaper than to carry it to where nobody lives
    client = net.host("client")
    net.cable(client, victim, delay=duration(rtt) // 2)
    peak = Peak()
    victim.core.observe(peak)
    waits: list[int] = []
    victim.spawn(serve, defence.backlog or backlog, defence.options)
    client.spawn(visitors, honest, seconds * SECOND // honest, waits)
    flood = Flood(victim.machine.ports[0], parse("198.18.0.1"), rate, seconds * SECOND, victim.machine.agenda)
    victim.machine.agenda.enter(BURST, flood, None)
    net.run(until=seconds * SECOND + duration(PATIENCE))
    return {
        "syns": flood.sent,
        "honest": honest,
        "connected": len(waits),
        "quick": len([each for each in waits if each < QUICK]),
        "median": int(median(waits)) if waits else -1,
        "peak": peak.half_open,
        "cookies": victim.core.counters.counts.get("syncookies-sent", 0),
        "dropped": victim.core.counters.counts.get("syn-queue-full", 0),
    }


def run(rtt: str, seconds: int, backlog: int, rate: int, honest: int, full: bool) -> Outcome:
    rates = (rate, HEAVY) if full and rate != HEAVY else (rate,)
    figures = {
        str(each): {defence.name: play(defence, each, rtt, seconds, backlog, honest) for defence in DEFENCES}
        for each in rates
    }
    answer = "\n".join([verdict(each, figures[str(each)], seconds, backlog) for each in rates])
    answer += (
        "\nA shorter timeout is TCP_SYNCNT 1 on the listener (or net.ipv4.tcp_synack_retries), a larger backlog is the argument of listen() and "
        "net.core.somaxconn, cookies are net.ipv4.tcp_syncookies 1 and 2 (RFC 4987 §3). Recycling, where a full queue forgets its oldest entry, is in RFC 4987 §3.4 but not "
        "in Linux."
    )
    if not full:
        answer += f" --full asks the same again at {HEAVY:,} SYN/s (some seconds); --rate asks at any other."
    return Outcome(answer, figures, table=table(figures))


def verdict(rate: int, cells: dict[str, dict[str, Any]], seconds: int, backlog: int) -> str:
    none = cells["none"]
    holds = [name for name, cell in cells.items() if cell["quick"] == cell["honest"]]
    fails = [f"{name} ({cell['quick']})" for name, cell in cells.items() if name not in holds]
    effect = (
        f"{rate:,} forged SYNs a second, for {seconds} s, at a backlog of {backlog}: without a defence {none['quick']} of {none['honest']} honest clients "
        f"connect within {human(QUICK)}, {none['connected']} at all within {PATIENCE}; the SYN queue held {none['peak']} entries, and {none['dropped']:,} SYNs found it full. "
    )
    if not fails:
        return effect + "That is no flood yet: everything holds."
    return (
        effect
        + f"All honest clients connect at once with: {', '.join(holds) or 'nothing'}. Not enough: {', '.join(fails)}."
    )


def table(figures: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Honest clients that connected, their median wait, the peak of the queue, SYNs dropped and cookies sent."""
    rows = [
        (
            name if len(figures) == 1 else f"{int(rate):,}/s {name}",
            f"{cell['quick']}/{cell['honest']}",
            f"{cell['connected']}/{cell['honest']}",
            human(cell["median"]) if cell["connected"] else "-",
            f"{cell['peak']:,}",
            f"{cell['dropped']:,}",
            f"{cell['cookies']:,}",
        )
        for rate, cells in figures.items()
        for name, cell in cells.items()
    ]
    headers = ("defence", "in 1 s", "in 10 s", "median", "SYN queue", "dropped", "cookies")
    return Table(headers, rows)


EXPERIMENT = Experiment(
    "syn-flood",
    "flood",
    "What does a SYN flood do, and what is each defence worth?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time of the honest clients", "1us", "900ms"),
        Parameter("seconds", 60, "how long the flood lasts, in virtual seconds", 1, 3600),
        Parameter("backlog", 128, "what the victim gives to listen()", 0, 100_000),
        Parameter("rate", 40, "forged SYNs a second", 1, 100_000),
        Parameter("honest", 40, "how many honest clients come meanwhile", 1, 10_000),
        Parameter("full", False, f"also at {HEAVY:,} SYN/s: takes some seconds"),
    ),
)
