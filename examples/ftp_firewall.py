"""FTP, active and passive, through a firewall that lets nobody connect to the client:

    pip install 'netglass[examples]'
    python examples/ftp_firewall.py

FTP uses a second connection for the data. Passive: the client opens it, as it opened the first. Active: the client says
where it listens, and the server opens it, towards the client; a firewall that drops such SYNs makes the transfer hang
until somebody gives up. pyftpdlib serves, Python's ftplib fetches; neither knows of the lab. `netglass show ftp-active`
draws it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from netglass import Network, faults, match, run, spawn
from netglass.experiments.programs import ftp
from netglass.trace import Ladder, Recorder

BODY = bytes(50_000)


def across_a_firewall(passive: bool) -> tuple[str, float, Recorder]:
    """What the client had of it, after how many seconds, and what was recorded."""
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms", faults=[faults.drop(match.syn.to("client"), times=match.ALL)])
    recorder = Recorder()
    net.observe(recorder)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(BODY)
        spawn(server, ftp.serve, folder, daemon=True)
        outcome, seconds = run(client, ftp.fetch, "file", passive)
    return outcome, seconds, recorder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draw", type=int, default=0, metavar="N", help="draw the last N packets of the active transfer"
    )
    options = parser.parse_args()
    for passive in (True, False):
        outcome, seconds, recorder = across_a_firewall(passive)
        print(f"{'passive' if passive else 'active'}: {outcome} after {seconds:.2f} s")
    if options.draw:
        print(Ladder.of(recorder, last=options.draw).text())


if __name__ == "__main__":
    main()
