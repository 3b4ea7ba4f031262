"""What does poll() tell that select() does not?"""

from __future__ import annotations

from netglass.experiments.chat import SILENT, Chat
from netglass.experiments.experiment import Experiment, Outcome
from netglass.experiments.measure import counted


def run(silent: int) -> Outcome:
    chat, same = Chat("poll", silent), Chat("select", silent)
    figures = chat.figures()
    figures["like_select"] = chat.heard == same.heard
    answer = (
        f"The same chat as in chat-select, {'to the millisecond' if figures['like_select'] else 'though not at the same times'}: one thread, which sleeps in {' and '.join(figures['slept_in'])}() alone. poll() keeps a list of descriptors and of the events that one wants; "
        f"it came back {counted(figures['waits'], 'time')}, and for each descriptor it says what has happened, not only that something has. When Ben left rudely (RST) it said {figures['events']['ben']}: "
        f"POLLERR and POLLHUP come unasked. Ann's FIN is {figures['events']['ann']}: to poll() the end is something to read, too, until both directions are closed.\n"
        f"The kernel still looks at every descriptor in each call: {figures['asked']:,} looks for {counted(figures['told'], 'piece')} of news, up to {figures['most_asked']} at once (try --silent 100). There is no limit of 1,024, but it is epoll that saves the looks."
    )
    return chat.outcome(answer, figures)


EXPERIMENT = Experiment("chat-poll", "programs", "What does poll() tell that select() does not?", run, (SILENT,))
