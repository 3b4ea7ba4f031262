"""How fast is the lab? One bulk transfer over one cable, in packets per second of CPU.

A packet is one segment delivered to a host, ACKs included, as ns-3's figures count them. No capture, no observer.

    python benchmarks/lab_bulk.py [--megabytes 50] [--repeat 3]

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from netglass import Network
from netglass.build import compiled

RATE_BPS = 100_000_000
DELAY_MS = 20
MTU = 1500
NS3 = "66,000-70,000"  # ns-3 3.37, the same transfer, one core of a machine of this kind


def send(io, size):
    stream = yield from io.connect("server", 5001)
    piece = bytes(1 << 20)
    left = size
    while left > 0:
        left -= yield from stream.send(piece[:left] if left < len(piece) else piece)
    stream.shutdown()
    yield from stream.receive_all()
    stream.close()


def swallow(io):
    listener = io.listen(5001)
    stream = yield from listener.accept()
    size = 0
    while True:
        data = yield from stream.receive(1 << 20)
        if not data:
            break
        size += len(data)
    stream.close()
    return size, io.now()


def transfer(megabytes: int) -> dict[str, float]:
    """One run: CPU seconds, virtual seconds, packets."""
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    bdp_packets = RATE_BPS * 2 * DELAY_MS // 1000 // 8 // MTU
    cable = net.cable(client, server, delay=f"{DELAY_MS} ms", rate=RATE_BPS, queue=bdp_packets)
    size = megabytes * 1_000_000
    swallowed = server.spawn(swallow)
    client.spawn(send, size)
    begin = time.process_time()
    net.run()
    cpu = time.process_time() - begin
    arrived, end = swallowed.result
    if arrived != size:
        sys.exit(f"{arrived} of {size} bytes arrived")
    packets = client.core.received + server.core.received
    lost = sum(sum(lane.counters.counts.values()) for lane in cable.lanes)
    return {"cpu_s": cpu, "virtual_s": end / 1e9, "packets": packets, "lost": lost, "mbit_s": size * 8e3 / end}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    build = "compiled" if compiled() else "pure Python"
    print(f"netglass ({build}), Python {sys.version.split()[0]}")
    print(f"{options.megabytes} MB over 100 Mbit/s, {DELAY_MS} ms one way, queue: one bandwidth-delay product")
    print(f"{'packets':>9} {'lost':>6} {'virtual s':>10} {'Mbit/s':>8} {'CPU s':>8} {'packets/CPU-s':>14}")
    rates = []
    for _ in range(options.repeat):
        run = transfer(options.megabytes)
        rates.append(run["packets"] / run["cpu_s"])
        print(
            f"{run['packets']:>9} {run['lost']:>6} {run['virtual_s']:>10.2f} {run['mbit_s']:>8.1f}"
            f" {run['cpu_s']:>8.2f} {rates[-1]:>14,.0f}"
        )
    best = round(max(rates))
    print(f"best {best:,}; ns-3 (C++) {NS3}")
    print(json.dumps({"benchmark": "lab_bulk", "build": build, "packets_per_cpu_s": best, "runs": len(rates)}))


if __name__ == "__main__":
    main()
