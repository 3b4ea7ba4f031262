"""`netglass run`: scripts and modules on a lab."""

import re
import subprocess
import sys

import pytest

from netglass import MisuseError
from netglass.cli import lab_file
from netglass.lab.fault_text import fault_of
from netglass.programs.runtwice import differ, difference, trials, twice

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
        ('[hosts.a]\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\nfaults = "drp(syn)"', "did you mean drop?"),
        ('[hosts.a]\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\ndelay = 0.5', "cable a-b: delay takes text such as"),
        ('[hosts.a]\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\ndelay = "soon"', "cable a-b: .*soon"),
        ('[hosts.a]\n[[cables]]\nbetween = ["a", "b"]', "cable a-b: no host is called 'b'; there are a"),
        ('seed = "x"', "lab.toml: the file: seed takes a whole number; this is 'x'"),
        ("[hosts.a]\nrun = 5", "lab.toml: host a: run takes text such as .*; this is 5"),
        ("[hosts.a]\nrun = [[1]]", "host a: run takes text"),
        ('[hosts.a]\nrun = "\'"', "host a: run = .*quotation"),
        ("[hosts.a]\nserve = ''", "host a: serve takes text"),
        ("[hosts.a]\nrouter = 1", "host a: router takes true or false; this is 1"),
        ("[hosts]\na = 1", "line like .hosts.a.; this is a = 1"),
        ("hosts = 1", "line like .hosts.name.; this is hosts = 1"),
        ("cables = 1", "line ..cables..; this is cables = 1"),
    ],
)
def test_what_is_wrong_in_a_lab_file_is_said(tmp_path, text, complaint):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(MisuseError, match=complaint):
        lab_file.read(path)


def test_a_lab_file_that_is_not_there_is_named_once(tmp_path):
    with pytest.raises(MisuseError) as caught:
        lab_file.read(tmp_path / "lab.toml")
    assert str(caught.value) == f"{tmp_path / 'lab.toml'}: No such file or directory"


def test_one_fault_and_one_address_need_no_list(tmp_path):
    path = tmp_path / "lab.toml"
    text = '[hosts.a]\naddresses = "192.0.2.1/24"\n[hosts.b]\n[[cables]]\nbetween = ["a", "b"]\nfaults = "drop(syn)"'
    path.write_text(text)
    net = lab_file.read(path).network
    assert net.hosts[0].address == "192.0.2.1"
    assert [fault.name for lane in net.cables[0].lanes for fault in lane.faults] == ["drop SYN", "drop SYN"]


@pytest.mark.parametrize(
    "text", ["__import__('os')", "drop(syn).__class__", "[each for each in (1,)]", "lambda: 1", "().x"]
)
def test_faults_are_no_way_to_run_anything_else(text):
    with pytest.raises(MisuseError):
        fault_of(text)


def test_faults_are_written_as_in_python():
    for text in (
        "drop(third_ack)",
        "loss(0.05)",
        "drop(data.from_('server') & ~fin, nth=3)",
        "drop(match.segment(7))",
        "faults.drop(match.fin)",
    ):
        assert fault_of(text) is not None


LAB = (
    '[hosts.client]\nrun = "%s"\n[hosts.server]\nserve = "%s"\n'
    '[[cables]]\nbetween = ["client", "server"]\ndelay = "20 ms"\n'
)
FETCH = "import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1]).status)\n"


def test_twice_the_same(place):
    (place / "fetch.py").write_text(FETCH)
    (place / "lab.toml").write_text(LAB % ("fetch.py http://server/", "-m http.server 80"))
    done = run("--twice", "--lab", "lab.toml", directory=place)
    assert done.returncode == 0
    assert done.stdout.endswith("\n200\n")
    assert done.stdout.count("200") == 1
    assert done.stderr.endswith("netglass run: twice the same, byte for byte\n")


def test_twice_a_program_that_sends_nothing(place):
    (place / "order.py").write_text("print(hash('a'))\n")
    done = run("--twice", "script.py", "--twice", directory=place)
    assert (done.returncode, done.stdout) == (0, "__main__ ['script.py', '--twice'] 42 3600\n")
    assert done.stderr == "netglass run: nothing was sent; its output is compared instead: twice the same\n"
    done = run("--twice", "order.py", directory=place)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert done.stderr == "netglass run: two runs differ: nothing was sent, but they print different things\n"


def test_twice_a_program_that_fails(place):
    (place / "fail.py").write_text("import sys\nprint('why', file=sys.stderr)\nsys.exit(3)\n")
    done = run("--twice", "fail.py", directory=place)
    assert done.returncode == 3
    assert done.stderr.startswith("why\n")
    assert done.stderr.endswith("netglass run: the program failed, with exit status 3\n")
    done = run("--twice", "missing.py", directory=place)
    assert done.returncode == 2
    assert done.stderr == "netglass run: can't open file 'missing.py': No such file or directory\n"


def test_twice_with_another_end():
    program = "import os, sys; open(sys.argv[1], 'w'); sys.exit(int(os.environ['PYTHONHASHSEED']) + 2)"
    first, second = trials([sys.executable, "-c", program, "{capture}"])
    assert (first.status, second.status) == (3, 4)
    assert differ(first, second) == "two runs differ: the first has exit status 3, the second 4"


def test_words_for_a_host_replace_what_it_would_run(place):
    (place / "fetch.py").write_text(FETCH)
    (place / "lab.toml").write_text(LAB % ("script.py one", "-m http.server 80"))
    done = run("--lab", "lab.toml", "--host", "client", "fetch.py", "http://server/", directory=place)
    assert done.returncode == 0
    assert done.stdout.endswith("\n200\n")
    assert "script.py" not in done.stdout


def test_an_error_looks_as_python_shows_it(place):
    (place / "refused.py").write_text(
        "import socket\ndef main():\n    socket.socket().connect(('127.0.0.1', 9))\nmain()\n"
    )
    done = run("refused.py", directory=place)
    assert done.returncode == 1
    assert done.stderr == (
        "Traceback (most recent call last):\n"
        '  File "refused.py", line 4, in <module>\n    main()\n'
        "  File \"refused.py\", line 3, in main\n    socket.socket().connect(('127.0.0.1', 9))\n"
        "ConnectionRefusedError: [Errno 111] Connection refused\n"
    )
    (place / "module.py").write_text("open('/no/such/file')\n")
    done = run("-m", "module", directory=place)
    assert done.returncode == 1
    assert "runpy" not in done.stderr
    assert done.stderr.endswith("FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'\n")


def test_an_error_of_syntax_has_its_caret(place):
    (place / "typo.py").write_text("one = (1\n       2 3)\n")
    done = run("typo.py", directory=place)
    assert done.returncode == 1
    assert done.stderr.startswith('  File "typo.py", line ')
    assert "^" in done.stderr
    assert "SyntaxError: " in done.stderr.splitlines()[-1]


def test_a_module_that_is_not_there(place):
    done = run("-m", "nope", directory=place)
    assert (done.returncode, done.stderr) == (1, "netglass run: No module named nope\n")


@pytest.mark.parametrize("client", ["pass", "raise SystemExit(5)", "1 / 0"])
def test_a_server_that_crashes_is_heard(place, client):
    (place / "client.py").write_text(f"import time\ntime.sleep(9)\n{client}\n")
    (place / "server.py").write_text("import time\ntime.sleep(1)\nraise ValueError('broken')\n")
    (place / "lab.toml").write_text(LAB % ("client.py", "server.py"))
    done = run("--lab", "lab.toml", directory=place)
    assert done.returncode == (5 if "5" in client else 1)
    assert done.stderr.startswith("server.py on server failed:\nTraceback (most recent call last):\n")
    assert done.stderr.count("ValueError: broken\n") == 1
    assert ("client.py on client failed:\n" in done.stderr) == ("0" in client)


def test_a_server_that_is_stopped_at_the_end_has_not_failed(place):
    (place / "server.py").write_text("import time\ntry:\n    time.sleep(1e6)\nfinally:\n    1 / 0\n")
    (place / "lab.toml").write_text(LAB % ("script.py", "server.py"))
    done = run("--lab", "lab.toml", directory=place)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_endless_loop_is_told_once(place):
    (place / "loop.py").write_text("def spin():\n    while True:\n        pass\nspin()\n")
    done = run("--limit", "0.5", "loop.py", directory=place)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("the program ran 0.5 s of real time without ending")
    assert lines[1] == "main on localhost runs, and as long as it does not wait no virtual time passes:"
    assert lines[2] == '  File "loop.py", line 4, in <module>'
    assert "netglass run --limit SECONDS" in lines[-1]
    assert done.stderr.count("without ending") == 1
    assert "/netglass/" not in done.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--limit", "0"], "--limit is in seconds of real time, more than 0; it is 0"),
        (["--pcapng", "none/lab.pcapng"], "there is no directory none"),
        (["--calls", "none/calls.txt"], "there is no directory none"),
        (["--ladder", "none/lab.svg"], "there is no directory none"),
        (["--ladder", "lab.png"], "a ladder goes into FILE.svg, FILE.html or -; not 'lab.png'"),
        (["--ladder", "lab.svg", "--calls", "lab.svg"], "two outputs cannot go to the same file"),
        (["--allow", "os.everything"], "--allow os.everything: nothing of that name is refused"),
        (["--twice", "--ladder", "-"], "leave out --pcapng, --ladder and --calls"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_program_runs(place, words, complaint):
    done = run(*words, "script.py", directory=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_refused_can_be_allowed(place):
    (place / "leave.py").write_text("import os\nprint(os.system('true'))\n")
    done = run("leave.py", directory=place)
    assert done.returncode == 1
    assert "os.system(b'true') was refused: " in done.stderr
    assert "`netglass run --allow os.system`" in done.stderr
    done = run("--allow", "os.system", "leave.py", directory=place)
    assert (done.returncode, done.stdout) == (0, "0\n")


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
