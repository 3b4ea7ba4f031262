"""One program of a command: run as `python` runs it, and its errors told as `python` tells them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import typer

from netglass.cli.lab_file import Program
from netglass.errors import MisuseError, NetglassError
from netglass.programs.frames import trim
from netglass.programs.kernel import Deadlock, Stopped


class Crashed(NetglassError):  # noqa: N818 - what happened to the program
    """A program ended with an exception, which has been shown."""


@contextmanager
def own_main() -> Iterator[None]:
    """What a program does to `sys` and `__main__` ends with it."""
    argv, path, main_module = sys.argv, sys.path, sys.modules["__main__"]
    sys.path = list(sys.path)
    try:
        yield
    finally:
        sys.argv, sys.path, sys.modules["__main__"] = argv, path, main_module


def title(program: Program) -> str:
    words = program.words[1:] if program.words[0] == "-m" else program.words
    return words[0] if words else "program"


def check_program(program: Program) -> None:
    """Whether it can be begun; what is not there should be said before anything runs."""
    words = program.words
    if words[0] == "-m":
        if len(words) < 2:
            raise MisuseError("-m needs the name of a module")
        return
    path = program.directory / words[0]
    try:
        path.open("rb").close()
    except OSError as error:
        raise MisuseError(f"can't open file {str(path)!r}: {error.strerror}") from None


def execute(program: Program, named: bool = True) -> int:
    """Runs it as `python SCRIPT` or `python -m MODULE` does; its exit status. Raises Crashed when it ends with an
    exception, which is shown at once; with the program's name in front, if `named`."""
    check_program(program)
    try:
        start(program)
    except SystemExit as leaving:
        return exit_status(leaving.code)
    except (Deadlock, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_of_the_end(error):
            return 0
        where = f"{title(program)} on {program.host.name}"
        show(error, where if named else "", program)
        raise Crashed(f"{where} failed") from None
    return 0


def execute_beside(program: Program) -> int:
    """The same for one that is not the main program: a failure is only a status, the others go on. Nobody asks a server
    with which status it ended."""
    try:
        status = execute(program)
    except Crashed:
        return 1
    return 0 if program.serves else status


def start(program: Program) -> None:
    words = program.words
    if words[0] == "-m":
        sys.path.insert(0, "")
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    path = program.directory / words[0]
    code = compile(path.read_bytes(), str(path), "exec")
    main = ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"] = main
    sys.argv = words
    sys.path.insert(0, str(path.resolve().parent))
    exec(code, main.__dict__)


def show(error: BaseException, where: str, program: Program) -> None:
    """The traceback, as the interpreter shows it at its end, without the frames that are netglass's."""
    trim(error)
    if isinstance(error, ImportError) and error.__traceback__ is None and program.words[0] == "-m":
        typer.echo(f"netglass run: {error}", err=True)
        return
    if where:
        typer.echo(f"{where} failed:", err=True)
    sys.excepthook(type(error), error, error.__traceback__)


def is_of_the_end(error: BaseException | None) -> bool:
    """Whether it came of the run's end, which tells the programs that are left to stop."""
    while error is not None:
        if isinstance(error, Stopped):
            return True
        error = error.__cause__ or error.__context__
    return False


def exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    typer.echo(str(code), err=True)
    return 1
