"""What do honest clients notice of a SYN flood?

    unshare -Urn python benchmarks/wire_flood.py [--rate 5000] [--seconds 2] [--rounds 8] [--python PYTHON]

In a network namespace that it makes itself: `wire_server.py` on a TUN device, one client of the kernel's that connects,
has a byte echoed, and closes, over and over; and a sender of SYNs from addresses that do not exist, which is silent for
`--seconds` and sends for `--seconds`, `--rounds` times: so what else the machine does meets both alike. It says the
honest connections per second without and with the flood, what is left of them, and how long after the last forged SYN
of a round they are back, in the mean of the rounds. `--python` names the interpreter for the server: one with the
compiled package. The last line is one JSON object; exits with 1 if less than 80 % was left, or if it took more than a
second to come back.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from netglass.link.machine import Namespace, configure
from netglass.wire.checksum import checksum, ones_sum

SERVER: Final = "10.83.0.2"
KERNEL: Final = "10.83.0.1"
PORT: Final = 7002
HONEST: Final = [f"10.83.1.{number}" for number in range(1, 17)]  # many: each has its own TIME-WAITs
FORGED: Final = "198.18"  # 198.18.0.0/15: for benchmarks, nobody's address (RFC 2544)
SLICE: Final = 0.1  # seconds
WARM: Final = 1.0
LEFT: Final = 0.8
BACK: Final = 0.95  # of what it was: that is back, as far as a machine with other work can tell
MOST_RATE: Final = 50_000
MOST_SECONDS: Final = 60
MOST_ROUNDS: Final = 30
IP_BIND_ADDRESS_NO_PORT: Final = 24  # linux/in.h


# -- the honest client


def be_honest(seconds: float) -> None:
    """Prints for each slice of time how many connections were whole."""
    begin = time.monotonic()
    counts = [0] * int(seconds / SLICE)
    turn = 0
    while (place := int((time.monotonic() - begin) / SLICE)) < len(counts):
        with socket.socket() as stream:
            stream.settimeout(5)
            stream.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            stream.bind((HONEST[turn % len(HONEST)], 0))
            stream.connect((SERVER, PORT))
            stream.sendall(b"x")
            assert stream.recv(1) == b"x"
        turn += 1
        counts[place] += 1
    print(json.dumps({"begin": begin, "counts": counts}))


# -- the flood


def flood(rate: int, seconds: float, rounds: int) -> None:
    """Bounded in number and in time. Prints for each round when it began and ended, and how many went out."""
    draw = random.Random(1)
    packets = [forged_syn(draw) for _ in range(int(rate * seconds))]
    said = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        for _ in range(rounds):
            time.sleep(seconds)
            begin = time.monotonic()
            sent = 0
            while (passed := time.monotonic() - begin) < seconds:
                due = int(passed * rate)
                for packet in packets[sent:due]:
                    out.sendto(packet, (SERVER, 0))
                sent = due
                time.sleep(0.001)
            said.append({"begin": begin, "end": time.monotonic(), "sent": sent})
        time.sleep(seconds)
    print(json.dumps(said))


def forged_syn(draw: random.Random) -> bytes:
    source = socket.inet_aton(f"{FORGED}.{draw.randrange(256)}.{draw.randrange(256)}")
    target = socket.inet_aton(SERVER)
    port = draw.randrange(1024, 65536)
    tcp = struct.pack("!HHIIBBHHH", port, PORT, draw.getrandbits(32), 0, 6 << 4, 2, 64240, 0, 0) + b"\x02\x04\x05\xb4"
    pseudo = source + target + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(ones_sum(pseudo + tcp))) + tcp[18:]
    # The kernel fills in the header checksum, and the identification.
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0, source, target) + tcp


# -- the measurement


def start(inside: Namespace, *words: str) -> subprocess.Popen[str]:
    return inside.call(subprocess.Popen, list(words), stdout=subprocess.PIPE, text=True)


def prepare() -> None:
    """The kernel's side."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("1024 65535")
    Path("/proc/sys/net/ipv4/tcp_tw_reuse").write_text("1")
    configure("ng0", f"{KERNEL}/24")
    configure("lo", [f"{each}/32" for each in HONEST])


def measure(rate: int, seconds: float, rounds: int, python: str) -> dict[str, Any]:
    here = Path(__file__)
    with Namespace() as inside:
        command = [python, str(here.with_name("wire_server.py")), "ng0", f"{SERVER}/24"]
        server = inside.call(subprocess.Popen, command, stderr=subprocess.PIPE, text=True)
        others: list[subprocess.Popen[str]] = []
        try:
            assert server.stderr is not None
            build = server.stderr.readline().split()[0]
            inside.call(prepare)
            own = [sys.executable, str(here), "--rate", str(rate), "--seconds", str(seconds), "--rounds", str(rounds)]
            others.append(start(inside, *own, "--be-honest", str(WARM + (2 * rounds + 1) * seconds)))
            time.sleep(WARM)
            others.append(start(inside, *own, "--flood"))
            honest, forged = [json.loads(each.communicate(timeout=600)[0]) for each in others]
            return {"build": build, **figures(honest["begin"], honest["counts"], forged, seconds)}
        finally:
            for process in (*others, server):
                process.kill()
                process.communicate()


def figures(begin: float, counts: list[int], rounds: list[dict[str, float]], seconds: float) -> dict[str, Any]:
    span = int(seconds / SLICE)
    quiet: list[int] = []
    busy: list[int] = []
    after: list[list[int]] = [[] for _ in range(span - 1)]  # by the number of slices since the flood ended
    for each in rounds:
        first, end = int((each["begin"] - begin) / SLICE), int((each["end"] - begin) / SLICE)
        quiet += counts[first - span // 2 : first]  # the second half of the silence: the flood before is forgotten
        busy += counts[first + 1 : end]
        for number, found in enumerate(after):
            found += counts[end + 1 + number : end + 2 + number]
    before, during = sum(quiet) / len(quiet), sum(busy) / len(busy)
    back = next((number for number, found in enumerate(after) if sum(found) >= BACK * before * len(found)), -1)
    return {
        "before_per_s": round(before / SLICE),
        "during_per_s": round(during / SLICE),
        "left": round(during / before, 3),
        "back_after_s": round((back + 1) * SLICE, 1) if back >= 0 else None,
        "forged_per_s": round(sum(each["sent"] / (each["end"] - each["begin"]) for each in rounds) / len(rounds)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--be-honest", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--flood", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    rate, seconds, rounds = min(said.rate, MOST_RATE), min(said.seconds, MOST_SECONDS), min(said.rounds, MOST_ROUNDS)
    if said.be_honest:
        be_honest(said.be_honest)
        return
    if said.flood:
        flood(rate, seconds, rounds)
        return
    found = measure(rate, seconds, rounds, said.python)
    for name, value in found.items():
        print(f"{name:>14}  {value}")
    print(json.dumps(found))
    sys.exit(found["left"] < LEFT or found["back_after_s"] is None or found["back_after_s"] > 1)


if __name__ == "__main__":
    main()
