"""The sweep: a test runs once without faults, then once more for each segment, which is lost (or doubled, late, reset),
that one and no other. What the program does not survive is named, with a line that does it again.

Up to the segment in question a run is the same as the first one: same seed, same packets. That is why its number names
it; if it does not come again, the test is not the same each time, and the sweep says so.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, cast

import pytest
from _pytest.runner import runtestprotocol

from netglass.errors import MisuseError
from netglass.pytest_plugin.network import ObservedNetwork, Passed
from netglass.pytest_plugin.report import clear, directory_of, drawn, file_name, shown, tail
from netglass.pytest_plugin.run import RUN, SWEEP, Run
from netglass.times import duration
from netglass.trace.describe import arrow_words
from netglass.trace.transmissions import Transmission
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import RST, TcpSegment

FULL: Final = 10
"""So many failures are told in full."""
TAIL: Final = 24
"""Lines of a ladder for each of them."""
VERBS: Final = ("drop", "duplicate", "delay", "reset")
LATE: Final = "2 s"


class Kind(NamedTuple):
    """What is done to a segment."""

    verb: str
    by: str = ""

    def fault(self, passed: Passed) -> str:
        """The text of the fault that does it to this packet."""
        by = f', by="{self.by}"' if self.by else ""
        nth = f", nth={passed.nth}" if passed.nth > 1 else ""
        return f"faults.{self.verb}({passed.matcher}{by}{nth})"


def kinds_of(text: str) -> list[Kind]:
    """Of text such as "drop" or "drop,delay=500ms"."""
    kinds = []
    for word in text.split(","):
        verb, equals, by = word.strip().partition("=")
        if verb not in VERBS or (equals and verb != "delay"):
            raise MisuseError(f'{word!r} is not one of {", ".join(VERBS)}; delay may say how long: "delay=500ms"')
        if verb == "delay":
            duration(by or LATE)
        kinds.append(Kind(verb, (by or LATE) if verb == "delay" else ""))
    return kinds


class Trial(NamedTuple):
    """One fault to try."""

    label: str
    fault: str
    where: str
    """The name of the cable."""
    short: str
    """The fault, with the name of the cable if there are several."""
    what: str
    """The packet, in words."""


class Casualty(NamedTuple):
    """A fault that the program did not survive."""

    trial: Trial
    error: str
    ladder: str
    artefacts: str


# -- the protocol of pytest


def protocol(item: pytest.Item, nextitem: pytest.Item | None, kinds: list[Kind]) -> None:
    """Runs one test and its sweep, and reports both as one test."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    clear(item)
    first = Run(faults=tuple(item.config.getoption("netglass_fault")), census=True)
    reports = run_once(item, first)
    called = [each for each in reports if each.when == "call"]
    if first.net is not None and called and all(each.passed and not hasattr(each, "wasxfail") for each in reports):
        reports[1] = swept(item, trials_of(first.net, kinds), called[0])
    reports += torn_down(item, nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def run_once(item: pytest.Item, run: Run) -> list[pytest.TestReport]:
    """Setup, call and teardown; what the test shares with others stays set up."""
    item.stash[RUN] = run
    item._report_sections.clear()  # noqa: SLF001  what earlier runs printed is not this run's
    # What comes next is asked only for the nodes above it: the parent stands for a sibling of this test.
    sibling = cast(pytest.Item, item.parent)
    try:
        return runtestprotocol(item, log=False, nextitem=sibling)
    finally:
        if RUN in item.stash:
            del item.stash[RUN]


def torn_down(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Ends what the next test does not share; a report only if that fails."""
    if item.session.shouldfail or item.session.shouldstop:
        nextitem = None
    call = pytest.CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), "teardown")  # noqa: SLF001  no public name
    if call.excinfo is None:
        return []
    return [item.ihook.pytest_runtest_makereport(item=item, call=call)]


# -- the sweep


def trials_of(net: ObservedNetwork, kinds: list[Kind]) -> list[Trial]:
    """Everything to try, in the order of the packets. A packet that a router passed on is tried on its first cable
    only."""
    found: list[Trial] = []
    known = {(each.carried.link, id(each.packet)): each for each in net.trace.transmissions() if not each.copy}
    for kind in kinds:
        for name, census in net.censuses.items():
            for passed in census.passed:
                transmission = known.get((name, id(passed.packet)))
                if transmission is None or transmission.previous is not None or not can(kind, passed.packet):
                    continue
                found.append(trial_of(kind, passed, transmission, len(net.censuses) > 1))
    return found


def can(kind: Kind, packet: IpPacket | EthernetFrame) -> bool:
    """A reset needs a segment, and one that is none itself."""
    return kind.verb != "reset" or (isinstance(packet.payload, TcpSegment) and not packet.payload.flags & RST)


def trial_of(kind: Kind, passed: Passed, transmission: Transmission, many_cables: bool) -> Trial:
    name = passed.matcher.removeprefix("match.").replace("(", " ").removesuffix(")")
    nth = f" nth {passed.nth}" if passed.nth > 1 else ""
    where, fault = transmission.carried.link, kind.fault(passed)
    label, short = f"{kind.verb} {name}{nth}", fault
    if many_cables:
        label, short = f"{label} on {where}", f"{where}: {fault}"
    what = f"{transmission.source} -> {transmission.destination} {' '.join(arrow_words(transmission))}"
    return Trial(label, fault, where, short, what)


def swept(item: pytest.Item, trials: list[Trial], passed: pytest.TestReport) -> pytest.TestReport:
    """Tries everything; the report of the test with its sweep."""
    began = monotonic()
    changed = changes(item) if trials else ""
    if changed:
        return failed(item, f"netglass sweep: nothing tried, for a second run fails without any fault: {changed}")
    progress = Progress(item, len(trials))
    casualties: list[Casualty] = []
    missed: list[Trial] = []
    for number, trial in enumerate(trials):
        progress.tell(number, len(casualties))
        lost, hit = attempt(item, trial)
        if lost is not None:
            casualties.append(lost)
        elif not hit:
            missed.append(trial)
    progress.end()
    report = passed
    if casualties or missed:
        report = failed(item, verdict(len(trials), casualties, missed))
    report.duration = passed.duration + monotonic() - began
    report.user_properties.append((SWEEP, "sweep, " + summary(len(trials), casualties, missed)))
    return report


def failed(item: pytest.Item, text: str) -> pytest.TestReport:
    item._report_sections.clear()  # noqa: SLF001  what the runs printed is not the verdict's
    call = pytest.CallInfo.from_call(lambda: pytest.fail(text, pytrace=False), "call")
    return cast(pytest.TestReport, item.ihook.pytest_runtest_makereport(item=item, call=call))


def changes(item: pytest.Item) -> str:
    """The error of a second run like the first; "" if it passes too. A test that finds what the run before left would
    survive no fault at all."""
    run = Run(tuple(item.config.getoption("netglass_fault")), label="second run")
    reports = [each for each in run_once(item, run) if each.failed]
    return crash(reports[0], item.path.name) if reports else ""


def attempt(item: pytest.Item, trial: Trial) -> tuple[Casualty | None, bool]:
    """(what went wrong; whether the fault met its segment)"""
    planned = f"{trial.where}: {trial.fault}"
    run = Run((*item.config.getoption("netglass_fault"), planned), label=trial.label)
    reports = run_once(item, run)
    hit = run.net is not None and run.net.hits()[planned] > 0
    failed = [each for each in reports if each.failed]
    if not failed:
        return None, hit
    ladder = drawn(run.net) if run.net is not None else ""
    artefacts = shown(item, directory_of(item) / file_name(trial.label))
    return Casualty(trial, crash(failed[0], item.path.name), ladder, artefacts), hit


def crash(report: pytest.TestReport, file: str) -> str:
    """The error of a failed run, in a line, and how far the test's own file came."""
    place = getattr(report.longrepr, "reprcrash", None)
    lines = (report.longreprtext if place is None else str(place.message)).strip().splitlines()
    error = lines[0 if place is not None else -1] if lines else f"failed in {report.when}"
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    places = [each.reprfileloc for each in entries if getattr(each, "reprfileloc", None) is not None]
    own = [each.lineno for each in places if Path(each.path).name == file]
    return f"{error} ({file}:{own[-1]})" if own else error


# -- words


def outcome(count: int, casualties: list[Casualty], missed: list[Trial]) -> str:
    if not count:
        return "no packet to try a fault on"
    if not casualties and not missed:
        return f"all {count} faults survived"
    parts = []
    if casualties:
        parts.append(f"{len(casualties)} of {count} faults not survived: {named([each.trial for each in casualties])}")
    if missed:
        parts.append(f"{len(missed)} of {count} faults never met their packet: {named(missed)}")
    return "; ".join(parts)


def summary(count: int, casualties: list[Casualty], missed: list[Trial]) -> str:
    """What the end of pytest's output says: as `outcome`, a line for each fault that was not survived."""
    if not casualties or missed:
        return outcome(count, casualties, missed)
    width = max([len(each.trial.short) for each in casualties[:FULL]])
    lines = [f"{len(casualties)} of {count} faults not survived:"]
    lines += [f"    {each.trial.short:{width}}  {each.trial.what}: {each.error}" for each in casualties[:FULL]]
    return "\n".join(lines + ([f"    and {len(casualties) - FULL} more"] if len(casualties) > FULL else []))


def named(trials: list[Trial]) -> str:
    names = [trial.label for trial in trials[:FULL]]
    return ", ".join(names + ([f"{len(trials) - FULL} more"] if len(trials) > FULL else []))


def verdict(count: int, casualties: list[Casualty], missed: list[Trial]) -> str:
    """The text of a failed sweep; its first line stands for it in pytest's summary."""
    lines = [f"netglass sweep: {outcome(count, casualties, missed)}"]
    for casualty in casualties[:FULL]:
        trial = casualty.trial
        lines += ["", f"--- {trial.label}: {trial.what}", f"    {casualty.error}"]
        lines += [f"    again, on the cable {trial.where}:  faults=[{trial.fault}]"]
        lines += [f"    or:  --netglass-fault='{trial.where}: {trial.fault}'", f"    more in {casualty.artefacts}", ""]
        lines += tail(casualty.ladder, TAIL).splitlines()
    if len(casualties) > FULL:
        lines += ["", f"--- and {len(casualties) - FULL} more"]
        lines += [f"    {each.trial.fault}  {each.error}" for each in casualties[FULL:]]
    if missed:
        lines += [
            "",
            "--- These packets did not come again: the test is not the same each time, nothing is proved",
        ]
        lines += [f"    {each.label}: {each.what}" for each in missed[:FULL]]
    return "\n".join(lines)


class Progress:
    """How far a long sweep is: a line that is written again and again on a terminal, now and then a line elsewhere."""

    def __init__(self, item: pytest.Item, count: int) -> None:
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        self._reporter: pytest.TerminalReporter | None = reporter
        self._on_terminal: bool = reporter is not None and reporter.isatty
        self._interval: float = 0.5 if self._on_terminal else 10.0
        self._name: str = item.name
        self._count: int = count
        self._next: float = monotonic() + 1.0
        self._began: float = monotonic()
        self._told: bool = False

    def tell(self, done: int, casualties: int) -> None:
        now = monotonic()
        if self._reporter is None or now < self._next or not done:
            return
        self._next = now + self._interval
        left = (now - self._began) / done * (self._count - done)
        found = f"{done} of {self._count} faults, {casualties} not survived"
        text = f"netglass sweep {self._name}: {found}, {left:.0f} s to go"
        self._reporter.ensure_newline()
        if self._on_terminal:
            self._reporter.rewrite(text, erase=True)
        else:
            self._reporter.write_line(text)
        self._told = True

    def end(self) -> None:
        if self._told and self._on_terminal and self._reporter is not None:
            self._reporter.rewrite("", erase=True)
            self._reporter.rewrite("")
