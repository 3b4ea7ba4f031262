"""`netglass run`: an ordinary Python program on a host of a lab, in virtual time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from netglass.cli import lab_file, wire
from netglass.cli.lab_file import Lab, Program
from netglass.cli.outputs import check_path
from netglass.cli.program import Crashed, check_program, execute, execute_beside, own_main, title
from netglass.errors import MisuseError, NetglassError
from netglass.lab.host import LabHost
from netglass.lab.network import Network
from netglass.programs import fence
from netglass.programs.call_log import CallLog
from netglass.programs.run import LIMIT, run, spawn
from netglass.programs.runtwice import PLACE, differ, packets, trials
from netglass.programs.watchdog import Hung
from netglass.times import SECOND
from netglass.trace import Ladder, Recorder, write_pcapng

EPILOG = (
    "Examples:  netglass run script.py   ·   netglass run --twice script.py   ·   "
    "netglass run --lab lab.toml --ladder - --pcapng lab.pcapng   ·   netglass run --lab lab.toml --host client client.py --verbose"
    "   ·   netglass run --tun ng0 --address 10.83.0.2/24 -m http.server 80"
)
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


def run_program(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCRIPT|-m MODULE [ARGS]...",
            help="The program and its arguments, as after `python`, instead of what --host would `run`; none: the lab file's.",
            show_default=False,
        ),
    ] = None,
    lab: Annotated[
        Path | None, typer.Option(help="A lab in TOML: hosts, cables, faults, programs. None: one host with loopback.")
    ] = None,
    host: Annotated[str, typer.Option(help="On which of its hosts; none: the first.")] = "",
    seed: Annotated[int | None, typer.Option(help="Decides all that is random; none: the lab file's, or 1.")] = None,
    pcapng: Annotated[Path | None, typer.Option(help="Write a capture that Wireshark opens.")] = None,
    ladder: Annotated[
        str, typer.Option(help="Draw the exchange: FILE.svg, FILE.html, or - for the terminal.", show_default=False)
    ] = "",
    calls: Annotated[
        Path | None, typer.Option(help="Write each call of the programs, and how long it slept; - for the terminal.")
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds of real time that it may take, more than 0.")] = LIMIT,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Let one kind of call through that is refused otherwise; may be repeated."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--twice", help="Run it in two processes and compare what was sent, byte for byte.")
    ] = False,
    tun: wire.TunOption = "",
    addresses: wire.AddressOption = None,
    kernel: wire.KernelOption = None,
    dns: wire.DnsOption = None,
) -> None:
    """Run Python programs, unmodified, on netglass's TCP/IP: on simulated hosts in virtual time, or with --tun on a device
    of this machine in real time.

    Example of a lab file:

    \b
    [hosts.client]
    run = "client.py"
    [hosts.server]
    serve = "-m http.server 80"
    [[cables]]
    between = ["client", "server"]
    delay = "20 ms"
    faults = ["drop(third_ack)"]
    """
    options = Options(lab, host, seed, pcapng, ladder, calls, limit, allow or ())
    try:
        options.check()
        if tun or addresses or kernel or dns:
            if lab or host or ladder or calls or check or seed is not None or limit != LIMIT:
                raise MisuseError(
                    "--tun is real time: it goes with --address, --kernel, --dns, --pcapng and --allow only"
                )
            place = wire.Wire(tun, addresses or (), kernel or (), dns or (), pcapng)
            code = on_wire(words or [], place, options.allow)
        elif check:
            code = compare(words or [], options)
        else:
            code = carry_out(words or [], options)
    except (MisuseError, OSError) as error:
        typer.echo(f"netglass run: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def on_wire(words: list[str], where: wire.Wire, allow: Sequence[str]) -> int:
    """In real time, on a device, until the program ends or somebody presses Ctrl-C."""
    if not words:
        raise MisuseError("no program to run: name a script or -m MODULE")
    with wire.wire_host(where) as place, own_main():
        program = Program(place, words, False, Path())
        check_program(program)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminate)
        try:
            return int(run(place, execute, program, False, allow=allow))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except Crashed:
            return 1
        except NetglassError as error:
            typer.echo(f"netglass run: {error}", err=True)
            return 1


def terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as Ctrl-C does: in order."""
    raise SystemExit(128 + number)


@dataclass(frozen=True)
class Options:
    """What the command line says about a run in a lab."""

    lab: Path | None
    host: str
    seed: int | None
    pcapng: Path | None
    ladder: str
    calls: Path | None
    limit: float
    allow: Sequence[str]

    def check(self) -> None:
        """Whether all of it can be done, before anything runs."""
        if not self.limit > 0:
            raise MisuseError(f"--limit is in seconds of real time, more than 0; it is {self.limit:g}")
        unknown = sorted(set(self.allow) - fence.NAMES)
        if unknown:
            raise MisuseError(
                f"--allow {unknown[0]}: nothing of that name is refused; {', '.join(sorted(fence.NAMES))} are"
            )
        terminal = Path("-")
        files = [path for path in (self.pcapng, Path(self.ladder or "-"), self.calls) if path not in (None, terminal)]
        if len(set(files)) < len(files):
            raise MisuseError("two outputs cannot go to the same file")
        if self.ladder:
            check_ladder(self.ladder)
        for path in (self.pcapng, self.calls):
            if path is not None and path != terminal:
                check_path(path)

    def words(self) -> list[str]:
        """Those that decide what happens, as on the command line."""
        found = ["--limit", str(self.limit)]
        if self.lab is not None:
            found += ["--lab", str(self.lab)]
        if self.host:
            found += ["--host", self.host]
        if self.seed is not None:
            found += ["--seed", str(self.seed)]
        for each in self.allow:
            found += ["--allow", each]
        return found


def compare(words: list[str], options: Options) -> int:
    """Runs it in two processes; the program's exit status, or 1 if they differ."""
    if options.pcapng is not None or options.ladder or options.calls is not None:
        raise MisuseError("--twice compares two runs and writes nothing: leave out --pcapng, --ladder and --calls")
    command = [sys.executable, "-c", "from netglass.cli import main; main()", "run", "--pcapng", PLACE]
    both = trials([*command, *options.words(), *words])
    first, second = both
    sys.stdout.buffer.write(first.output)
    sys.stdout.flush()
    sys.stderr.buffer.write(first.errors)
    sys.stderr.flush()
    failed = next((each.status for each in both if each.status), 0)
    if failed == 2 and not first.capture:
        return failed  # it was not run at all, and has said why
    difference = differ(first, second)
    if difference:
        typer.echo(f"netglass run: {difference}", err=True)
    elif not packets(first.capture):
        typer.echo("netglass run: nothing was sent; its output is compared instead: twice the same", err=True)
    else:
        typer.echo("netglass run: twice the same, byte for byte", err=True)
    if failed:
        typer.echo(f"netglass run: the program failed, with exit status {failed}", err=True)
    return failed or int(bool(difference))


def carry_out(words: list[str], options: Options) -> int:
    made = default_lab(options.seed) if options.lab is None else lab_file.read(options.lab, options.seed)
    net = made.network
    programs = with_words(made, words, options.host)
    main = next((program for program in reversed(programs) if not program.serves), None)
    if main is None:
        raise MisuseError("no program to run: name a script or -m MODULE, or give a host of the lab file `run`")
    for program in programs:
        check_program(program)
    recorder = Recorder()
    net.observe(recorder)
    log = None if options.calls is None else CallLog()
    try:
        with own_main():
            code = run_all(programs, main, options, log)
        net.run(until=net.now() + SECOND)
    finally:
        write_outputs(recorder, log, options)
    return code


def with_words(made: Lab, words: list[str], name: str) -> list[Program]:
    """The lab file's programs; words of the command line replace what their host would `run`."""
    if not words:
        return made.programs
    host = chosen_host(made.network, name)
    return [
        *(program for program in made.programs if program.serves or program.host is not host),
        Program(host, words, False, Path()),
    ]


def run_all(programs: list[Program], main: Program, options: Options, log: CallLog | None) -> int:
    """The exit status: that of `main`, or of the first that failed beside it."""
    tasks = []
    for program in programs:
        if program is not main:
            name = title(program)
            tasks.append(spawn(program.host, execute_beside, program, name=name, daemon=program.serves))
    try:
        code = int(
            run(main.host, execute, main, len(programs) > 1, limit=options.limit, calls=log, allow=options.allow)
        )
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (Crashed, Hung):
        return 1  # and has been told
    except NetglassError as error:
        typer.echo(f"netglass run: {error}", err=True)
        return 1
    return code or next((int(task.result) for task in tasks if task.result), 0)


def write_outputs(recorder: Recorder, log: CallLog | None, options: Options) -> None:
    if options.pcapng is not None:
        write_pcapng(recorder, options.pcapng)
    if options.ladder:
        draw(recorder, options.ladder)
    if log is not None and options.calls is not None:
        write_calls(log, options.calls)


def default_lab(seed: int | None) -> Lab:
    net = Network(seed=1 if seed is None else seed)
    net.host("localhost")
    return Lab(net, [])


def chosen_host(net: Network, name: str) -> LabHost:
    if not net.hosts:
        raise MisuseError("the lab has no hosts")
    found = [host for host in net.hosts if host.name == name or not name]
    if not found:
        raise MisuseError(f"no host is called {name!r}; there are {', '.join([host.name for host in net.hosts])}")
    return found[0]


def write_calls(log: CallLog, path: Path) -> None:
    if path == Path("-"):
        typer.echo(log.text(), nl=False)
        return
    path.write_text(log.text(), encoding="utf-8")


def check_ladder(where: str) -> None:
    if where == "-":
        return
    if Path(where).suffix not in (".svg", ".html"):
        raise MisuseError(f"a ladder goes into FILE.svg, FILE.html or -; not {where!r}")
    check_path(Path(where))


def draw(recorder: Recorder, where: str) -> None:
    check_ladder(where)
    ladder = Ladder.of(recorder)
    if where == "-":
        typer.echo(ladder.text())
        return
    path = Path(where)
    path.write_text(ladder.svg() if path.suffix == ".svg" else ladder.html(), encoding="utf-8")
