"""The states of a connection, and which experiment walks which way between them."""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Table
from netglass.experiments.measure import counted
from netglass.tcp.state import CLOSED, FIN_WAIT_1, LISTEN, SYN_RECEIVED, SYN_SENT, TIME_WAIT, TRANSITIONS, State

# Ways of RFC 9293 that nobody walks here, and why.
NOT_WALKED: Final[dict[tuple[State, State], str]] = {
    (LISTEN, SYN_SENT): "a listener that begins to send; no socket call does that",
    (SYN_RECEIVED, LISTEN): "after a RST; as in Linux the half-open entry goes, and the listener never moved",
    (SYN_RECEIVED, FIN_WAIT_1): "close() before the handshake is over: in a simultaneous open",
    (FIN_WAIT_1, TIME_WAIT): "FIN and ACK in one segment; FIN-WAIT-2 is passed within the same moment",
    (CLOSED, LISTEN): "listen(); a listener is no connection, so nobody tells it",
    (CLOSED, SYN_RECEIVED): "inside: how a listener's child is born (LISTEN -> SYN-RECEIVED outside)",
    (LISTEN, CLOSED): "close() of a listener; as above, nobody tells it",
}

OTHERWISE: Final = "a RST, an abort or a timeout at this moment: nobody plays that"

Way = tuple[str, str]


def walked(names: tuple[str, ...]) -> dict[Way, list[str]]:
    """(old state, new state) -> the experiments in which a connection went that way."""
    from netglass.experiments import by_name  # the registry knows this module too

    found: dict[Way, list[str]] = {}
    for name in names:
        outcome = by_name(name).run()
        ways = {(each.old, each.new): None for part in outcome.parts for each in part.trace.state_changes()}
        for way in ways:
            found.setdefault(way, []).append(name)
    return found


def diagram() -> str:
    """A Mermaid state diagram of `TRANSITIONS`."""
    lines = ["stateDiagram-v2", "    [*] --> CLOSED"]
    for old, news in TRANSITIONS.items():
        lines += [f"    {node(old)} --> {node(new)}" for new in news]
        if old is not CLOSED:
            lines.append(f"    {node(old)} --> CLOSED")
    return "\n".join(lines) + "\n"


def node(state: State) -> str:
    return str(state.value).replace("-", "_")


def run() -> Outcome:
    from netglass.experiments import CLOSING, OPENING

    names = tuple(name.replace("_", "-") for name in (*OPENING, *CLOSING))
    ways = walked(names)
    rows: list[tuple[str, ...]] = []
    missing = []
    for old, news in TRANSITIONS.items():
        for new in (*news, *((CLOSED,) if old is not CLOSED else ())):
            by = ways.get((str(old.value), str(new.value)), [])
            if not by and new is not CLOSED:
                missing.append(f"{old.value} -> {new.value}")
            rows.append(
                (
                    f"{old.value} -> {new.value}",
                    ", ".join(by[:3]) or NOT_WALKED.get((old, new), OTHERWISE if new is CLOSED else ""),
                )
            )
    count = sum([len(news) for news in TRANSITIONS.values()])
    unknown = [way for way in ways if not is_known(way)]
    figures: dict[str, Any] = {
        "states": len(TRANSITIONS),
        "ways": count,
        "walked": count - len(missing),
        "missing": missing,
        "unknown": unknown,
        "diagram": diagram(),
    }
    answer = (
        f"A connection is always in one of {len(TRANSITIONS)} states. There are {count} ways between them (RFC 9293, figure 5 and §3.10), "
        f"and from each one back to CLOSED, by a RST, an abort or a timeout. {figures['walked']} of them are walked by the {len(names)} experiments on opening and "
        f"closing, which ran just now; {counted(len(unknown), 'way')} {'was' if len(unknown) == 1 else 'were'} seen that the RFC does not know. --mermaid FILE writes the diagram."
    )
    return Outcome(answer, figures, table=Table(("way", "walked by"), rows), diagram=diagram())


def is_known(way: Way) -> bool:
    old, new = State(way[0]), State(way[1])
    return new is CLOSED or new in TRANSITIONS[old]


EXPERIMENT = Experiment("states", "reliable", "Which states does a connection have, and who has seen them?", run)
