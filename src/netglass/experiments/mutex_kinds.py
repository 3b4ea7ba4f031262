"""Which kinds of mutex are there, and when does it matter?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Table
from netglass.experiments.measure import counted, so_often
from netglass.lab.network import Network

KINDS: Final = ("timed", "recursive", "errorcheck", "adaptive")
FOR_EVER: Final = "waits for ever"


def asked(what: Callable[..., Any], kind: str, *more: Any) -> tuple[Any, int]:
    """What came of it, and how often the thread called "waiter" fell asleep at a lock."""
    from netglass.programs.call_log import CallLog
    from netglass.programs.kernel import Deadlock
    from netglass.programs.run import run
    from netglass.sync import Mutex

    log = CallLog()
    try:
        told = run(Network(seed=1).host("host"), lambda: what(Mutex(kind), *more), calls=log)
    except Deadlock:
        told = FOR_EVER
    return told, sum([each.naps for each in log.of("lock", task="waiter")])


def figures_of(kind: str, turns: int) -> dict[str, Any]:
    from netglass.experiments.programs import mutexes

    return {
        "twice": asked(mutexes.lock_twice, kind)[0],
        "anothers": asked(mutexes.unlock_anothers, kind)[0],
        "in_time": asked(mutexes.lock_in_time, kind)[0],
        "naps_at_short_work": asked(mutexes.wait_for_it, kind, turns, 0)[1],
        "naps_at_long_work": asked(mutexes.wait_for_it, kind, 0, 0.1)[1],
    }


def run(turns: int) -> Outcome:
    figures = {kind: figures_of(kind, turns) for kind in KINDS}
    return Outcome(answer(figures, turns), figures, table=table(figures))


def answer(figures: dict[str, dict[str, Any]], turns: int) -> str:
    timed, recursive, check, adaptive = [figures[kind] for kind in KINDS]
    return (
        f"The kinds differ in what happens when a thread locks what it holds already. The normal one (glibc: PTHREAD_MUTEX_TIMED_NP) {timed['twice']}: a deadlock of one thread with itself, which the lab reports. "
        f"A recursive one counts ({recursive['twice']}). An error-checking one refuses ({check['twice']}), which is what one wants while looking for bugs.\n"
        f"Unlocking what another thread holds is {check['anothers']} here for all of them; POSIX demands that of the error-checking and the recursive kind and leaves it undefined for the others. "
        f"Each can be locked with a time limit (pthread_mutex_timedlock), and {timed['in_time']}.\n"
        f"An adaptive one (glibc: PTHREAD_MUTEX_ADAPTIVE_NP) tries a hundred times before it sleeps. When the holder was done after {turns} turns on the processor, the adaptive kind cost the waiter {counted(adaptive['naps_at_short_work'], 'sleep')}, the normal one {counted(timed['naps_at_short_work'], 'sleep')}; "
        f"falling asleep and being woken costs two switches between threads, more than short work does. When the holder itself slept, trying was in vain: {counted(adaptive['naps_at_long_work'], 'sleep')} all the same."
    )


def table(figures: dict[str, dict[str, Any]]) -> Table:
    rows = [
        (
            kind,
            found["twice"],
            found["anothers"],
            found["in_time"].removeprefix("gives up "),
            so_often(found["naps_at_short_work"]),
            so_often(found["naps_at_long_work"]),
        )
        for kind, found in figures.items()
    ]
    return Table(
        (
            "kind",
            "its owner again",
            "another unlocks",
            "timed lock gives up",
            "sleeps, short work",
            "long work",
        ),
        rows,
    )


EXPERIMENT = Experiment(
    "mutex-kinds",
    "programs",
    "Which kinds of mutex are there, and when does it matter?",
    run,
    (Parameter("turns", 20, "how long short work is, in turns on the processor", 1, 1000),),
)
