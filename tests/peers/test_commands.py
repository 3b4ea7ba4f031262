"""`netglass up`, `ping`, `trace`, `sockets` and `mcast` with a real kernel at the other end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.request import ProxyHandler, build_opener

import pytest

from netglass.lab.segments import forge
from netglass.link.tun import Tun
from netglass.wire.packet import packet_bytes
from tests.peers.machine import DEVICE, KERNEL, LIMIT, OURS, PREFIX, TERMINATED, Machine, Running

versions = pytest.mark.parametrize("version", [4, 6])

# Ctrl-C works even where the shell that started the tests ignores it.
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from netglass.cli import main; main()"
COMMAND = (sys.executable, "-c", START)


def on_wire(machine: Machine, *words: str) -> Running:
    """A command with --tun, which writes a capture."""
    capture = machine.directory / f"capture-{len(machine.captures)}.pcapng"
    where = [word for version in (4, 6) for word in ("--address", f"{OURS[version]}/{PREFIX[version]}")]
    machine.captures.append(capture)
    return machine.start(*COMMAND, *words, "--tun", DEVICE, *where, "--pcapng", capture)


def by_kernel(machine: Machine, *words: str, status: int = 0) -> str:
    return machine.run(*COMMAND, *words, status=status).decode()


@pytest.fixture
def up(machine: Machine) -> Iterator[Running]:
    process = on_wire(machine, "up")
    assert process.line().startswith(
        "echo 7, discard 9, chargen 19 over TCP and UDP; the sockets live at http://10.83.0.2/"
    )
    yield process
    if process.process.poll() is None:
        assert process.terminate() == TERMINATED
        assert process.errors() == SAID


SAID = f"{DEVICE}: netglass is {OURS[4]} and {OURS[6]}, this machine {KERNEL[4]} and {KERNEL[6]}\n"


def connected(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), LIMIT)


def asked(address: str, port: int, own_port: int) -> bytes:
    """The answer to a datagram; b"" if none comes."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("", own_port))
        asking.sendto(b"question", (address, port))
        asking.sendto(b"question", (address, 7 if port == 19 else 19))  # is answered later, if anything is
        asking.settimeout(0.5 if own_port else LIMIT)
        try:
            return asking.recv(1000)
        except TimeoutError:
            return b""


def fetched(url: str) -> bytes:
    with build_opener(ProxyHandler({})).open(url, timeout=LIMIT) as page:
        return bytes(page.read())


def at(version: int, path: str) -> str:
    return f"http://{OURS[4]}/{path}" if version == 4 else f"http://[{OURS[6]}]/{path}"


@versions
def test_up_echo_discard_and_chargen(machine: Machine, up: Running, version: int):
    echo, discard, chargen = [machine.call(connected, OURS[version], port) for port in (7, 9, 19)]
    with echo, discard, chargen:
        echo.sendall(b"hello" * 1000)
        assert echo.recv(5000, socket.MSG_WAITALL) == b"hello" * 1000
        discard.sendall(bytes(1_000_000))
        discard.shutdown(socket.SHUT_WR)
        assert discard.recv(1) == b""
        assert chargen.recv(74, socket.MSG_WAITALL).startswith(b" !\"#$%&'()*+,")
    assert machine.call(asked, OURS[version], 7, 0) == b"question"
    assert machine.call(asked, OURS[version], 19, 0) == b" !\"#$%&'"
    assert machine.call(asked, OURS[version], 7, 19) == b""


@versions
def test_the_page_shows_the_sockets_live(machine: Machine, up: Running, version: int):
    echo = machine.call(connected, OURS[version], 7)
    with echo:
        own = echo.getsockname()[1]
        page = machine.call(fetched, at(version, "")).decode()
        assert re.search(rf">\[?{KERNEL[version]}\]?:{own}</td><td>ESTABLISHED<", page)
        assert '<meta http-equiv="refresh"' in page
        found = json.loads(machine.call(fetched, at(version, "sockets.json")))
        mine = [each for each in found["sockets"] if each["remote_port"] == own]
        assert [(each["state"], each["local"], each["local_port"]) for each in mine] == [
            ("ESTABLISHED", OURS[version], 7)
        ]
        assert found["interfaces"][DEVICE]["in_packets"] > 0
        shown = by_kernel(machine, "sockets", "--url", at(version, ""), "--state", "ESTABLISHED")
        assert [line for line in shown.splitlines() if f":{own}" in line]
        kernels = by_kernel(machine, "sockets")
        assert [line for line in kernels.splitlines() if f"{OURS[version]}" in line and "ESTABLISHED" in line]
    echo.close()


def test_half_open_connections_are_shown(machine: Machine, up: Running):
    """Of ours, and of the kernel's: a SYN came, and nobody answers the SYN,ACK."""
    syn = packet_bytes(forge("10.83.0.77", 40009, OURS[4], 7, "S", seq=1000, mss=1460))
    machine.call(inject, syn, OURS[4])
    shown = by_kernel(machine, "sockets", "--url", at(4, ""), "--state", "SYN_RECV")
    assert "10.83.0.2:7    10.83.0.77:40009  SYN_RECV" in shown


def inject(packet: bytes, to: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet, (to, 0))


def test_half_open_connections_of_the_kernel_are_shown(machine: Machine):
    from netglass.link.machine import configure

    device = machine.call(Tun, DEVICE, offload=False)
    try:
        machine.call(configure, DEVICE, f"{KERNEL[4]}/24")
        with machine.call(socket.create_server, ("", 8080)):
            os.write(device.fileno(), packet_bytes(forge("10.83.0.77", 40009, KERNEL[4], 8080, "S", seq=1, mss=1460)))
            shown = by_kernel(machine, "sockets", "--state", "SYN_RECV")
    finally:
        device.close()
    (line,) = shown.splitlines()[1:]
    assert line.split()[3:7] == [f"{KERNEL[4]}:8080", "10.83.0.77:40009", "SYN_RECV", "on"]


def test_ctrl_c_leaves_nothing_behind(machine: Machine, up: Running):
    echo = machine.call(connected, OURS[4], 7)
    with echo:
        echo.sendall(b"hello")
        assert echo.recv(5) == b"hello"
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(LIMIT) == 128 + signal.SIGINT
    assert up.errors() == SAID
    assert DEVICE not in machine.call(os.listdir, "/proc/sys/net/ipv4/conf")


def test_progress_on_a_terminal(machine: Machine):
    ours, terminal = os.openpty()
    command = [*COMMAND, "up", "--tun", DEVICE, "--address", "10.83.0.2/24"]
    process = machine.call(subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    said = b""
    try:
        while b" connections" not in said:
            said += os.read(ours, 1000)
    finally:
        process.terminate()
        assert process.wait(LIMIT) == TERMINATED
        os.close(ours)
    assert re.search(rb"\r\d+ packets in, \d+ out; 0 connections", said)


@versions
def test_ping_to_the_kernel(machine: Machine, version: int):
    said = on_wire(machine, "ping", KERNEL[version], "--count", "5", "--interval", "0.01", "--size", "3000").finish()
    lines = said.decode().splitlines()
    assert lines[0] == f"PING {KERNEL[version]} ({KERNEL[version]}) 3000 bytes of data."
    assert lines[1].startswith(f"3008 bytes from {KERNEL[version]}: seq=1 ttl=64 time=")
    assert lines[-2].startswith("5 packets transmitted, 5 received, 0% packet loss")


@versions
def test_ping_by_the_kernel(machine: Machine, up: Running, version: int):
    found = json.loads(by_kernel(machine, "ping", OURS[version], "--count", "5", "--interval", "0.01", "--json"))
    assert (found["received"], found["answers"][0]["ttl_hops"]) == (5, 64)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ping_tells_its_statistics_when_it_is_ended(machine: Machine, number: signal.Signals):
    process = on_wire(machine, "ping", KERNEL[4], "--interval", "0.01")
    lines = [process.line() for _ in range(4)]
    process.process.send_signal(number)
    rest, _ = process.process.communicate(timeout=LIMIT)
    assert process.process.returncode == 128 + number
    assert lines[3].startswith(f"64 bytes from {KERNEL[4]}: seq=3 ")
    assert re.search(rb"\d+ packets transmitted, \d+ received, ", rest)
    assert process.errors() == SAID


@versions
@pytest.mark.parametrize("way", [[], ["--icmp"]])
def test_trace(machine: Machine, version: int, way: list[str]):
    there = on_wire(machine, "trace", KERNEL[version], "--json", *way).finish()
    (hop,) = json.loads(there)["hops"]
    assert [each["address"] for each in hop["answers"]] == [KERNEL[version]] * 3


@versions
@pytest.mark.parametrize("way", [[], ["--icmp"]])
def test_trace_by_the_kernel(machine: Machine, up: Running, version: int, way: list[str]):
    said = by_kernel(machine, "trace", OURS[version], *way)
    assert re.fullmatch(rf" 1  {OURS[version]}(  \d+\.\d+ ms){{3}}", said.splitlines()[1])


GROUPS = {4: "239.1.2.3", 6: "ff15::8888"}


def heard_of(process: Running) -> None:
    """Waits until it listens."""
    while "listening" not in process.errors():
        assert process.process.poll() is None, process.errors()
        threading.Event().wait(0.01)


@versions
@pytest.mark.parametrize("only", [False, True])
def test_a_group_heard_by_netglass(machine: Machine, version: int, only: bool):
    group = GROUPS[version]
    source = ["--source", KERNEL[version]] if only and version == 4 else []
    listening = on_wire(machine, "mcast", "recv", group, "8888", "--count", "3", *source)
    heard_of(listening)
    by_kernel(machine, "mcast", "send", group, "8888", "--count", "3", "--interval", "0.01", "--interface", DEVICE)
    lines = listening.finish().decode().splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["1", "2", "3"]
    assert listening.errors().splitlines()[-1].startswith("3 from ")


@versions
def test_a_group_heard_by_the_kernel(machine: Machine, version: int):
    group = GROUPS[version]
    sending = on_wire(machine, "mcast", "send", group, "8888", "--interval", "0.02", "--size", "100")
    sending.line()
    came = by_kernel(machine, "mcast", "recv", group, "8888", "--count", "3", "--interface", DEVICE, "--json")
    found = [json.loads(line) for line in came.splitlines()]
    assert {(each["address"], each["size"]) for each in found} == {(OURS[version], 100)}
    assert found[1]["number"] == found[0]["number"] + 1
    assert sending.terminate() == TERMINATED
    assert re.search(r"^[\d,]+ sent$", sending.errors(), re.MULTILINE)


def test_a_device_that_is_taken(machine: Machine, up: Running):
    other = on_wire(machine, "ping", KERNEL[4])
    machine.captures.pop()
    assert other.process.wait(LIMIT) == 2
    assert (
        other.errors()
        == f"netglass ping: {DEVICE}: another program has this device open: end it, or choose another name\n"
    )
