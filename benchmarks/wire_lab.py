"""A real kernel as the peer, over a cable that loses, reorders and duplicates packets and is cut for a while: do all
bytes arrive?

    python benchmarks/wire_lab.py [--size 100000000] [--cut 30]      (as root, or below unshare -Urn)

Kernel to kernel, kernel to netglass and netglass to kernel, each over 1 % and 5 % loss. A line for each; exits with 1
if a digest differs; the last line is one JSON object. tests/wirelab does it with less.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netglass import Network, faults
from netglass.build import compiled
from netglass.errors import LinkError
from netglass.lab.host import LabHost
from netglass.lab.io import Io, Stream
from netglass.lab.process import Steps
from netglass.lab.scene import Task
from netglass.times import SECOND
from netglass.wirelab import WireLab, summary

PORT: Final = 5000
PEER: Final = [sys.executable, __file__]
BLOCK: Final = 1 << 16
PAIRS: Final = (("kernel", "kernel"), ("kernel", "netglass"), ("netglass", "kernel"))
"""Who sends, who receives."""

CUT_AFTER: Final = 200
"""Packets of the sender before the cable is cut: the transfer has begun."""


@dataclass(frozen=True)
class Result:
    sent: str  # SHA-256 of what went into the connection, and of what came out
    received: str
    seconds: float
    lines: Sequence[str]  # what the cable did


def transfer(
    sender: str, receiver: str, size: int, loss: str, cut: int, limit: int, server: str = "receiver"
) -> Result:
    """`sender` and `receiver` are "kernel" or "netglass". `cut` and `limit` in nanoseconds. The `server` ("sender" or
    "receiver") waits for the other to connect."""
    net = Network(seed=1)
    ends = {"sender": net.host("sender"), "receiver": net.host("receiver")}
    kernels = [host for host, kind in zip(ends.values(), (sender, receiver), strict=True) if kind == "kernel"]
    trouble = [faults.loss(loss), faults.reorder("2%", by="3 ms"), faults.duplication("1%")]
    cable = net.cable(ends["sender"], ends["receiver"], delay="500 us", rate="1 Gbit/s", faults=trouble)
    began = time.monotonic()
    with WireLab(net, kernels) as lab:
        client = "sender" if server == "receiver" else "receiver"
        running: dict[str, Running] = {}
        for name in (server, client):
            peer = "" if name == server else ends[server].address
            running[name] = launch(lab, ends[name], ends[name] in kernels, name, size, peer)
        last = lab.now() + limit
        if cut:
            lab.run_until(lambda: cable.lanes[0].offered >= CUT_AFTER, last)
            net.partition("sender", "receiver")
            lab.run_until(lambda: False, lab.now() + cut)
            net.heal()
        lab.run_until(lambda: not any(each.is_busy() for each in running.values()), last)
        seconds = time.monotonic() - began
        return Result(running["sender"].digest(), running["receiver"].digest(), seconds, summary(lab))


class Running:
    """A peer: a process on a kernel, or a small program on a host of netglass's."""

    def __init__(self, process: subprocess.Popen[bytes] | None, task: Task | None) -> None:
        self._process = process
        self._task = task

    def is_busy(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._task is not None and not self._task.done

    def digest(self) -> str:
        """ "" if it is not through."""
        if self._process is not None and self._process.stdout is not None:
            return "" if self.is_busy() else self._process.stdout.read().decode().strip()
        return str(self._task.result) if self._task is not None and self._task.done else ""


def launch(lab: WireLab, host: LabHost, is_kernel: bool, role: str, size: int, peer: str) -> Running:
    if not is_kernel:
        program = send if role == "sender" else receive
        return Running(None, host.spawn(program, peer, size))
    words = [*PEER, "send", str(PORT), str(size)] if role == "sender" else [*PEER, "receive", str(PORT)]
    if peer:
        return Running(lab.start(host.name, [*words, peer], output=subprocess.PIPE).popen, None)
    return Running(lab.serve(host.name, words, output=subprocess.PIPE).popen, None)


# -- the same programs, as netglass has them


def send(io: Io, peer: str, size: int) -> Steps:
    stream = yield from join(io, peer)
    digest = hashlib.sha256()
    for block in content(size):
        digest.update(block)
        yield from stream.send(block)
    stream.shutdown()
    yield from stream.receive_all()
    stream.close()
    return digest.hexdigest()


def receive(io: Io, peer: str, size: int) -> Steps:
    stream = yield from join(io, peer)
    digest = hashlib.sha256()
    while data := (yield from stream.receive()):
        digest.update(data)
    stream.close()
    return digest.hexdigest()


def join(io: Io, peer: str) -> Steps:
    if peer:
        return (yield from io.connect(peer, PORT))
    listener = io.listen(PORT)
    stream: Stream = yield from listener.accept()
    return stream


# -- ordinary programs, which kernels run


def content(size: int) -> Iterator[bytes]:
    """Blocks of 64 KiB, of which each is another."""
    for number in range(-(-size // BLOCK)):
        key = hashlib.sha256(number.to_bytes(4, "big")).digest()
        yield (key * (BLOCK // len(key)))[: size - number * BLOCK]


def send_all(sock: socket.socket, size: int) -> str:
    digest = hashlib.sha256()
    for block in content(size):
        digest.update(block)
        sock.sendall(block)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(BLOCK):  # until the other side has read all and closes
        pass
    return digest.hexdigest()


def receive_all(sock: socket.socket) -> str:
    digest = hashlib.sha256()
    while data := sock.recv(BLOCK):
        digest.update(data)
    return digest.hexdigest()


def joined(port: int, address: str) -> socket.socket:
    if address:
        return socket.create_connection((address, port))
    with socket.create_server(("", port)) as listener:
        return listener.accept()[0]


def peer(role: str, port: str, *rest: str) -> None:
    """An ordinary program: sends bytes, or reads them to the end, and prints the SHA-256 of all. With an address it
    connects, without one it waits for somebody who does."""
    sizes = [int(each) for each in rest[:1]] if role == "send" else []
    addresses = rest[len(sizes) :]
    with joined(int(port), addresses[0] if addresses else "") as sock:
        print(send_all(sock, sizes[0]) if sizes else receive_all(sock), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--size", type=int, default=100_000_000, help="bytes")
    parser.add_argument("--cut", type=int, default=30, help="seconds")
    parser.add_argument("--limit", type=int, default=900, help="seconds for each transfer")
    words = parser.parse_args()
    bad = 0
    seconds: dict[str, float] = {}
    for loss in ("1%", "5%"):
        for sender, receiver in PAIRS:
            try:
                done = transfer(sender, receiver, words.size, loss, words.cut * SECOND, words.limit * SECOND)
            except LinkError as error:
                sys.exit(str(error))
            same = done.sent == done.received != ""
            bad += not same
            seconds[f"{sender} -> {receiver}, {loss}"] = round(done.seconds, 1)
            verdict = f"SHA-256 equal ({done.sent[:16]}...)" if same else f"DIFFERS: {done.sent}, {done.received}"
            print(f"{sender} -> {receiver}, {loss} loss: {words.size:,} bytes in {done.seconds:.1f} s, {verdict}")
            for line in done.lines:
                print(f"    {line}")
            sys.stdout.flush()
    about = {
        "benchmark": "wire_lab",
        "build": "compiled" if compiled() else "pure",
        "size": words.size,
        "cut": words.cut,
    }
    print(json.dumps(about | {"differ": bad, "seconds": seconds}))
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["send"], ["receive"]):
        peer(*sys.argv[1:])
    else:
        sys.exit(main())
