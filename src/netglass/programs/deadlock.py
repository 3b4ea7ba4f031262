"""What a deadlock looks like: who waits for what, where in the program, and who holds it."""

from __future__ import annotations

import sys

from netglass.programs.kernel import Kernel, Task
from netglass.programs.locks import EndLock, Exclusive, users_frame
from netglass.times import NEVER


def report(kernel: Kernel) -> str:
    """Nobody can go on, and nothing is left to happen."""
    tasks = [task for task in kernel.tasks if task.parked]
    cycle = find_cycle(tasks)
    if cycle:
        return cycle_report(cycle, tasks)
    lines = ["deadlock: nobody can go on, and nothing is left to happen"]
    lines.extend(f"  {line(task)}" for task in tasks)
    main = kernel.main
    if len(tasks) == 2 and isinstance(main.waits_for, str) and main.waits_for.startswith("the end of"):
        other = next(task for task in tasks if task is not main)
        lines.append(
            f"A program that serves for ever is spawned with daemon=True; the run does not wait for {other.name} then."
        )
    return "\n".join(lines)


def line(task: Task) -> str:
    """ "worker on server waits for the lock made at bank.py:10, held by main; at bank.py:31 in pay"."""
    return f"{task.name} on {task.host.name} waits {_for_what(task)}; {place(task)}"


def _for_what(task: Task) -> str:
    wanted = task.waits_for
    if not isinstance(wanted, Exclusive) or isinstance(wanted, EndLock) or wanted.owner is None:
        return f"for {wanted}"
    owner = wanted.owner
    if _signals(wanted, task):
        return "to be notified, or for a lock that it holds itself"
    if owner is task:
        return f"for {wanted}, which it holds itself"
    return f"for {wanted}, held by {owner.name}" + (", which has ended" if owner.done else "")


def place(task: Task) -> str:
    frame = users_frame(sys._current_frames().get(task.ident))
    if frame is None:
        return "nowhere"
    code = frame.f_code
    return f"at {code.co_filename.rpartition('/')[2]}:{frame.f_lineno} in {code.co_name}"


def find_cycle(tasks: list[Task]) -> list[Task]:
    """Tasks each of which waits, without a limit, for a lock that the next holds; the last one for the first's. [] if
    there are none."""
    for start in tasks:
        path: list[Task] = []
        task: Task | None = start
        while task is not None and task not in path:
            path.append(task)
            wanted = task.waits_for
            waits = task.parked and task.deadline == NEVER and isinstance(wanted, Exclusive)
            task = wanted.owner if waits and isinstance(wanted, Exclusive) and not _signals(wanted, path[-1]) else None
        if task is start:
            return path
    return []


def _signals(lock: Exclusive, task: Task) -> bool:
    # A Condition's waiter locks its own lock twice and is freed by another: a signal, not a deadlock by itself.
    return lock.owner is task and not lock.certain


def cycle_report(cycle: list[Task], tasks: list[Task]) -> str:
    names = " -> ".join([task.name for task in [*cycle, cycle[0]]])
    who = "one task waits for itself" if len(cycle) == 1 else f"{len(cycle)} tasks wait for each other"
    lines = [f"deadlock: {who}: {names}"]
    for index, task in enumerate(cycle):
        held = cycle[index - 1].waits_for
        lines.append(f"  {task.name} holds {held}")
        lines.append(f"  {line(task)}")
    others = [task for task in tasks if task not in cycle]
    if others:
        lines.append("besides:")
        lines.extend(f"  {line(task)}" for task in others)
    lines.extend(
        [
            "All four conditions of a deadlock (Coffman, 1971) hold:",
            "  mutual exclusion  each of these locks has one holder at a time",
            "  hold and wait     each task keeps its lock while it waits for the next",
            "  no preemption     nobody takes a lock away, and none of these waits has a time limit",
            f"  circular wait     {names}",
            "Without one of them it cannot happen: take the locks in one order everywhere, or wait with a timeout.",
        ]
    )
    return "\n".join(lines)
