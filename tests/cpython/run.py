"""CPython's own tests on netglass: `python tests/cpython/run.py [MODULE ...]` writes docs/cpython.md.

Every module runs twice: with plain Python, which tells its tests and which of them open an internet socket, and as
`netglass run -m test MODULE` does, on one simulated host. A process that hangs or dies is started again without the
test that it stopped at. Needs a CPython 3.11 with its `test` package. Not collected by pytest: it takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "docs" / "cpython.md"
KEPT = Path(tempfile.gettempdir()) / "netglass-cpython.json"  # so that single modules can be run again
LIMIT = 120  # seconds of real time for one process
STARTS = 6  # of one module

LEFT_OUT = ("*VSOCK*", "*Vsock*")
"""They hang on machines that have the protocol but no hypervisor."""

NETWORK = frozenset({"test_socketserver", "test_timeout"})
"""Leave everything out unless they may use the network, which for nearly all of them is loopback."""

MODULES = (
    *("test_socket", "test_timeout", "test_socketserver", "test_selectors", "test_epoll", "test_select", "test_poll"),
    *("test_asyncore", "test_asynchat", "test_ftplib", "test_smtplib", "test_poplib", "test_imaplib", "test_nntplib"),
    *("test_telnetlib", "test_httplib", "test_httpservers", "test_urllib", "test_urllib2_localnet", "test_robotparser"),
    *("test_xmlrpc", "test_docxmlrpc", "test_wsgiref", "test_ssl", "test_logging", "test_os", "test_signal"),
    *("test_asyncio.test_base_events", "test_asyncio.test_buffered_proto", "test_asyncio.test_events"),
    *("test_asyncio.test_sendfile", "test_asyncio.test_server", "test_asyncio.test_sock_lowlevel"),
    *("test_asyncio.test_ssl", "test_asyncio.test_sslproto", "test_asyncio.test_streams"),
    "test_asyncio.test_unix_events",
)

UDP_LITE = "UDP-Lite (RFC 3828) is not implemented"

CAUSES: tuple[tuple[str, str], ...] = (
    # what is found in "test: error" -> the cause; the first that fits
    (r"UDPLITE", UDP_LITE),
    (r"_context_custom_class|csocket_repr", "it opens the C class _socket.socket itself, which is refused"),
    (r"(?i)subprocess|Popen|fork|spawn|exec|multiprocessing|popen|stty|os_popen", "a process or fork is refused"),
    (r"EnvironTests|getppid|test_select:|SelectTestCase.test_select OSError", "a process or fork is refused"),
    (r"Refused", "it opens a real socket, which is refused"),
    (r"loses a reference", "it counts the references that C code takes"),
    (
        r"eventfd|EventfdTests|bidirectional_pty|pty_output|real (pipe|socket|terminal)",
        "a real terminal or event descriptor is refused: it is never ready in virtual time",
    ),
    (r"scope", "addresses have no scope (fe80::1%eth0)"),
    (r"UtimeTests|test_rollover", "files have the real machine's times"),
    (r"UnixSocketTests|TestUnixDomain", "AF_UNIX names are the lab's: no socket file appears in the real file system"),
    (
        r"test_select_mutated|disallow_instantiation|c_limits|test_poll3",
        "select and poll are Python here, with fewer checks",
    ),
    (
        r"Signal|Interrupt|interrupt|Alarm",
        "signals from other processes come in real time, or not where C would see them",
    ),
    (r"took too long|did not come back", "the process hung or died"),
    (r"UnixDatagram", "AF_UNIX datagrams do not tell who sent them, so nobody can answer"),
    (r"SocketWriterTest|interrupted_write", "what a blocking write does when a signal without exception interrupts it"),
    (
        r"testSendtoErrors|flowinfo|use_sendfile|InvalidInterface|testAutobind|sethostname",
        "odd arguments and names: another error, or another text, than CPython's",
    ),
    (r"not run: ", "its class or module could not be set up, or the process ended before it"),
)
"""Reasons that were looked into."""


class Outcome(NamedTuple):
    kind: str  # passed, skipped, failed
    why: str


def play(start: list[str], module: str, lines: Path, output: Path) -> dict[str, Outcome]:
    """What became of each test of a module."""
    outcomes: dict[str, Outcome] = {}
    ignored: list[str] = list(LEFT_OUT)
    lines.write_text("")
    for _ in range(STARTS):
        words = [*start, str(HERE / "watched.py")]
        words += ["-u", "network"] if module in NETWORK else []
        for pattern in ignored:
            words += ["-i", pattern]
        ended = call([*words, module], lines, output)
        running = read(lines, outcomes)
        if not running:
            break
        if outcomes.get(running, Outcome("passed", "")).kind != "failed":
            outcomes[running] = Outcome("failed", "did not come back" if ended else "took too long")
        ignored = [*LEFT_OUT, *outcomes]
    return outcomes


def call(words: list[str], lines: Path, output: Path) -> bool:
    """False if it had to be killed."""
    environment = {**os.environ, "WATCHED": str(lines)}
    with open(output, "ab") as file, tempfile.TemporaryDirectory() as directory:
        try:
            subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=directory, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return False
    return True


def read(lines: Path, outcomes: dict[str, Outcome]) -> str:
    """The test that had begun and not ended, if any."""
    running = ""
    for line in lines.read_text(encoding="utf-8", errors="replace").split("\n"):
        word, _, rest = line.partition(" ")
        test, _, why = rest.partition(" ")
        if word == "begin":
            running = test
        elif word == "end":
            running = ""
        elif word in ("passed", "skipped", "failed"):
            outcomes[test] = Outcome(word, why)
    return running


def of_the_internet(lines: Path) -> set[str]:
    text = lines.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(r"^internet (\S+)$", text, re.MULTILINE))


def study(module: str, work: Path) -> dict[str, object]:
    real, lab = work / f"{module}.real", work / f"{module}.lab"
    known = play([sys.executable], module, real, work / f"{module}.real.txt")
    found = play([sys.executable, "-c", CLI, "run", "--limit", str(LIMIT - 10)], module, lab, work / f"{module}.txt")
    internet = of_the_internet(real)
    rows = {}
    for test, before in known.items():
        after = found.get(test, Outcome("failed", "not run: its class or module could not be set up"))
        if before.kind == "passed":
            rows[test] = [test in internet, *after]
    return {"tests": rows, "skipped by plain Python": sum(each.kind == "skipped" for each in known.values())}


CLI = "from netglass.cli import main; main()"


def cause(test: str, why: str) -> str:
    for pattern, text in CAUSES:
        if re.search(pattern, f"{test}: {why}"):
            return text
    return "not looked into yet"


def shown(why: str) -> str:
    """Without what is so on this machine only, and short."""
    return re.sub(r"(/[\w.+-]+){2,}/", "", why)[:160].replace("|", "/").replace("`", "'").strip()


def table(results: dict[str, dict[str, object]]) -> str:
    rows: list[str] = []
    failures: dict[str, list[str]] = {}
    total: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for module in sorted(results):
        counts: Counter[str] = Counter()
        for test, (internet, kind, why) in results[module]["tests"].items():  # type: ignore[attr-defined]
            (counts if internet else others)[kind] += 1
            if kind != "passed":
                failures.setdefault(cause(test, why), []).append(
                    f"`{test.removeprefix('test.')}`{'' if internet else ' (no internet socket)'}: {shown(why) or kind}"
                )
        total += counts
        if counts:
            rows.append(f"| {module} | {counts['passed']} | {counts['failed']} | {counts['skipped']} |")
    grouped: list[str] = []
    for reason, tests in sorted(failures.items(), key=lambda pair: -len(pair[1])):
        lines = ["- all tests of UDP-Lite"] if reason == UDP_LITE else [f"- {test}" for test in sorted(tests)]
        grouped += [f"\n### {reason[0].upper()}{reason[1:]}: {len(tests)}\n", *lines]
    everything = sum(total.values())
    return "\n".join(
        [
            "# CPython's own tests",
            "",
            "Written by `tests/cpython/run.py`. CPython "
            f"{sys.version.split()[0]}'s tests, as `netglass run -m test` runs them: on one simulated host.",
            "",
            f"**{total['passed']} of {everything}** tests that open internet sockets pass; {total['failed']} fail, "
            f"{total['skipped']} are skipped. Of {sum(others.values())} others there {others['passed']} pass.",
            "Counted are the tests that pass on this machine with plain Python; the VSOCK classes are left out.",
            "By hand: `netglass run --limit 600 -m test test_socket -m '*TCP*'` (`-v` would start a process, `uname`).",
            "",
            "| module | passed | failed | skipped |",
            "|---|---|---|---|",
            *rows,
            f"| **all** | **{total['passed']}** | **{total['failed']}** | **{total['skipped']}** |",
            "",
            "## What does not pass, and why",
            *grouped,
            "",
        ]
    )


def main(modules: list[str]) -> None:
    results: dict[str, dict[str, object]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:
        studies = {pool.submit(study, module, Path(directory)): module for module in modules if module != "--table"}
        for done in as_completed(studies):
            results[studies[done]] = done.result()
            KEPT.write_text(json.dumps(results, indent=0, sort_keys=True))
            print(studies[done], flush=True)
    TABLE.write_text(table(results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODULES))
