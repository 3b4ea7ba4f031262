"""A chat: one thread, one select or poll, any number of people. Ann's network is slow, Ben's breaks in the middle:

    python examples/chat.py --poll

Server and clients are ordinary programs (netglass/experiments/programs/chat.py) that know nothing of the lab.
`netglass show chat-select` draws who is readable when.
"""

from __future__ import annotations

import argparse

from netglass import Network, run, spawn
from netglass.experiments.programs.chat import Heard, serve_with_poll, serve_with_select, talk


def chat(poll: bool = False, cut: str = "2 s", healed: str = "5 s") -> dict[str, Heard]:
    """What each person heard. Ben is cut off for a while."""
    net = Network(seed=1)
    server = net.host("server")
    delays = {"ann": "200 ms", "ben": "5 ms", "eve": "5 ms"}
    hosts = {name: net.host(name) for name in delays}
    for name, delay in delays.items():
        net.cable(hosts[name], server, delay=delay)
    net.at(cut, lambda: net.partition("ben", "server"))
    net.at(healed, net.heal)
    spawn(server, serve_with_poll if poll else serve_with_select, daemon=True)
    ann = spawn(hosts["ann"], talk, "ann", [(1.0, "hello"), (3.0, "is Ben there?")], 10.0)
    ben = spawn(hosts["ben"], talk, "ben", [(1.5, "hello Ann"), (2.5, "can you hear me?")], 10.0)
    eve = run(hosts["eve"], talk, "eve", [], 10.0)
    return {"ann": ann.result, "ben": ben.result, "eve": eve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poll", action="store_true", help="the server uses poll, not select")
    parser.add_argument("--cut", default="2 s", metavar="TIME", help="when Ben's cable breaks (2 s)")
    parser.add_argument("--healed", default="5 s", metavar="TIME", help="when it is well again (5 s)")
    options = parser.parse_args()
    for name, heard in chat(**vars(options)).items():
        print(f"{name} hears")
        for when, line in heard:
            print(f"  {when:6.3f} s  {line}")


if __name__ == "__main__":
    main()
