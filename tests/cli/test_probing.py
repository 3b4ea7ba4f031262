"""`netglass ping` and `netglass trace` in labs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from netglass.cli.app import app

LAB = """
[hosts.client]
[hosts.middle]
router = true
[hosts.server]
[[cables]]
between = ["client", "middle"]
delay = "20 ms"
faults = {faults}
[[cables]]
between = ["middle", "server"]
delay = "5 ms"
"""


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


@pytest.fixture
def lab(tmp_path: Path) -> str:
    return written(tmp_path, "[]")


def written(directory: Path, faults: str) -> str:
    path = directory / "lab.toml"
    path.write_text(LAB.replace("{faults}", faults))
    return str(path)


def test_ping_counts_and_times(lab: str):
    done = ask("ping", "server", "--count", "3", "--lab", lab)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "PING server (10.0.1.3) 56 bytes of data.",
        "64 bytes from 10.0.1.3: seq=1 ttl=63 time=50.000 ms",
        "64 bytes from 10.0.1.3: seq=2 ttl=63 time=50.000 ms",
        "64 bytes from 10.0.1.3: seq=3 ttl=63 time=50.000 ms",
        "",
        "--- server ping statistics ---",
        "3 packets transmitted, 3 received, 0% packet loss, time 2050ms",
        "rtt min/avg/max/mdev = 50.000/50.000/50.000/0.000 ms",
    ]


def test_no_answer_and_an_error_are_told_apart(tmp_path: Path):
    lost = ask("ping", "server", "--count", "2", "--lab", written(tmp_path, '["drop(icmp)"]'), "--from", "client")
    assert lost.exit_code == 0
    assert "seq=1 no answer\n64 bytes from 10.0.1.3: seq=2" in lost.stdout
    assert "2 packets transmitted, 1 received, 50% packet loss" in lost.stdout
    short = ask("ping", "server", "--count", "1", "--ttl", "1", "--lab", written(tmp_path, "[]"), "--from", "client")
    assert short.exit_code == 1
    assert "From 10.0.0.2: seq=1 time exceeded" in short.stdout
    assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in short.stdout


def test_ping_from_another_host_as_json(lab: str, tmp_path: Path):
    capture = tmp_path / "ping.pcapng"
    done = ask(
        *("ping", "client", "--count", "2", "--size", "3000", "--interval", "0.2"),
        *("--json", "--lab", lab, "--from", "server", "--pcapng", str(capture)),
    )
    found = json.loads(done.stdout)
    assert (found["address"], found["transmitted"], found["received"]) == ("10.0.0.1", 2, 2)
    assert found["least_ns"] == found["most_ns"] == found["mean_ns"] == 50_000_000
    assert [each["size"] for each in found["answers"]] == [3008, 3008]
    assert capture.stat().st_size > 8 * 1500  # in fragments, there and back, on both cables


@pytest.mark.parametrize("way", ["--icmp", "--most=30"])
def test_trace_names_each_router(lab: str, way: str):
    done = ask("trace", "server", way, "--lab", lab)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:] == [
        " 1  10.0.0.2  40.000 ms  40.000 ms  40.000 ms",
        " 2  10.0.1.3  50.000 ms  50.000 ms  50.000 ms",
    ]


def test_trace_ends_where_nobody_knows_a_way(lab: str):
    done = ask("trace", "192.0.2.1", "--lab", lab, "--json")
    hops = json.loads(done.stdout)["hops"]
    assert done.exit_code == 1
    said = [{each["says"] for each in hop["answers"]} for hop in hops]
    assert said == [{"time exceeded"}, {"network unreachable"}]


def test_trace_shows_silence_as_stars(tmp_path: Path):
    done = ask("trace", "server", "--icmp", "--most", "2", "--lab", written(tmp_path, '["drop(icmp, nth=3)"]'))
    assert done.stdout.splitlines()[1] == " 1  10.0.0.2  40.000 ms  *  40.000 ms"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ping", "server", "--lab", "LAB"], "say how many with --count"),
        (["ping", "server", "--lab", "LAB", "--count", "1", "--interval", "0"], "--interval is at least 0.01 s"),
        (["ping", "server", "--lab", "LAB", "--count", "1", "--interval", "nan"], "--interval is at least 0.01 s"),
        (["ping", "server", "--lab", "LAB", "--count", "1", "--timeout", "-1"], "--timeout is a time above zero"),
        (["ping", "nobody", "--lab", "LAB", "--count", "1"], "nobody: "),
        (["ping", "server", "--lab", "LAB", "--count", "1", "--from", "me"], "no host is called 'me'"),
        (["ping", "server", "--lab", "no.toml", "--count", "1"], "no.toml"),
        (["ping", "server", "--from", "client"], "--from names a host of a lab"),
        (["ping", "server", "--tun", "ng0"], "--address 10.83.0.2/24"),
        (["ping", "server", "--address", "10.83.0.2/24"], "--tun ng0"),
        (["ping", "server", "--tun", "ng0", "--address", "10.83.0.2"], "has a prefix length"),
        (["ping", "server", "--tun", "ng0", "--address", "1.2.3.4/24", "--lab", "LAB", "--count", "1"], "not both"),
        (["trace", "server", "--pcapng", "x.pcapng"], "it goes with --tun"),
        (["up"], "name the device: --tun ng0"),
        (["up", "--tun", "ng0"], "--address 10.83.0.2/24"),
        (["mcast", "send", "10.0.0.1", "8888"], "no multicast address"),
        (["mcast", "send", "group", "8888"], "no multicast address"),
        (["mcast", "send", "239.1.1.1", "8888", "--interval", "0.001"], "so that nobody is flooded"),
        (["mcast", "send", "239.1.1.1", "8888", "--interface", "nowhere0"], "no interface with this name"),
        (["mcast", "recv", "232.1.1.1", "8888", "--source", "232.1.1.1"], "a sender's own address"),
        (["mcast", "recv", "232.1.1.1", "8888", "--source", "fd83::1"], "of the same IP version"),
        (["mcast", "recv", "232.1.1.1", "8888", "--pcapng", "x.pcapng"], "it goes with --tun"),
        (["sockets", "--url", "10.83.0.2"], "write it like http://10.83.0.2/"),
        (["sockets", "--url", "file:///etc/passwd"], "write it like http://10.83.0.2/"),
    ],
)
def test_a_mistake_is_one_clear_line(words: list[str], told: str, lab: str):
    done = ask(*[lab if word == "LAB" else word for word in words])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"netglass {' '.join(words[:2]) if words[0] == 'mcast' else words[0]}: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["up"], ["ping"], ["trace"], ["sockets"], ["mcast", "send"], ["mcast", "recv"]])
def test_help_has_examples(words: list[str]):
    done = ask(*words, "--help")
    assert done.exit_code == 0
    assert f"Examples: netglass {' '.join(words)}" in " ".join(done.stdout.split())
