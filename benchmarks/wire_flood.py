"""What do honest clients notice of a SYN flood?

    unshare -Urn python benchmarks/wire_flood.py [--rate 5000] [--seconds 5] [--python PYTHON]

In a network namespace that it makes itself: `wire_server.py` on a TUN device, one client of the kernel's that connects,
has a byte echoed, and closes, over and over; and for `--seconds` a sender of SYNs from addresses that do not exist. It
says the honest connections per second before, during and after, and how long after the last forged SYN they are back
to what they were. `--python` names the interpreter for the server: one with the compiled package. The last line is one
JSON object; exits with 1 if less than 80 % was left, or if it took more than a second to come back.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

from netglass.link.machine import Namespace, configure
from netglass.wire.checksum import checksum, ones_sum

SERVER: Final = "10.83.0.2"
KERNEL: Final = "10.83.0.1"
PORT: Final = 7002
HONEST: Final = [f"10.83.1.{number}" for number in range(1, 17)]  # many: each has its own TIME-WAITs
FORGED: Final = "198.18"  # 198.18.0.0/15: for benchmarks, nobody's address (RFC 2544)
BEFORE: Final = 4.0  # seconds
AFTER: Final = 4.0
SLICE: Final = 0.2
MOST_RATE: Final = 50_000
MOST_SECONDS: Final = 60
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


def flood(rate: int, seconds: float) -> None:
    """Bounded in number and in time. Prints when it began and ended, and how many went out."""
    draw = random.Random(1)
    packets = [forged_syn(draw) for _ in range(int(rate * seconds))]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        begin = time.monotonic()
        sent = 0
        while sent < len(packets):
            due = min(int((time.monotonic() - begin) * rate), len(packets))
            for packet in packets[sent:due]:
                out.sendto(packet, (SERVER, 0))
            sent = max(sent, due)
            if time.monotonic() - begin > 2 * seconds:
                break
            time.sleep(0.001)
        print(json.dumps({"begin": begin, "end": time.monotonic(), "sent": sent}))


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


def measure(rate: int, seconds: float, python: str) -> dict[str, object]:
    here = Path(__file__)
    with Namespace() as inside:
        server = inside.call(
            subprocess.Popen,
            [python, str(here.with_name("wire_server.py")), "ng0", f"{SERVER}/24"],
            stderr=subprocess.PIPE,
            text=True,
        )
        others: list[subprocess.Popen[str]] = []
        try:
            assert server.stderr is not None
            build = server.stderr.readline().split()[0]
            inside.call(prepare)
            command = [sys.executable, str(here)]
            others.append(start(inside, *command, "--be-honest", str(BEFORE + seconds + AFTER)))
            time.sleep(BEFORE)
            before = cpu(server.pid)
            others.append(start(inside, *command, "--flood", "--rate", str(rate), "--seconds", str(seconds)))
            honest, forged = [json.loads(each.communicate(timeout=120)[0]) for each in others]
            return {"build": build, **figures(honest, forged), "server_cpu": round(cpu(server.pid) - before, 2)}
        finally:
            for process in (*others, server):
                process.send_signal(signal.SIGKILL)
                process.wait()


def figures(honest: dict[str, float | list[int]], forged: dict[str, float]) -> dict[str, object]:
    counts = honest["counts"]
    assert isinstance(counts, list)
    begin = honest["begin"]
    assert isinstance(begin, float)
    first = int((forged["begin"] - begin) / SLICE) + 1
    last = int((forged["end"] - begin) / SLICE)
    before = median(counts[1 : first - 1])
    during = median(counts[first:last])
    after = next((number for number, count in enumerate(counts[last + 1 :]) if count >= before), -1)
    return {
        "before_per_s": round(before / SLICE),
        "during_per_s": round(during / SLICE),
        "left": round(during / before, 3),
        "after_per_s": round(median(counts[last + 2 :]) / SLICE),
        "back_after_s": round((after + 1) * SLICE, 1) if after >= 0 else None,
        "forged_per_s": round(forged["sent"] / (forged["end"] - forged["begin"])),
        "slices": counts,
    }


def cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--be-honest", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--flood", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    rate, seconds = min(said.rate, MOST_RATE), min(said.seconds, MOST_SECONDS)
    if said.be_honest:
        be_honest(said.be_honest)
        return
    if said.flood:
        flood(rate, seconds)
        return
    found = measure(rate, seconds, said.python)
    for name, value in found.items():
        print(f"{name:>14}  {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
