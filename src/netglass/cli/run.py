"""`netglass run`: an ordinary Python program on a host of a lab, in virtual time."""

from __future__ import annotations

import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated

import typer

from netglass.cli import lab_file, wire
from netglass.cli.lab_file import Lab, Program
from netglass.errors import MisuseError, NetglassError
from netglass.lab.host import LabHost
from netglass.lab.network import Network
from netglass.programs.call_log import CallLog
from netglass.programs.run import LIMIT, run, spawn
from netglass.programs.runtwice import twice
from netglass.times import SECOND
from netglass.trace import Ladder, Recorder, write_pcapng

EPILOG = (
    "Examples:  netglass run script.py   ·   netglass run --ladder - -m http.server 80   ·   "
    "netglass run --lab lab.toml --pcapng lab.pcapng   ·   netglass run --lab lab.toml --host client client.py --verbose"
    "   ·   netglass run --tun ng0 --address 10.83.0.2/24 -m http.server 80"
)
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


def run_program(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCRIPT|-m MODULE [ARGS]...",
            help="The program and its arguments, as after `python`; none: those of the lab file.",
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
    limit: Annotated[float, typer.Option(help="Seconds of real time that it may take.")] = LIMIT,
    check: Annotated[
        bool, typer.Option("--twice", help="Run it in two processes and compare the captures byte for byte.")
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
    try:
        if tun or addresses or kernel or dns:
            if lab or host or ladder or calls or check or seed is not None:
                raise MisuseError("--tun is real time: it goes with --address, --kernel, --dns and --pcapng only")
            raise typer.Exit(on_wire(words or [], wire.Wire(tun, addresses or (), kernel or (), dns or (), pcapng)))
        if check:
            compare()
            return
        code = carry_out(words or [], lab, host, seed, pcapng, ladder, calls, limit)
    except (MisuseError, OSError) as error:
        typer.echo(f"netglass run: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def on_wire(words: list[str], where: wire.Wire) -> int:
    """In real time, on a device, until the program ends or somebody presses Ctrl-C."""
    if not words:
        raise MisuseError("no program to run: name a script or -m MODULE")
    with wire.wire_host(where) as place, own_main():
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminate)
        try:
            return int(run(place, execute, Program(place, words, False, Path())))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except NetglassError as error:
            typer.echo(f"netglass run: {error}", err=True)
            return 1


def terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as Ctrl-C does: in order."""
    raise SystemExit(128 + number)


@contextmanager
def own_main() -> Iterator[None]:
    """What a program does to `sys` and `__main__` ends with it."""
    argv, path, main_module = sys.argv, sys.path, sys.modules["__main__"]
    sys.path = list(sys.path)
    try:
        yield
    finally:
        sys.argv, sys.path, sys.modules["__main__"] = argv, path, main_module


def compare() -> None:
    words = [word for word in sys.argv[1:] if word != "--twice"]
    start = [sys.executable, "-c", "from netglass.cli import main; main()"]
    difference = twice([*start, *words[:1], "--pcapng", "{capture}", *words[1:]])
    if difference:
        typer.echo(f"netglass run: {difference}", err=True)
        raise typer.Exit(1)
    typer.echo("netglass run: twice the same, byte for byte", err=True)


def carry_out(
    words: list[str],
    path: Path | None,
    name: str,
    seed: int | None,
    pcapng: Path | None,
    ladder: str,
    calls: Path | None,
    limit: float,
) -> int:
    made = default_lab(seed) if path is None else lab_file.read(path, seed)
    net = made.network
    programs = made.programs
    if words:
        programs = [*programs, Program(chosen_host(net, name), words, False, Path())]
    main = next((program for program in reversed(programs) if not program.serves), None)
    if main is None:
        raise MisuseError("no program to run: name a script or -m MODULE, or give a host of the lab file `run`")
    recorder = Recorder()
    net.observe(recorder)
    log = None if calls is None else CallLog()
    code = 0
    try:
        with own_main():
            for program in programs:
                if program is not main:
                    spawn(program.host, execute, program, name=title(program), daemon=program.serves)
            code = run(main.host, execute, main, limit=limit, calls=log)
            net.run(until=net.now() + SECOND)
    except NetglassError as error:
        typer.echo(f"netglass run: {error}", err=True)
        code = 1
    finally:
        if pcapng is not None:
            write_pcapng(recorder, pcapng)
        if ladder:
            draw(recorder, ladder)
        if log is not None and calls is not None:
            write_calls(log, calls)
    return code


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


def title(program: Program) -> str:
    words = program.words[1:] if program.words[0] == "-m" else program.words
    return words[0] if words else "program"


def execute(program: Program) -> int:
    """Runs it as `python SCRIPT` or `python -m MODULE` does; its exit status."""
    words = program.words
    is_module = words[0] == "-m"
    if is_module and len(words) < 2:
        raise MisuseError("-m needs the name of a module")
    try:
        if is_module:
            sys.path.insert(0, "")
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            run_script(program.directory / words[0], words)
    except SystemExit as leaving:
        return exit_status(leaving.code)
    return 0


def run_script(path: Path, words: list[str]) -> None:
    code = compile(path.read_bytes(), str(path), "exec")
    main = ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"] = main
    sys.argv = words
    sys.path.insert(0, str(path.resolve().parent))
    exec(code, main.__dict__)


def exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    typer.echo(str(code), err=True)
    return 1


def write_calls(log: CallLog, path: Path) -> None:
    if path == Path("-"):
        typer.echo(log.text(), nl=False)
        return
    path.write_text(log.text(), encoding="utf-8")


def draw(recorder: Recorder, where: str) -> None:
    ladder = Ladder.of(recorder)
    if where == "-":
        typer.echo(ladder.text())
        return
    drawers = {".svg": ladder.svg, ".html": ladder.html}
    kind = Path(where).suffix
    if kind not in drawers:
        raise MisuseError(f"a ladder goes into FILE.svg, FILE.html or -; not {where!r}")
    Path(where).write_text(drawers[kind](), encoding="utf-8")
