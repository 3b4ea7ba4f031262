"""`netglass ping`: is somebody there, and how long does an answer take?"""

from __future__ import annotations

import json as jsonlib
import math
import time
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from netglass.cli import wire
from netglass.cli.where import HostOption, LabOption, Where, reported
from netglass.errors import MisuseError
from netglass.tools.probing import Answer, Prober, ping, resolve

EPILOG = (
    "Examples:  netglass ping 10.83.0.1 --tun ng0 --address 10.83.0.2/24   ·   netglass ping server --lab lab.toml "
    "--from client   ·   netglass ping 10.83.0.1 --count 3 --json --tun ng0 --address 10.83.0.2/24 --pcapng ping.pcapng"
)
LEAST_INTERVAL: Final = 0.01
MOST_DATA: Final = 65507  # IPv4's longest packet less its header and the 8 bytes before the data

CountOption = Annotated[int, typer.Option(min=0, help="How many; 0: until Ctrl-C.")]


class Statistics:
    """What came of all of them; `text` is as ping prints it."""

    def __init__(self, name: str, address: str) -> None:
        self.name: str = name
        self.address: str = address
        self.answers: list[Answer] = []
        self._begin: int = time.monotonic_ns()
        self._end: int = self._begin

    def add(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._end = time.monotonic_ns()

    @property
    def times(self) -> list[int]:
        return [each.time_ns for each in self.answers if each.says == "echo reply"]

    def figures(self) -> dict[str, Any]:
        times = self.times
        found: dict[str, Any] = {"transmitted": len(self.answers), "received": len(times)}
        found["time_ns"] = self._end - self._begin
        if times:
            mean = sum(times) // len(times)
            square = sum([each * each for each in times]) // len(times)
            found |= {"least_ns": min(times), "mean_ns": mean, "most_ns": max(times)}
            found["deviation_ns"] = math.isqrt(max(square - mean * mean, 0))
        return found

    def text(self) -> str:
        found = self.figures()
        sent, received = found["transmitted"], found["received"]
        errors = len([each for each in self.answers if each.says not in ("", "echo reply")])
        lost = 100 * (sent - received) / sent if sent else 0
        lines = [f"--- {self.name} ping statistics ---"]
        lines.append(
            f"{sent} packets transmitted, {received} received,{f' +{errors} errors,' if errors else ''} "
            f"{lost:.4g}% packet loss, time {found['time_ns'] // 1_000_000}ms"
        )
        if received:
            rtt = "/".join([milliseconds(found[f"{name}_ns"]) for name in ("least", "mean", "most", "deviation")])
            lines.append(f"rtt min/avg/max/mdev = {rtt} ms")
        return "\n".join(lines)


def milliseconds(time_ns: int) -> str:
    return f"{time_ns / 1_000_000:.3f}"


def line(answer: Answer) -> str:
    if not answer.says:
        return f"seq={answer.seq} no answer"
    if answer.says != "echo reply":
        return f"From {answer.address}: seq={answer.seq} {answer.says}" if answer.address else answer.says
    hops = f" ttl={answer.ttl_hops}" if answer.ttl_hops else ""
    return f"{answer.size} bytes from {answer.address}: seq={answer.seq}{hops} time={milliseconds(answer.time_ns)} ms"


def ping_host(
    host: Annotated[str, typer.Argument(help="Whom: a name or an address.")],
    count: CountOption = 0,
    interval: Annotated[
        float, typer.Option(help=f"Seconds from one to the next, at least {LEAST_INTERVAL}.", show_default=True)
    ] = 1.0,
    size: Annotated[int, typer.Option(min=0, max=MOST_DATA, help="Bytes of data.")] = 56,
    ttl: Annotated[int, typer.Option(min=0, max=255, help="Hops that it may go; 0: as many as usual.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    dns: wire.DnsOption = None,
    lab: LabOption = None,
    source: HostOption = "",
    pcapng: wire.CaptureOption = None,
) -> None:
    """Ask a host for echoes: over netglass on a TUN device, in a lab in virtual time, or else over the machine's own
    sockets, which needs the right to raw ones."""
    with reported("ping"):
        check_positive("--timeout", timeout)
        if not interval >= LEAST_INTERVAL:
            raise MisuseError(f"--interval is at least {LEAST_INTERVAL} s, so that nobody is flooded; not {interval}")
        where = Where(wire.Wire(tun, addresses or (), kernel or (), dns or (), pcapng), lab, source)
        if lab is not None and not count:
            raise MisuseError("in a lab an hour passes in no time: say how many with --count")
        raise typer.Exit(where.run(lambda: carry_out(host, count, interval, size, ttl, timeout, json)))


def carry_out(host: str, count: int, interval: float, size: int, ttl: int, timeout: float, json: bool) -> int:
    address = resolve(host)
    with Prober(address) as prober:
        if not json:
            typer.echo(f"PING {host} ({address}) {size} bytes of data.")
        statistics = Statistics(host, address)
        try:
            for answer in ping(prober, count, interval, size, ttl, timeout):
                statistics.add(answer)
                if not json:
                    typer.echo(line(answer))
        finally:
            if json:
                answers = [asdict(each) for each in statistics.answers]
                found = {"host": host, "address": address, **statistics.figures(), "answers": answers}
                typer.echo(jsonlib.dumps(found))
            else:
                typer.echo("\n" + statistics.text())
    return 0 if statistics.times else 1


def check_positive(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise MisuseError(f"{what} is a time above zero, in seconds; not {value}")
