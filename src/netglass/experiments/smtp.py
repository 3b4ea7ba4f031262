"""How does a letter get from a client to a mail server?"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from netglass.errors import MisuseError
from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted
from netglass.experiments.scene import Scene, lines, payload
from netglass.network.faults import drop
from netglass.network.match import data
from netglass.times import duration, human
from netglass.trace.recorder import Recorder

HEAD: Final = "Subject: hello\n\n"
DOTTED: Final = ".netrc is a file."


def run(rtt: str, lines_of_text: int, lose: int) -> Outcome:
    from netglass.experiments.programs import mail

    text = [DOTTED, *[f"line {number + 2}" for number in range(lines_of_text - 1)]]
    letter = HEAD + "".join([f"{line}\n" for line in text])
    scene = Scene(rtt, [drop(data.from_("client"), nth=lose)] if lose else [], words=lines)
    letters: list[str] = []
    refused = scene.play(partial(mail.serve, letters), mail.send, letter)
    said = Dialogue(scene.trace)
    if lose and not scene.trace.losses():
        count = len([each for each in said.turns if each.host == "client"])
        raise MisuseError(
            f"--lose is one of the client's segments with data, 1 to {count} with such a letter; this is {lose}"
        )
    letter_segments = said.between("server", "354", "250 Kept")
    feature_segments = said.between("client", "ehlo", "mail")
    figures: dict[str, Any] = {
        "lines": sum([len(each.text) for each in said.turns]),
        "segments": len(said.turns),
        "letter_lines": sum([len(each.text) for each in letter_segments]),
        "letter_segments": len(letter_segments),
        "feature_lines": sum([len(each.text) for each in feature_segments]),
        "feature_segments": len(feature_segments),
        "client_turns": said.client_turns(),
        "lost": len(scene.trace.losses()),
        "took": said.took,
        "refused": {address: code for address, (code, _) in refused.items()},
        "dot_doubled": any("." + DOTTED in each.text for each in letter_segments),
        "arrived_as_sent": letters == [letter.replace("\n", "\r\n")],
    }
    return Outcome(told(figures, rtt), figures, [Part("a letter", scene.trace)])


class Turn(NamedTuple):
    """A segment with text: who sent it, and the lines in it; one that goes on in the next segment counts there."""

    host: str
    text: list[str]


class Dialogue:
    """What both programs said, segment by segment."""

    def __init__(self, trace: Recorder) -> None:
        carriers = [each for each in trace.transmissions() if each.length and not each.retransmission]
        self.turns: list[Turn] = [
            Turn(each.source, payload(each.packet).decode().split("\r\n")[:-1]) for each in carriers
        ]
        self.took: int = [each.arrives for each in trace.transmissions("server") if each.length and not each.lost][-1]

    def between(self, host: str, first: str, last: str) -> list[Turn]:
        """What the other end said after `host` said `first`, and before anybody said `last`."""
        start = next(number for number, each in enumerate(self.turns) if each.host == host and starts(each, first))
        stop = next(number for number, each in enumerate(self.turns) if number > start and starts(each, last))
        return [each for each in self.turns[start:stop] if each.host != host]

    def client_turns(self) -> int:
        """How often the client spoke after the server."""
        return sum([before.host == "server" and now.host == "client" for before, now in pairwise(self.turns)])


def starts(turn: Turn, text: str) -> bool:
    return any(line.startswith(text) for line in turn.text)


def told(seen: dict[str, Any], rtt: str) -> str:
    if seen["lost"]:
        lost = (
            f"{counted(seen['lost'], 'segment')} was lost and sent again, of which the programs noticed only the time"
        )
    else:
        lost = f"that is a round trip of {human(duration(rtt))} for each, however fast the network"
    refused = " and ".join([f"{address} got {code}" for address, code in seen["refused"].items()])
    letter = "arrived as it was sent" if seen["arrived_as_sent"] else "did not arrive as it was sent"
    return (
        f"The client says something, the server answers with a number and words, and so on: connecting, the greeting, and {seen['client_turns']} times something to "
        f"answer took {human(seen['took'])}; {lost}. Lines and segments have nothing to do with each other: {seen['lines']} lines went in "
        f"{seen['segments']} segments. The {seen['letter_lines']} lines of the letter are in {seen['letter_segments']}, for smtplib writes it at once; the "
        f"{seen['feature_lines']} of the answer to ehlo are in {seen['feature_segments']}, for aiosmtpd writes each alone. TCP carries bytes: who wants lines must look for their ends.\n"
        f'A letter ends with a line that is only a dot. A line of it that begins with one is sent with a second ("..netrc") that the server takes away (RFC 5321 §4.5.2): '
        f"the letter {letter}. Each recipient is asked for alone: {refused}, and the letter went to the other. Nobody asked whether the sender is Ann."
    )


EXPERIMENT = Experiment(
    "smtp",
    "services",
    "SMTP: how does a letter get to a mail server, and where are its lines on the wire?",
    run,
    (
        Parameter("rtt", "20ms", "round-trip time", "1us", "900ms"),
        Parameter("lines-of-text", 3, "how long the letter is", 1, 1000),
        Parameter("lose", 0, "which of the client's segments with data is lost; 0: none", 0, 20),
    ),
    ("aiosmtpd",),
)
