"""What a failed test shows, and what it leaves behind."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from netglass.errors import MisuseError, NetglassError
from netglass.pytest_plugin.network import ObservedNetwork
from netglass.pytest_plugin.run import Run
from netglass.trace.ladder import Ladder
from netglass.trace.pcapng import write_pcapng

TAIL: Final = 40
"""Lines of the ladder that a report shows."""
HEAD: Final = 2
"""Lines at the top of a ladder that name its columns."""
FILES: Final = ("again.txt", "capture.pcapng", "ladder.html", "ladder.txt")
_LONGEST_NAME: Final = 120


def width() -> int:
    return min(max(shutil.get_terminal_size().columns, 80), 120)


def tail(ladder: str, lines: int = TAIL) -> str:
    """The last lines of a drawn ladder, under its head."""
    rows = ladder.splitlines()
    hidden = len(rows) - HEAD - lines
    if hidden <= 1:
        return ladder
    return "\n".join([*rows[:HEAD], f"... {hidden} lines before this ...", *rows[-lines:]])


def drawn(net: ObservedNetwork) -> str:
    """The ladder as text; why there is none, if there is none."""
    if not net.trace.events:
        return "nothing happened on the network"
    try:
        return Ladder.of(net.trace).text(width=width()).rstrip()
    except MisuseError as error:
        return f"no ladder: {error}"
    except Exception:
        return f"no ladder:\n{traceback.format_exc()}"  # which must not end the whole session


def failure_text(item: pytest.Item, run: Run, net: ObservedNetwork) -> str:
    """What the report of a failed test says about its network. Leaves the artefacts. If that fails, why: an error here
    would end the whole session."""
    try:
        return told_and_left(item, run, net)
    except Exception:
        return f"the report itself failed:\n{traceback.format_exc()}"


def told_and_left(item: pytest.Item, run: Run, net: ObservedNetwork) -> str:
    ladder = drawn(net)
    directory = leave(item, run, net, ladder)
    lines = [tail(ladder), ""]
    lines += [f"still waiting: {each}" for each in net.waiting()]
    lines += [f"again: {again(item, run.faults, net.seed)}", f"more in {shown(item, directory)}: {', '.join(FILES)}"]
    return "\n".join(lines)


def again(item: pytest.Item, faults: tuple[str, ...], seed: int) -> str:
    """The command that does the same once more."""
    words = ["pytest", test_of(item), f"--netglass-seed={seed}", *[f"--netglass-fault={text}" for text in faults]]
    return " ".join([shlex.quote(word) for word in words])


def test_of(item: pytest.Item) -> str:
    """The test's id without the seed that --netglass-runs put into it."""
    return re.sub(r"(?<=\[)seed\d+-|-seed\d+(?=[\]-])|\[seed\d+\]", "", item.nodeid)


def hide_insides() -> None:
    """In a traceback a call of ours is one line, as a system call is: pytest leaves out what lies below."""
    for name, module in list(sys.modules.items()):
        if name.startswith("netglass.") and not name.startswith("netglass.pytest_plugin"):
            vars(module).setdefault("__tracebackhide__", is_no_bug)


def is_no_bug(failure: pytest.ExceptionInfo[BaseException]) -> bool:
    """False for what cannot have been meant: any other error than a system's, or ours, from within netglass."""
    if isinstance(failure.value, (OSError, NetglassError)):
        return True
    return not str(failure.traceback[-1].frame.f_globals.get("__name__")).startswith("netglass.")


# -- artefacts


def leave(item: pytest.Item, run: Run, net: ObservedNetwork, ladder: str) -> Path:
    """Writes the artefacts of one run; the directory in which they are."""
    directory = directory_of(item) / file_name(run.label)
    make(item, directory)
    (directory / "again.txt").write_text(f"seed {net.seed}\n{again(item, run.faults, net.seed)}\n", encoding="utf-8")
    (directory / "ladder.txt").write_text(ladder + "\n", encoding="utf-8")
    write_pcapng(net.trace, directory / "capture.pcapng")
    title = f"{item.nodeid} {run.label}".rstrip()
    (directory / "ladder.html").write_text(Ladder.of(net.trace).html(title=title), encoding="utf-8")
    return directory


def clear(item: pytest.Item) -> None:
    """Takes away what an earlier run of this test left, and nothing else."""
    top = directory_of(item)
    if not top.is_dir():
        return
    for directory in [*[each for each in top.iterdir() if each.is_dir()], top]:
        for name in FILES:
            (directory / name).unlink(missing_ok=True)
        if not any(directory.iterdir()):
            directory.rmdir()


def root_of(item: pytest.Item) -> Path:
    return item.config.rootpath / str(item.config.getoption("netglass_artefacts"))


def directory_of(item: pytest.Item) -> Path:
    """DIR/tests.test_x.test_y, with nothing in it that a file system or a shell dislikes."""
    return root_of(item) / file_name(item.nodeid.replace("/", ".").replace(".py::", ".").replace("::", "."))


def file_name(text: str) -> str:
    clean = re.sub(r"[^\w.=\[\]+-]+", "-", text).strip("-")
    if len(clean) <= _LONGEST_NAME:
        return clean
    return f"{clean[:_LONGEST_NAME]}-{sha256(text.encode()).hexdigest()[:8]}"


def make(item: pytest.Item, directory: Path) -> None:
    root = root_of(item)
    if not root.exists():
        root.mkdir(parents=True)
        # As pytest's own cache does it: nobody commits artefacts by accident.
        (root / ".gitignore").write_text("*\n", encoding="utf-8")
    directory.mkdir(parents=True, exist_ok=True)


def shown(item: pytest.Item, directory: Path) -> str:
    """The directory as seen from where pytest was started, if it is below."""
    start = item.config.invocation_params.dir
    return str(directory.relative_to(start) if directory.is_relative_to(start) else directory)
