"""FTP, passive: who connects to whom?"""

from __future__ import annotations

from netglass.experiments.experiment import Experiment, Outcome
from netglass.experiments.measure import so_often
from netglass.experiments.scene import listed
from netglass.experiments.transfer import NEEDS, PARAMETERS, outcome, place, transfers
from netglass.times import human


def run(rtt: str, size: int, patience: str) -> Outcome:
    done = transfers(True, rtt, size, patience)
    free, at_client, at_server = done
    told = free.said("server", "227")
    commands, data = free.openings()
    stuck, tries = at_server.openings()[-1], at_server.data_syns()
    answer = (
        f'Two connections, both opened by the {data.opener}. The first goes to port {commands.to_port}, for commands. There the client says PASV, and the server answers "{told}": '
        f"it listens at {place(told)}. The {data.opener} connects to that port {data.to_port}, from any of its own ({data.port}), and the file comes. Result: "
        f"{free.outcome}, after {human(free.took)}.\n"
        f"A firewall at the client that lets connections only out does no harm: {at_client.outcome}. That is why ftplib, like most clients, is passive unless told otherwise. "
        f"A firewall at the server that lets in connections to port 21 alone drops the {stuck.opener}'s SYN, {so_often(len(tries))}, at {listed(tries)}, and the "
        f"transfer fails after {human(at_server.took)} ({at_server.outcome}): such a server must open a range of ports, or its firewall must read the commands. The reverse: ftp-active."
    )
    return outcome(answer, done, [free.part(), at_server.stuck_part("PASV")])


EXPERIMENT = Experiment(
    "ftp-passive",
    "services",
    "FTP, passive: who connects to whom, and what does a firewall do to it?",
    run,
    PARAMETERS,
    NEEDS,
)
