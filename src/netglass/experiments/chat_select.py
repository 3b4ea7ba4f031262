"""How can one thread listen to many people with select()?"""

from __future__ import annotations

from netglass.experiments.chat import SILENT, Chat
from netglass.experiments.experiment import Experiment, Outcome
from netglass.experiments.measure import counted


def run(silent: int) -> Outcome:
    chat = Chat("select", silent)
    figures = chat.figures()
    quoted = ", ".join([f'"{line}"' for line in figures["heard"]["eve"]])
    answer = (
        f"The server has one thread, and sleeps in nothing but {' and '.join(figures['slept_in'])}(): there it waits for the listener and for all people at once. {counted(figures['waits'], 'time')} it came back and said who is readable: "
        f"then accept() or recv() on that one cannot sleep ({figures['again'] or 'no'} EAGAIN). What it read it sent to all others: Eve, who said nothing, heard {quoted}.\n"
        f"A listener is readable when somebody has connected; a connection, when there are bytes, but also when it has ended: Ann left (FIN), and recv() returned 0 bytes; Ben was rude (RST), and recv() failed with ECONNRESET. "
        f"select() says 'readable' to all of that, and only recv() tells which.\n"
        f"Each call is handed all descriptors anew, and looks at each: {figures['asked']:,} looks for {counted(figures['told'], 'piece')} of news, up to {figures['most_asked']} at once (try --silent 100; above 1,024 select() cannot go). That is why there are poll(), without the limit, and epoll, which remembers."
    )
    return chat.outcome(answer, figures)


EXPERIMENT = Experiment(
    "chat-select", "programs", "How can one thread listen to many people with select()?", run, (SILENT,)
)
