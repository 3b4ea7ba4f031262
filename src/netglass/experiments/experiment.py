"""What an experiment is: a question, a run, and an answer that is made of what the run showed.

Nothing in an answer is typed in. `figures` come out of the trace, the sockets or the counters, and the sentences are
made of the figures; the tests assert the figures. An experiment takes its parameters by name and has a default for
each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from netglass.errors import MisuseError
from netglass.experiments.lanes import Lanes
from netglass.probe import Flow
from netglass.times import duration, human
from netglass.trace.items import DROP, NOTE, QUEUE, STATE, TIMER
from netglass.trace.ladder import Ladder
from netglass.trace.recorder import Recorder


@dataclass(frozen=True)
class Parameter:
    """One thing that may be varied. `default` tells its kind: an int, a switch (False), or a duration as text
    ("40ms"). `least` and `most` bound it (a time: as text)."""

    name: str
    default: int | str
    help: str
    least: int | str = 0
    most: int | str = 1 << 62

    def read(self, text: int | str) -> int | str:
        """The value in `text`; MisuseError says what is right."""
        if isinstance(self.default, bool):
            return self._switch(text)
        if text is True:
            kind = "a whole number" if isinstance(self.default, int) else "a time"
            raise MisuseError(f"--{self.name} takes {kind}, such as {self.default}; there is none")
        if isinstance(self.default, int):
            return self._number(text)
        if not isinstance(text, str):
            raise MisuseError(f'--{self.name} takes a time, such as "{self.default}"; not {text!r}')
        try:
            time = duration(text)
        except MisuseError as error:
            raise MisuseError(f"--{self.name}: {error}") from None
        if time < duration(self.least):
            raise MisuseError(f"--{self.name} is at least {human(duration(self.least))}; not {text}")
        if time > duration(self.most):
            raise MisuseError(f"--{self.name} is at most {human(duration(self.most))}; not {text}")
        return text

    def otherwise(self) -> str:
        """What it is if it is not given, in words."""
        return "a switch: off by default" if self.default is False else f"default {self.default}"

    def _number(self, text: int | str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise MisuseError(f"--{self.name} takes a whole number, such as {self.default}; not {text!r}") from None
        if not int(self.least) <= number <= int(self.most):
            raise MisuseError(f"--{self.name} lies between {self.least} and {self.most}; not {number}")
        return number

    def _switch(self, text: int | str) -> bool:
        if isinstance(text, bool):
            return text
        if text not in ("yes", "no"):
            raise MisuseError(f"--{self.name} is a switch: alone, or with yes or no; not {text!r}")
        return text == "yes"


@dataclass(frozen=True)
class Part:
    """One run and how to draw it. An experiment that compares has several."""

    title: str
    trace: Recorder
    hosts: tuple[str, ...] = ("client", "server")
    start: int | str | None = None
    end: int | str | None = None
    flow: Flow | None = None  # only this connection
    remarks: tuple[str, ...] = (STATE, TIMER, QUEUE, DROP, NOTE)  # what to say beside the arrows

    def ladder(self) -> Ladder:
        hosts = list(self.hosts)
        return Ladder.of(self.trace, hosts, self.flow, start=self.start, end=self.end, remarks=self.remarks)


@dataclass(frozen=True)
class Table:
    """A matrix of results: what a comparison comes to."""

    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came of a run. `figures`: name -> what was measured; times in ns."""

    answer: str
    figures: dict[str, Any]
    parts: Sequence[Part] = ()
    table: Table | None = None
    lanes: Lanes | None = None  # what threads slept in
    diagram: str = ""  # Mermaid text of a picture that is no ladder


@dataclass(frozen=True)
class Experiment:
    """A question and how to ask the network. `needs` names the modules of others that it runs: of the extra `examples`."""

    name: str
    group: str
    question: str
    function: Callable[..., Outcome]
    parameters: tuple[Parameter, ...] = field(default=())
    needs: tuple[str, ...] = field(default=())

    def missing(self) -> list[str]:
        """Which of `needs` are not installed."""
        return [name for name in self.needs if find_spec(name) is None]

    def run(self, **given: int | str) -> Outcome:
        """Run with the defaults, or with what is given by name."""
        missing = self.missing()
        if missing:
            lacking = ", ".join(missing)
            raise MisuseError(f"{self.name} runs what is not installed ({lacking}): pip install 'netglass[examples]'")
        known = {parameter.name: parameter for parameter in self.parameters}
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                raise MisuseError(f"{self.name} has no --{name}; {self._options()}")
            values[name] = known[name].read(value)
        return self.function(**{name.replace("-", "_"): value for name, value in values.items()})

    def _options(self) -> str:
        if not self.parameters:
            return "it has no options of its own"
        return "it has " + ", ".join(f"--{parameter.name}" for parameter in self.parameters)
