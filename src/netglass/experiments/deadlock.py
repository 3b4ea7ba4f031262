"""What is a deadlock, and what prevents it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Table
from netglass.experiments.measure import counted, so_often
from netglass.lab.network import Network
from netglass.times import SECOND, duration, human

TELLERS: Final = ("teller 1", "teller 2")
GIVES_UP: Final = "gives up, and its lock back"


@dataclass(frozen=True)
class Day:
    """What came of a day at the bank: balances, or the report of a deadlock; and what the tellers did, when."""

    balances: dict[str, int]
    report: str
    diary: list[tuple[int, str, str]]

    def waited_with_a_lock(self) -> int:
        """How often somebody held a lock, wanted another, and did not have it at once."""
        held: dict[str, int] = dict.fromkeys(TELLERS, 0)
        found = 0
        for place, (_, teller, what) in enumerate(self.diary):
            if what.startswith("has"):
                held[teller] += 1
            elif what in (GIVES_UP, "moves the money"):
                held[teller] = 0
            elif held[teller]:
                mine = [each for each in self.diary[place + 1 :] if each[1] == teller]
                found += not mine or mine[0][0] > self.diary[place][0] or mine[0][2] == GIVES_UP
        return found

    def gave_up(self) -> int:
        return len([what for _, _, what in self.diary if what == GIVES_UP])


def day(way: str, ledger: str) -> Day:
    from netglass.experiments.programs.bank import open_bank
    from netglass.programs.kernel import Deadlock
    from netglass.programs.run import run

    diary: list[tuple[float, str, str]] = []
    report, balances = "", {}
    try:
        balances = run(Network(seed=1).host("bank"), open_bank, way, duration(ledger) / SECOND, diary)
    except Deadlock as found:
        report = str(found)
    return Day(balances, report, [(round(seconds * SECOND), teller, what) for seconds, teller, what in diary])


def run(ledger: str) -> Outcome:
    plain, ordered, patient = day("giver first", ledger), day("in one order", ledger), day("with a time limit", ledger)
    figures: dict[str, Any] = {
        "found_at": plain.diary[-1][0] if plain.report else -1,
        "report": plain.report.splitlines(),
        "balances": {
            "giver first": plain.balances,
            "in one order": ordered.balances,
            "with a time limit": patient.balances,
        },
        "held_and_waited": [each.waited_with_a_lock() for each in (plain, ordered, patient)],
        "gave_up": patient.gave_up(),
        "done_after": [each.diary[-1][0] for each in (ordered, patient)],
    }
    return Outcome(answer(figures), figures, table=table(plain, ordered, patient), diagram=diagram(figures))


def answer(figures: dict[str, Any]) -> str:
    ordered, patient = figures["done_after"]
    return (
        f"{found(figures)}\n"
        f"In one order: if both take Ann's lock first, there can be no circle. Whoever had to wait had empty hands ({counted(figures['held_and_waited'][1], 'wait')} with a lock in hand), and both are done after {human(ordered)}: {balances(figures, 'in one order')}.\n"
        f"With a time limit: whoever does not get the second lock in time gives the first one back, so that locks can be taken from those who wait. That was needed {so_often(figures['gave_up'])}; both are done after {human(patient)}: "
        f"{balances(figures, 'with a time limit')}. The two limits differ on purpose: with equal ones both would give up and begin again together, for ever (livelock)."
    )


def found(figures: dict[str, Any]) -> str:
    if not figures["report"]:
        return f"Nothing happened: a teller had both locks before the other came. Both are done: {balances(figures, 'giver first')}. That is what makes deadlocks hard to find: give --ledger more time."
    report = "\n".join(figures["report"])
    return f"Two tellers move money between the same two accounts, in opposite directions; each locks the giver, looks into the ledger, then locks the taker. At {human(figures['found_at'])} nobody can ever go on, and the lab says so at once:\n{report}"


def balances(figures: dict[str, Any], way: str) -> str:
    return ", ".join([f"{owner} has {balance}" for owner, balance in figures["balances"][way].items()])


def table(*days: Day) -> Table:
    """What the tellers did at each time, side by side."""
    rows: list[tuple[str, ...]] = []
    for title, each in zip(("GIVER FIRST", "IN ONE ORDER", "WITH A TIME LIMIT"), days, strict=True):
        rows.append((title, "", ""))
        for time in sorted({time for time, _, _ in each.diary}):
            done = [
                ", ".join([what for when, who, what in each.diary if (when, who) == (time, teller)])
                for teller in TELLERS
            ]
            rows.append((human(time), *done))
        rows.append(("", "waits for ever", "waits for ever") if each.report else ("", "goes home", "goes home"))
    return Table(("time", *TELLERS), rows)


def diagram(figures: dict[str, Any]) -> str:
    """Who holds what and wants what, as Mermaid; nothing if nobody is stuck."""
    if not figures["report"]:
        return ""
    holds = [("teller 1", "Ann"), ("teller 2", "Ben")]
    lines = [f"    {owner}[({owner}'s lock)] -- held by --> {node(teller)}({teller})" for teller, owner in holds]
    lines += [f"    {node('teller 1')} -- waits for --> Ben", f"    {node('teller 2')} -- waits for --> Ann"]
    return "\n".join(["flowchart LR", *lines]) + "\n"


def node(name: str) -> str:
    return name.replace(" ", "")


EXPERIMENT = Experiment(
    "deadlock",
    "programs",
    "What is a deadlock, and what prevents it?",
    run,
    (Parameter("ledger", "10ms", "how long a teller looks into the ledger, between the two locks", "0s", "1s"),),
)
