"""`netglass run`: scripts and modules on a lab."""

import re
import subprocess
import sys

import pytest

from netglass import MisuseError
from netglass.cli import lab_file
from netglass.programs.runtwice import difference, twice

COMMAND = [sys.executable, "-c", "from netglass.cli import main; main()", "run"]


def run(*words, directory):
    return subprocess.run([*COMMAND, *words], cwd=directory, capture_output=True, text=True, check=False)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "helper.py").write_text("def double(number):\n    return 2 * number\n")
    (tmp_path / "script.py").write_text(
        "import sys, threading, time\n"
        "from helper import double\n"
        "began = time.monotonic()\n"
        "def main():\n"
        "    time.sleep(3600)\n"
        "    print(__name__, sys.argv, double(21), round(time.monotonic() - began))\n"
        "threading.Thread(target=main).start()\n"
    )
    return tmp_path


def test_a_script_with_arguments_an_hour_at_once(place):
    done = run("script.py", "--seed", "x", directory=place)
    assert done.stdout == "__main__ ['script.py', '--seed', 'x'] 42 3600\n"
    assert done.returncode == 0


def test_a_module(place):
    done = run("--seed", "3", "-m", "helper", "-v", directory=place)
    assert (done.returncode, done.stderr) == (0, "")
    missing = run("-m", "no_such_module_here", directory=place)
    assert missing.returncode == 1
    assert "no_such_module_here" in missing.stderr


def test_the_exit_status_is_the_programs(place):
    (place / "leave.py").write_text("raise SystemExit(5)\n")
    assert run("leave.py", directory=place).returncode == 5


def test_a_deadlock_is_told(place):
    (place / "stuck.py").write_text("import queue\nqueue.Queue().get()\n")
    done = run("stuck.py", directory=place)
    assert done.returncode == 1
    assert "deadlock: nobody can go on" in done.stderr
    assert "at stuck.py:2" in done.stderr


def test_an_error_is_shown_with_its_lines(place):
    (place / "wrong.py").write_text("1 / 0\n")
    done = run("wrong.py", directory=place)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_lab_file_with_two_programs(place):
    (place / "sleeper.py").write_text("import time\nwhile True:\n    time.sleep(1)\n")
    (place / "lab.toml").write_text(
        'seed = 7\n[hosts.client]\nrun = "script.py one"\n[hosts.server]\nserve = "sleeper.py"\n'
        '[[cables]]\nbetween = ["client", "server"]\ndelay = "20 ms"\nfaults = ["drop(syn)", "loss(0.5)"]\n'
    )
    done = run("--lab", "lab.toml", directory=place)
    assert "['script.py', 'one'] 42 3600" in done.stdout
    assert done.returncode == 0
    other = run("--lab", "lab.toml", "--host", "nobody", "script.py", directory=place)
    assert other.returncode == 2
    assert "no host is called 'nobody'; there are client, server" in other.stderr


def test_a_lab_file_with_a_switch(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(
        '[hosts.a]\n[hosts.b]\naddresses = ["dhcp"]\n[switches.office]\nageing = "10 s"\n'
        '[[cables]]\nbetween = ["a", "office"]\nvlan = 10\n[[cables]]\nbetween = ["office", "b"]\nvlan = 10\n'
    )
    net = lab_file.read(path).network
    (office,) = net.switches
    assert [plug.port.vlan for plug in office.plugs] == [10, 10]
    assert [host.mac for host in net.hosts] == ["02:00:00:00:01:00", "02:00:00:00:02:00"]
    assert [host.asks for host in net.hosts] == [frozenset(), {"dhcp"}]


def test_a_lab_file_names_a_host_s_dns_servers(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('[hosts.a]\nresolver = ["10.0.0.53", "10.0.0.54"]\n[hosts.b]\nresolver = "::1"\n[hosts.c]\n')
    resolvers = [host.resolver for host in lab_file.read(path).network.hosts]
    assert [each and each.servers for each in resolvers] == [("10.0.0.53", "10.0.0.54"), ("::1",), None]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hosts = 3 =", "lab.toml"),
        ("[hots.a]", "has no hots"),
        ("[hosts.a]\nrum = 1", "host a has no rum"),
        ('[hosts.a]\nresolver = "ns.test"', "ns.test"),
        ('[hosts.a]\n[[cables]]\nbetween = ["a"]', "between two hosts"),
        ("[switches.s]\nports = 8", "switch s has no ports; there are ageing, stp, table_limit"),
        ('[hosts.a]\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\nfaults = ["drop(sin)"]', "is no fault"),
        ('[hosts.a]\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\nfaults = ["syn"]', "is no fault"),
    ],
)
def test_what_is_wrong_in_a_lab_file_is_said(tmp_path, text, complaint):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(MisuseError, match=complaint):
        lab_file.read(path)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "drop(syn).__class__", "[each for each in (1,)]", "lambda: 1", "().x"]
)
def test_faults_are_no_way_to_run_anything_else(text):
    with pytest.raises(MisuseError):
        lab_file.fault(text)


def test_faults_are_written_as_in_python():
    for text in ("drop(third_ack)", "loss(0.05)", "drop(data.from_('server') & ~fin, nth=3)", "drop(match.segment(7))"):
        assert lab_file.fault(text) is not None


def test_twice_the_same(place):
    done = run("--twice", "script.py", directory=place)
    assert (done.returncode, done.stderr) == (0, "netglass run: twice the same, byte for byte\n")


def test_twice_not_the_same(tmp_path):
    program = "import os, sys; open(sys.argv[1], 'wb').write(bytes(8) + os.environ['PYTHONHASHSEED'].encode())"
    assert "the same up to byte 8" in twice([sys.executable, "-c", program, "{capture}"])
    with pytest.raises(MisuseError, match="capture"):
        twice([sys.executable, "-c", ""])


def test_where_two_captures_differ():
    block = (1).to_bytes(4, "little") + (16).to_bytes(4, "little") + b"data" + (16).to_bytes(4, "little")
    assert difference(block, block) == ""
    assert "block 1" in difference(block + block, block + block.replace(b"data", b"dada"))


def test_the_calls_of_a_program_go_to_the_terminal_or_into_a_file(place):
    done = run("--calls", "-", "script.py", directory=place)
    assert done.returncode == 0
    assert re.search(r"^ +0 ns  localhost Thread-1 .*sleep\(\) returns  slept 3600 s$", done.stdout, re.MULTILINE)
    run("--calls", "calls.txt", "script.py", directory=place)
    assert (place / "calls.txt").read_text() in done.stdout
