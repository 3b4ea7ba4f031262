"""What of a stack is the user's: not the frames of netglass, nor of what started it and the program."""

from __future__ import annotations

from pathlib import Path
from traceback import StackSummary, walk_stack
from types import FrameType, TracebackType
from typing import Final

_PACKAGE: Final = f"{Path(__file__).parents[1]}/"
_PROGRAMS: Final = (f"{_PACKAGE}tools/", f"{_PACKAGE}experiments/")  # of netglass's own, which run as anybody's
_STARTERS: Final = ("<frozen runpy>", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
_BEGIN: Final = f"{_PACKAGE}programs/threads.py"
"""Its frames lie between whoever called `run` and the program."""


def is_users(path: str) -> bool:
    """Whether a frame whose code is in the file `path` says something to the user."""
    if path in _STARTERS:
        return False
    return not path.startswith(_PACKAGE) or path.startswith(_PROGRAMS)


def users_stack(frame: FrameType | None) -> StackSummary:
    """From the program's first frame in to `frame`, or to the last that is the program's."""
    found: list[tuple[FrameType, int]] = []
    for each, line in walk_stack(frame) if frame is not None else ():
        path = each.f_code.co_filename
        if path == _BEGIN:
            break
        if is_users(path):
            found.append((each, line))
    return StackSummary.extract(iter(found[::-1]))


def users_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback with the user's frames only; None if it has none."""
    frames: list[TracebackType] = []
    while traceback is not None:
        if is_users(traceback.tb_frame.f_code.co_filename):
            frames.append(traceback)
        traceback = traceback.tb_next
    trimmed: TracebackType | None = None
    for each in reversed(frames):
        trimmed = TracebackType(trimmed, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return trimmed


def trim(error: BaseException | None) -> None:
    """Leaves the user's frames only in the traceback of `error` and of those that it came of."""
    seen: set[int] = set()
    left = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = users_traceback(each.__traceback__)
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
