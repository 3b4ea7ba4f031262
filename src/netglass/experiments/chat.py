"""A chat on one thread, by select or by poll: what `chat-select` and `chat-poll` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from netglass.experiments.experiment import Outcome, Parameter, Part, Table
from netglass.lab.network import Network
from netglass.programs.call_log import Call, CallLog
from netglass.times import human
from netglass.trace.items import NOTE, STATE
from netglass.trace.recorder import Recorder
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLPRI

ANN: Final = ((0.3, "hello"), (0.9, "anybody?"))
BEN: Final = ((0.5, "hello Ann"),)
ANN_LEAVES: Final = 1.2
BEN_LEAVES: Final = 0.8
"""Rudely: with a RST."""

EVE_LEAVES: Final = 1.5
"""She says nothing, and leaves last."""

SILENT: Final = Parameter("silent", 0, "more people, who listen and say nothing", 0, 300)
_BITS: Final = ((POLLIN, "POLLIN"), (POLLPRI, "POLLPRI"), (POLLERR, "POLLERR"), (POLLHUP, "POLLHUP"))


class Chat:
    """Ann, who is far away, Ben and others, and the log of the server's calls."""

    def __init__(self, call: str, silent: int) -> None:
        from netglass.experiments.programs.chat import serve_with_poll, serve_with_select, talk
        from netglass.programs.run import run, spawn

        self.call = call
        self.trace = Recorder()
        self.log = CallLog(notes=["server"])
        net = Network(seed=1)
        net.observe(self.trace)
        server = net.host("server")
        hosts = {name: net.host(name) for name in ("ann", "ben", "eve", "others")}
        for name, host in hosts.items():
            net.cable(host, server, delay="50 ms" if name == "ann" else "5 ms")
        spawn(server, serve_with_select if call == "select" else serve_with_poll, daemon=True)
        for _ in range(silent):
            spawn(hosts["others"], talk, "silent", [], EVE_LEAVES)
        ben = spawn(hosts["ben"], talk, "ben", list(BEN), BEN_LEAVES, True)
        ann = spawn(hosts["ann"], talk, "ann", list(ANN), ANN_LEAVES)
        eve = run(hosts["eve"], talk, "eve", [], EVE_LEAVES, calls=self.log)
        self.heard: dict[str, list[tuple[float, str]]] = {"ann": ann.result, "ben": ben.result, "eve": eve}
        self.calls: list[Call] = self.log.of(host="server")

    def waits(self) -> list[Call]:
        return [each for each in self.calls if each.name == self.call and each.ready]

    def figures(self) -> dict[str, Any]:
        waits = self.waits()
        return {
            "heard": {name: [line for _, line in heard] for name, heard in self.heard.items()},
            "waits": len(waits),
            "asked": sum([each.asked for each in waits]),
            "most_asked": max([each.asked for each in waits]),
            "told": sum([len(each.ready) for each in waits]),
            "slept_in": sorted({each.name for each in self.calls if each.slept}),
            "again": len([each for each in self.calls if each.error == "EAGAIN"]),
            "events": {who: bits(events) for each in waits for who, _, events in each.ready},
        }

    def outcome(self, answer: str, figures: dict[str, Any]) -> Outcome:
        part = Part("", self.trace, ("ann", "server", "ben"), remarks=(STATE, NOTE), end="1.4 s")
        return Outcome(answer, figures, [part], self.table())

    def table(self) -> Table:
        """What each wait told, and what the server did then."""
        rows: list[tuple[str, ...]] = []
        for place, each in enumerate(self.calls):
            if each.name != self.call or not each.ready:
                continue
            who, _, events = each.ready[0]
            told = f"{who}: {bits(events)}" if self.call == "poll" else ", ".join([name for name, _, _ in each.ready])
            rows.append((human(each.ended), str(each.asked), told, "; ".join(self._done_after(place))))
        return Table(("time", "watched", "readable", "what the server then does"), drawn(rows))

    def _done_after(self, place: int) -> list[str]:
        done = []
        for each in self.calls[place + 1 :]:
            if each.name == self.call:
                break
            if each.who == "others" and each.name == "sendall":
                continue
            done.append(str(each))
        return done


def bits(events: int) -> str:
    return "|".join([name for bit, name in _BITS if events & bit])


def drawn(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without what is about silent people."""
    return [row for row in rows if "(others)" not in row[3]]
