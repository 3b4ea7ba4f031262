"""Many scripts: find the files, play them (on several processors if wanted), and say how it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from netglass.errors import MisuseError
from netglass.packetdrill.result import Failure, Result
from netglass.packetdrill.runner import Say, run_script
from netglass.packetdrill.script import ScriptError, Setting
from netglass.packetdrill.settings import SWITCHES, read_settings
from netglass.probe import Probe
from netglass.times import human

_FROM_COMMAND_LINE = 0  # the line of a setting that stands in no script


def split_arguments(arguments: Iterable[str]) -> tuple[list[Path], list[Setting]]:
    """Files, and `--name=value` or `--name value` options of the language, which have underscores in their names."""
    files: list[Path] = []
    settings: list[Setting] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            files.append(Path(argument))
            continue
        name, sign, value = argument[2:].partition("=")
        if not sign and name not in SWITCHES:
            value = next(rest, "")
        settings.append(Setting(name, value, _FROM_COMMAND_LINE))
    return files, settings


def check_settings(settings: Iterable[Setting]) -> None:
    """MisuseError if no script could be played with these: an error of the command line, and of no script."""
    try:
        read_settings((), settings, "")
    except ScriptError as error:
        raise MisuseError(error.problem) from None


def scripts(paths: Iterable[Path]) -> list[Path]:
    """The files themselves; of a directory, every *.pkt below it, sorted. MisuseError for what does not exist."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob("*.pkt"))
        elif path.is_file():
            found.append(path)
        else:
            raise MisuseError(f"no such file: {path}")
    if not found:
        raise MisuseError("no scripts: name files, or directories that hold *.pkt files")
    return found


def play(path: Path, settings: tuple[Setting, ...] = (), say: Say | None = None, probe: Probe | None = None) -> Result:
    """One script, whatever happens in it: an error of netglass itself is a failure of the script too."""
    try:
        return run_script(path, options=settings, probe=probe, say=say)
    except Exception as error:
        problem = f"netglass itself failed: {type(error).__name__}: {error}"
        return Result(str(path), Failure(str(path), 0, problem))


def play_all(files: list[Path], settings: list[Setting], jobs: int = 1) -> Iterator[Result]:
    """Results in the order of `files`, each as soon as it is there."""
    one = partial(play, settings=tuple(settings))
    if jobs <= 1 or len(files) < 2:
        yield from map(one, files)
        return
    with ProcessPoolExecutor(min(jobs, len(files))) as pool:
        yield from pool.map(one, files, chunksize=8)


def summary(results: list[Result]) -> str:
    """ "501 scripts: 500 passed, 1 failed, in 12 s of virtual time"."""
    failed = sum(not result.passed for result in results)
    plural = "" if len(results) == 1 else "s"
    time = human(sum(result.duration for result in results))
    return f"{len(results)} script{plural}: {len(results) - failed} passed, {failed} failed, in {time} of virtual time"
