"""Processes on kernels of their own, joined by cables of the lab."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from netglass import MisuseError, Network, faults, match
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.network.fault import Fault
from netglass.times import MILLISECOND, SECOND
from netglass.trace import Recorder
from netglass.wirelab import Process, WireLab, summary

LIMIT = 60 * SECOND

SERVE = """
import socket
with socket.create_server(("", 80)) as listener:
    sock = listener.accept()[0]
    sock.sendall(b"you said " + sock.recv(100))
    sock.close()
"""
ASK = """
import socket, sys
sock = socket.create_connection((sys.argv[1], 80))
sock.sendall(b"hello")
print(sock.recv(100).decode(), "from", sock.getpeername()[0])
"""
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()  # nobody's child any more
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.usefixtures("kernels")


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def two_hosts(*trouble: Fault, delay: str = "1 ms") -> Network:
    net = Network(seed=1)
    net.cable(net.host("client"), net.host("server"), delay=delay, faults=trouble)
    return net


def answer(lab: WireLab, process: Process) -> str:
    """What it printed."""
    assert lab.wait_for(process, limit=LIMIT), "it did not end in time"
    assert process.popen.stdout is not None
    return process.popen.stdout.read().decode()


def ask(lab: WireLab, name: str = "server") -> str:
    return answer(lab, lab.start("client", python(ASK, name), output=subprocess.PIPE))


def test_processes_talk_over_the_cable():
    net = two_hosts()
    with WireLab(net, ["client", "server"]) as lab:
        lab.serve("server", python(SERVE))
        assert ask(lab, "10.0.0.2") == "you said hello from 10.0.0.2\n"
    assert net.cables[0].lanes[0].offered >= 4  # SYN, ACK, data, FIN


def test_processes_know_hosts_by_name():
    with WireLab(two_hosts(), ["client", "server"]) as lab:
        names = "import socket; print(sorted({x[4][0] for x in socket.getaddrinfo('server', 80)}))"
        told = answer(lab, lab.start("client", python(names), output=subprocess.PIPE))
        assert told == "['10.0.0.2', 'fd00::2']\n"
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("client.netglass.invalid", 80)


def test_a_fault_meets_a_kernel():
    net = two_hosts(faults.drop(match.syn_ack))
    trace = Recorder()
    net.observe(trace)
    with WireLab(net, ["client", "server"]) as lab:
        lab.serve("server", python(SERVE))
        assert ask(lab, "10.0.0.2") == "you said hello from 10.0.0.2\n"
        lab.settle()
        assert "1 lost: drop SYN-ACK 1" in "\n".join(summary(lab))
    # The kernel waits a second for its answer and asks again.
    assert trace.gaps("client", flags="S")[0] >= SECOND
    assert trace.transmissions(source="server", flags="SA")[0].note == "drop SYN-ACK"


def test_the_cable_delays():
    with WireLab(two_hosts(delay="100 ms"), ["client", "server"]) as lab:
        lab.serve("server", python(SERVE))
        began = lab.now()
        ask(lab, "10.0.0.2")
        assert lab.now() - began >= 400 * MILLISECOND  # a handshake, a question and its answer


def test_a_router_of_netglass_between_kernels():
    net = Network(seed=1)
    client, middle, server = net.host("client"), net.router("middle"), net.host("server")
    net.cable(client, middle)
    net.cable(middle, server, mtu=1000)
    with WireLab(net, [client, server]) as lab:
        lab.serve("server", python(SERVE))
        assert ask(lab) == f"you said hello from {server.address}\n"
    assert net.cables[1].lanes[0].offered >= 4


def test_a_host_of_netglass_beside_a_kernel():
    def serve(io: Io) -> Steps:
        listener = io.listen(80)
        stream = yield from listener.accept()
        yield from stream.send(b"netglass heard " + (yield from stream.receive()))
        stream.close()

    net = two_hosts()
    net.hosts[1].spawn(serve)
    with WireLab(net, ["client"]) as lab:
        assert ask(lab) == "netglass heard hello from fd00::2\n"


def test_names_lead_to_ipv6_as_well():
    with WireLab(two_hosts(), ["client", "server"]) as lab:
        lab.serve("server", python(SERVE.replace('("", 80)', '("::", 80), family=socket.AF_INET6')))
        assert ask(lab, "fd00::2") == "you said hello from fd00::2\n"


def test_the_status_of_a_process():
    with WireLab(two_hosts(), ["client"]) as lab:
        left = lab.start("client", python("raise SystemExit(5)"))
        killed = lab.start("client", python("import os; os.kill(os.getpid(), 9)"))
        assert lab.wait_for(left, killed, limit=LIMIT)
        assert (left.status, killed.status) == (5, 128 + 9)


def test_nothing_is_left_behind(tmp_path: Path):
    pid_file = tmp_path / "pid"
    before = len(os.listdir("/proc/self/fd"))
    with WireLab(two_hosts(), ["client", "server"]) as lab:
        assert lab.wait_for(lab.start("client", python(DAEMON, str(pid_file))), limit=LIMIT)
        stubborn = lab.start("server", python(DEAF), output=subprocess.PIPE)
        assert stubborn.popen.stdout is not None
        assert stubborn.popen.stdout.readline() == b"up\n"
        assert lab.run_until(pid_file.exists, lab.now() + LIMIT)
        lab.run_until(lambda: pid_file.read_text() != "", lab.now() + LIMIT)
        stubborn.popen.stdout.close()
    assert stubborn.popen.returncode == -9
    assert not is_alive(int(pid_file.read_text()))
    assert len(os.listdir("/proc/self/fd")) == before
    lab.close()


def is_alive(pid: int) -> bool:
    """A process that has ended and whose parent has not asked is a zombie: Z."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_error_in_the_middle_leaves_nothing_behind():
    before = len(os.listdir("/proc/self/fd"))
    lab = WireLab(two_hosts(), ["client"])
    sleeper = lab.start("client", python("import time; time.sleep(600)"))
    with pytest.raises(ZeroDivisionError), lab:
        raise ZeroDivisionError
    assert sleeper.popen.returncode == -15
    assert len(os.listdir("/proc/self/fd")) == before


def test_mistakes_are_told():
    net = two_hosts()
    net.router("middle")
    net.cable("server", "middle", ethernet=True)
    with pytest.raises(MisuseError, match="'nobody'; there are client, server, middle"):
        WireLab(net, ["nobody"])
    with pytest.raises(MisuseError, match="middle: a router of the lab is netglass"):
        WireLab(net, ["middle"])
    with pytest.raises(MisuseError, match="server: a kernel is joined by a point-to-point cable"):
        WireLab(net, ["server"])
    with WireLab(net, ["client"]) as lab:
        with pytest.raises(MisuseError, match="'server' is no kernel of this lab; there are client"):
            lab.start("server", ["true"])
        with pytest.raises(MisuseError, match="client: there is no program 'no-such-program'"):
            lab.start("client", ["no-such-program"])
        with pytest.raises(MisuseError, match="an empty command line"):
            lab.start("client", [])
