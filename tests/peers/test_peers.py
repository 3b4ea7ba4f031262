"""Debian's programs and programs on netglass talk over a TUN device: both unmodified, both ways, IPv4 and IPv6."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest

from tests.peers.machine import BULK, KERNEL, OURS, PROGRAMS, Machine

versions = pytest.mark.parametrize("version", [4, 6])


def url(address: str, path: str = "") -> str:
    return f"http://[{address}]/{path}" if ":" in address else f"http://{address}/{path}"


@pytest.fixture
def bulk(machine: Machine) -> Path:
    """A big file where programs run."""
    path = machine.directory / "bulk"
    path.write_bytes(hashlib.shake_256(b"bulk").digest(BULK))
    return path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def serve(machine: Machine) -> None:
    machine.serve(PROGRAMS / "serve.py")


# -- they ask, we answer


@pytest.mark.tools("curl")
@versions
def test_curl(machine: Machine, bulk: Path, version: int):
    serve(machine)
    place = OURS[version]
    assert machine.run("curl", "-sSg", url(place, "bulk")) == bulk.read_bytes()
    many = machine.run("curl", "-sSg", "--parallel", *[url(place, "stderr-0")] * 20)
    assert many.count(b"netglass is 10.83.0.2") == 20
    assert b"200 OK" in machine.run("curl", "-sSgI", url(place, "bulk"))
    assert b"404" in machine.run("curl", "-sSg", "-o", "/dev/null", "-w", "%{http_code}", url(place, "nothing"))
    machine.run("curl", "-sSg", url(place).replace("]/", "]:81/").replace(".2/", ".2:81/"), status=7)  # refused


@pytest.mark.tools("wget")
@versions
def test_wget(machine: Machine, bulk: Path, version: int):
    serve(machine)
    (machine.directory / "pages").mkdir()
    (machine.directory / "pages" / "one").write_text("one")
    machine.run("wget", "-q", "--tries=1", "-P", "mirror", "-nH", "-r", "--level=2", url(OURS[version], "pages/"))
    assert (machine.directory / "mirror" / "pages" / "one").read_text() == "one"
    assert machine.run("wget", "-q", "--tries=1", "-O", "-", url(OURS[version], "bulk")) == bulk.read_bytes()


@pytest.mark.tools("ping")
@versions
def test_ping(machine: Machine, version: int):
    serve(machine)
    for options in (["-i", "0.01"], ["-i", "0.01", "-s", "1400"], ["-i", "0.05", "-s", "8000"]):
        said = machine.run("ping", "-n", "-c", "20", *options, OURS[version]).decode()
        assert "20 packets transmitted, 20 received, 0% packet loss" in said


@pytest.mark.tools("nmap")
def test_the_service_scan_of_nmap(machine: Machine):
    """It knows each service by what it answers to dozens of probes."""
    serve(machine)
    ports = ["-n", "-Pn", "-sV", "-p", "7,80,81"]
    scans = [machine.start("nmap", *ports, OURS[4]), machine.start("nmap", "-6", *ports, OURS[6])]
    for scan in scans:
        said = scan.finish().decode()
        assert re.search(r"^7/tcp +open +echo", said, re.MULTILINE), said
        assert re.search(r"^80/tcp +open +http .*SimpleHTTP", said, re.MULTILINE), said
        assert re.search(r"^81/tcp +closed", said, re.MULTILINE), said


TALKERS = {
    "nc": lambda address, port: ["nc", "-n", "-N", address, str(port)],
    "socat": lambda address, port: [
        "socat",
        "-t30",
        "-",
        f"TCP:{f'[{address}]' if ':' in address else address}:{port}",
    ],
}
talkers = pytest.mark.parametrize("tool", [pytest.param(each, marks=pytest.mark.tools(each)) for each in TALKERS])


@talkers
@versions
def test_a_conversation(machine: Machine, tool: str, version: int):
    """Line by line, each answer before the next question, and the server says the last word."""
    serve(machine)
    session = machine.start(*TALKERS[tool](OURS[version], 23))
    assert session.line() == "welcome"
    for number in range(200):
        session.say(f"line {number}")
        assert session.line() == f"LINE {number}"
    session.say("bye")
    assert session.finish() == b""


@talkers
@versions
def test_a_big_file_both_ways(machine: Machine, bulk: Path, tool: str, version: int):
    """The digest comes after the file: one half of the connection is closed, the other is not."""
    serve(machine)
    connect = TALKERS[tool]
    expected = digest(bulk.read_bytes())
    assert machine.run(*connect(OURS[version], 9), stdin=bulk.read_bytes()) == expected.encode() + b"\n"
    assert digest(machine.run(*connect(OURS[version], 17))) == expected
    assert digest(machine.run(*connect(OURS[version], 7), stdin=bulk.read_bytes())) == expected


@pytest.mark.tools("socat")
@versions
def test_datagrams(machine: Machine, version: int):
    """Longer ones than the MTU too: fragments."""
    serve(machine)
    place = f"UDP:{OURS[4]}:7" if version == 4 else f"UDP6:[{OURS[6]}]:7"
    for size in (1, 1000, 8000):
        assert machine.run("socat", "-b9000", "-T1", "-t1", "STDIO", place, stdin=b"x" * size) == b"x" * size


# -- we ask, they answer


@pytest.mark.tools("nc")
@versions
def test_we_send_to_netcat(machine: Machine, bulk: Path, version: int):
    """Its half of the connection is closed from the beginning; ours is not."""
    listener = machine.start("sh", "-c", f"exec nc -{version} -nlvN 9000 </dev/null 2>&1 >received")
    assert listener.line().startswith("Listening on")
    assert machine.netglass(PROGRAMS / "send.py", KERNEL[version], "9000").finish() == b""
    listener.finish()
    assert digest((machine.directory / "received").read_bytes()) == digest(bulk.read_bytes())


@pytest.mark.tools("socat")
@versions
def test_we_send_to_socat(machine: Machine, bulk: Path, version: int):
    """It gives what comes to `sha256sum`, whose answer comes when our half is closed."""
    command = [
        "socat",
        "-t30",
        "-d",
        "-d",
        f"TCP{version}-LISTEN:9000,ipv6only=1" if version == 6 else "TCP4-LISTEN:9000",
    ]
    listener = machine.start("sh", "-c", f"exec {' '.join(command)} EXEC:sha256sum 2>&1")
    while "listening on" not in listener.line():
        pass
    answer = machine.netglass(PROGRAMS / "send.py", KERNEL[version], "9000").finish()
    assert answer.decode().split()[0] == digest(bulk.read_bytes())


@versions
def test_we_fetch_from_the_kernel(machine: Machine, bulk: Path, version: int):
    server = machine.start(sys.executable, "-m", "http.server", "80", "--bind", "::")
    server.line()
    script = machine.directory / "fetch.py"
    script.write_text(FETCH)
    machine.netglass(script, url(KERNEL[version], "bulk")).finish()
    assert (machine.directory / "fetched").read_bytes() == bulk.read_bytes()


FETCH = """
import sys, urllib.request
urllib.request.urlretrieve(sys.argv[1], "fetched")
"""
