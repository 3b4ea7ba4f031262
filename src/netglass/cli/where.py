"""Where a command's program runs: on a device, in a lab, or on the machine's own sockets."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from netglass.cli import lab_file
from netglass.cli.program import execute, title
from netglass.cli.run import chosen_host, terminate
from netglass.cli.wire import Wire, wire_host
from netglass.errors import MisuseError, NetglassError
from netglass.programs.run import run, spawn
from netglass.trace import Recorder, write_pcapng

T = TypeVar("T")

LabOption = Annotated[
    Path | None, typer.Option("--lab", metavar="FILE", help="In a lab, in virtual time; `netglass run` tells its form.")
]
HostOption = Annotated[str, typer.Option("--from", metavar="HOST", help="On which host of the lab; none: the first.")]


@dataclass(frozen=True)
class Where:
    """`wire` without a device and no `lab`: the machine's own sockets."""

    wire: Wire
    lab: Path | None = None
    host: str = ""

    @property
    def on_wire(self) -> bool:
        wire = self.wire
        return bool(wire.tun or wire.addresses or wire.kernel or wire.dns)

    def check(self) -> None:
        if self.on_wire:
            self.wire.check()
            if self.lab is not None:
                raise MisuseError("a device or a lab: --tun or --lab, not both")
        elif self.lab is None and self.wire.pcapng is not None:
            raise MisuseError("--pcapng sees what netglass carries: it goes with --tun")
        if self.host and self.lab is None:
            raise MisuseError("--from names a host of a lab: it goes with --lab")

    def run(self, program: Callable[[], T]) -> T:
        """What `program` returns."""
        self.check()
        result: T
        if self.on_wire:
            with wire_host(self.wire) as host:
                result = run(host, program)
            return result
        if self.lab is not None:
            return in_lab(self.lab, self.host, program, self.wire.pcapng)
        return program()


def in_lab(path: Path, name: str, program: Callable[[], T], pcapng: Path | None) -> T:
    """Beside the programs of the lab file, until it ends."""
    made = lab_file.read(path)
    host = chosen_host(made.network, name)
    recorder = Recorder()
    if pcapng is not None:
        made.network.observe(recorder)
    for each in made.programs:
        spawn(each.host, execute, each, name=title(each), daemon=True)
    try:
        result: T = run(host, program)
    finally:
        if pcapng is not None:
            write_pcapng(recorder, pcapng)
    return result


@contextmanager
def reported(command: str) -> Iterator[None]:
    """Errors in one line, and an exit status: 2 for a wrong use, 1 for what went wrong later. Ctrl-C and SIGTERM end it in
    order, so that nothing is left behind; so does a reader that has seen enough."""
    pipe, term = signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if term is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    except BrokenPipeError:
        os._exit(128 + signal.SIGPIPE)  # the interpreter would complain of what it cannot flush
    except (MisuseError, OSError) as error:
        typer.echo(f"netglass {command}: {in_words(error)}", err=True)
        raise typer.Exit(2) from None
    except NetglassError as error:
        typer.echo(f"netglass {command}: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        signal.signal(signal.SIGPIPE, pipe)
        signal.signal(signal.SIGTERM, term)


def in_words(error: MisuseError | OSError) -> str:
    """Without the number of the error; but with its file, if it is about one."""
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    return str(error)
