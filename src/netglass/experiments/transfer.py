"""One file over FTP, through a firewall or none: what the experiments on FTP compare."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from netglass.experiments.experiment import Outcome, Parameter, Part, Table
from netglass.experiments.scene import Scene, lines, noted
from netglass.network.fault import DROP, PASS, Verdict
from netglass.network.faults import MatchingFault
from netglass.network.match import Matcher, port, syn
from netglass.probe import Flow
from netglass.rng import Rng
from netglass.times import MILLISECOND, SECOND, duration, human
from netglass.trace.recorder import Recorder
from netglass.wire.ip import IpPacket

COMMANDS: Final = 21
NEEDS: Final = ("pyftpdlib",)
PARAMETERS: Final = (
    Parameter("rtt", "20ms", "round-trip time", "1us", "900ms"),
    Parameter("size", 1000, "how long the file is, in bytes", 1, 100_000),
    Parameter("patience", "60s", "how long the client waits for an answer", "1s", "600s"),
)


class Firewall(MatchingFault):
    """Drops what opens a connection that it does not want: `unwanted`. What belongs to one that is open passes."""

    __slots__ = ()

    def __init__(self, unwanted: Matcher) -> None:
        super().__init__("firewall", unwanted)

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        return DROP if self.selects(packet) else PASS


FIREWALLS: Final[dict[str, Matcher]] = {
    "at the client: lets no connection in": syn.to("client"),
    "at the server: lets connections in to port 21": syn.to("server") & ~port(COMMANDS),
}
NO_FIREWALL: Final = "none"


class Opening(NamedTuple):
    """Who connected to whom."""

    opener: str
    port: int
    to_port: int


class Transfer:
    """One run. `outcome` is what the client's program had of it, `took` the time of the transfer."""

    def __init__(self, passive: bool, firewall: str, rtt: str, size: int, patience: str) -> None:
        from netglass.experiments.programs import ftp

        self.firewall = firewall
        faults = [Firewall(FIREWALLS[firewall])] if firewall != NO_FIREWALL else []
        scene = Scene(rtt, faults, words=commands)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "file").write_bytes(bytes(size))
            seconds = duration(patience) / SECOND
            self.outcome, took = scene.play(partial(ftp.serve, folder), ftp.fetch, "file", passive, seconds)
        self.took: int = round(took * SECOND)
        self.trace: Recorder = scene.trace

    def openings(self) -> list[Opening]:
        """Each connection that somebody tried to open, the first one first."""
        found: dict[Opening, None] = {}
        for each in self.trace.sent(flags="S"):
            if each.segment is not None:
                found[Opening(each.host, each.segment.source_port, each.segment.destination_port)] = None
        return list(found)

    def data_syns(self) -> list[int]:
        """When the SYNs of the data connection were sent, from the first one on."""
        times = [each.time for each in self.trace.sent(flags="S") if COMMANDS not in (each.flow or ())]
        return [time - times[0] for time in times]

    def said(self, host: str, text: str) -> str:
        """What `host` said on the command channel that begins with `text`."""
        found = [note.text.strip('"') for note in self.trace.notes(host, "words") if note.text.startswith(f'"{text}')]
        return found[0] if found else ""

    def part(self, start: int = 0, end: int | None = None) -> Part:
        title = "no firewall" if self.firewall == NO_FIREWALL else f"a firewall {self.firewall}"
        return Part(title, self.trace, start=start, end=end)

    def stuck_part(self, command: str) -> Part:
        """From the command on that asks for the data connection, to a moment after the end of the transfer."""
        start = noted(self.trace, "client", f'"{command}')
        return self.part(start, start + self.took + 100 * MILLISECOND)


def commands(data: bytes, flow: Flow) -> list[str]:
    """The lines of the command channel."""
    return lines(data, flow) if COMMANDS in flow else []


def transfers(passive: bool, rtt: str, size: int, patience: str) -> list[Transfer]:
    """Without a firewall, and with each."""
    return [Transfer(passive, firewall, rtt, size, patience) for firewall in (NO_FIREWALL, *FIREWALLS)]


def place(text: str) -> str:
    """Where a text such as "PORT 10,0,0,1,187,217" says that somebody listens, and how its port is reckoned."""
    digits = "".join([letter if letter.isdigit() else " " for letter in text.partition(" ")[2]]).split()
    high, low = int(digits[-2]), int(digits[-1])
    return f"{'.'.join(digits[-6:-2])}, port 256 x {high} + {low} = {256 * high + low}"


def figures(done: Sequence[Transfer]) -> dict[str, Any]:
    open_, at_client, at_server = done
    return {
        "connections": [each._asdict() for each in open_.openings()],
        "outcomes": [each.outcome for each in done],
        "took": [each.took for each in done],
        "dropped": [len(each.trace.losses("firewall")) for each in done],
        "data_syns_at_client": at_client.data_syns(),
        "data_syns_at_server": at_server.data_syns(),
    }


def outcome(answer: str, done: Sequence[Transfer], parts: Sequence[Part]) -> Outcome:
    rows = [
        (
            each.firewall,
            f"{each.openings()[-1].opener} connects",
            str(len(each.data_syns())),
            each.outcome,
            human(each.took),
        )
        for each in done
    ]
    table = Table(("firewall", "data connection", "SYNs", "outcome", "after"), rows)
    return Outcome(answer, figures(done), parts, table)
