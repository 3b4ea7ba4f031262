"""Locks that modules made before the run: real ones, at which a task would wait with everybody else behind it.

Those in a module's globals, in its classes and in instances of these are found by looking: plain locks are replaced,
and what `threading` and `queue` build of them (Condition, Event, Semaphore, Barrier, Queue) gets locks of ours inside,
so whoever holds the object elsewhere has it too. One that is in use, by a thread outside, is left as it is.
"""

from __future__ import annotations

import _thread
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

from netglass.programs.locks import Lock, RLock
from netglass.programs.patches import Patch
from netglass.programs.threads import SimpleQueue

_LOCK: Final = type(_thread.allocate_lock())
_RLOCK: Final = type(_thread.RLock())
_SIMPLE_QUEUE: Final[Any] = queue.SimpleQueue
_MADE_OF_ONE: Final = (threading.Event, threading.Semaphore, threading.Barrier)
_KINDS: Final = (_LOCK, _RLOCK, threading.Condition, *_MADE_OF_ONE, queue.Queue, _SIMPLE_QUEUE)
_OF_A_CONDITION: Final = ("_lock", "acquire", "release", "_release_save", "_acquire_restore", "_is_owned")

Path = tuple[str, str]
"""A name in a module, and an attribute of what stands there; "" for the thing itself."""

Made = dict[int, Any]
"""Locks that were replaced, by their id -> the replacement."""

_searched: dict[str, tuple[Any, int, list[Path]]] = {}
"""Modules that were searched: (module, how many names it had, where locks are)."""


def patches() -> list[Patch]:
    table: list[Patch] = []
    made: Made = {}
    for name, module in list(sys.modules.items()):
        size = len(getattr(module, "__dict__", ()))
        known = _searched.get(name)
        if known is None or known[0] is not module or known[1] != size:
            known = (module, size, list(_search(name, module)))
            _searched[name] = known
        for key, attribute in known[2]:
            owner = vars(module).get(key) if attribute else module
            held = getattr(owner, "__dict__", {}).get(attribute or key)
            if isinstance(held, _KINDS):
                table.extend(_replacing(owner, attribute or key, held, made))
    return table


def _search(name: str, module: Any) -> Iterator[Path]:
    if name in ("threading", "_thread") or name.startswith(("netglass", "importlib", "_frozen")):
        return
    for key, value in list(getattr(module, "__dict__", {}).items()):
        if isinstance(value, _KINDS):
            yield key, ""
        elif (isinstance(value, type) and value.__module__ == name) or type(value).__module__ == name:
            attributes = list(getattr(value, "__dict__", {}).items())
            yield from [(key, attribute) for attribute, inner in attributes if isinstance(inner, _KINDS)]


def _replacing(owner: Any, name: str, held: Any, made: Made) -> list[Patch]:
    if type(held) is _LOCK or type(held) is _RLOCK:
        return [] if locked(held) else [Patch(owner, name, _like(held, made), aliases=False)]
    if isinstance(held, _SIMPLE_QUEUE):
        return [Patch(owner, name, SimpleQueue(), aliases=False)] if held.empty() else []
    if isinstance(held, threading.Condition):
        return _inside_condition(held, made)
    if isinstance(held, queue.Queue):
        return _inside_queue(held, made)
    condition = held._cond
    return [Patch(held, "_cond", _condition(condition, made), aliases=False)] if _idle(condition) else []


def _inside_condition(condition: Any, made: Made) -> list[Patch]:
    if not _idle(condition):
        return []
    model = vars(_condition(condition, made))
    return [
        Patch(condition, name, model[name], aliases=False)
        for name in _OF_A_CONDITION
        if name in vars(condition) and name in model
    ]


def _inside_queue(held: Any, made: Made) -> list[Patch]:
    conditions = {name: getattr(held, name) for name in ("not_empty", "not_full", "all_tasks_done")}
    if not all(map(_idle, conditions.values())):
        return []
    inner = [Patch(held, name, _condition(each, made), aliases=False) for name, each in conditions.items()]
    return [Patch(held, "mutex", _like(held.mutex, made), aliases=False), *inner]


def _condition(real: Any, made: Made) -> Any:
    return threading.Condition(_like(real._lock, made))


def _idle(condition: Any) -> bool:
    """It is made of a real lock, and nobody has it or waits for it."""
    lock = condition._lock
    return type(lock) in (_LOCK, _RLOCK) and not condition._waiters and not locked(lock)


def _like(lock: Any, made: Made) -> Any:
    """The same for the same: conditions may share a lock."""
    if id(lock) not in made:
        made[id(lock)] = RLock() if type(lock) is _RLOCK else Lock()
    return made[id(lock)]


def locked(lock: Any) -> bool:
    if lock.acquire(False):
        lock.release()
        return False
    return True
