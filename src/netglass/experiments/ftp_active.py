"""FTP, active: who connects to whom?"""

from __future__ import annotations

from netglass.experiments.experiment import Experiment, Outcome
from netglass.experiments.measure import so_often
from netglass.experiments.scene import listed
from netglass.experiments.transfer import NEEDS, PARAMETERS, outcome, place, transfers
from netglass.times import human


def run(rtt: str, size: int, patience: str) -> Outcome:
    done = transfers(False, rtt, size, patience)
    free, at_client, at_server = done
    asked = free.said("client", "PORT")
    commands, data = free.openings()
    stuck, tries = at_client.openings()[-1], at_client.data_syns()
    answer = (
        f'Two connections, one in each direction. The {commands.opener} opens the first, to port {commands.to_port}, for commands. There it says "{asked}": it listens '
        f"at {place(asked)}. The {data.opener} opens the second, from its port {data.port} to that port {data.to_port}, sends the file and closes: "
        f"the FIN is the end of the file. Result: {free.outcome}, after {human(free.took)}.\n"
        f"A firewall at the client that lets connections only out drops the {stuck.opener}'s SYN, {so_often(len(tries))}, at {listed(tries)}. "
        f"The commands still pass, so login works and the transfer hangs, until somebody gives up after {human(at_client.took)} ({at_client.outcome}). "
        f"A firewall at the server that lets in connections to port 21 alone does no harm: {at_server.outcome}. The reverse: ftp-passive."
    )
    return outcome(answer, done, [free.part(), at_client.stuck_part("PORT")])


EXPERIMENT = Experiment(
    "ftp-active",
    "services",
    "FTP, active: who connects to whom, and what does a firewall do to it?",
    run,
    PARAMETERS,
    NEEDS,
)
