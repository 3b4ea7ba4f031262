"""How fast ordinary programs run in the lab.

    python benchmarks/programs.py [--seconds 3] [--compiled PYTHON] [--profile http|echo|runs]

- keep-alive HTTP exchanges between an unmodified aiohttp client and server, for each second of CPU; the same pair over
  the real kernel's loopback, in two processes, beside it;
- round trips of one byte between two blocking programs over a cable of 0.1 ms, for each second of CPU;
- small tests with aiohttp (a network, a server, a client, one request) for each second of CPU, once it is imported.

Without aiohttp (`pip install 'netglass[compat]'`) only the second. `--compiled` names the Python of an environment with
the compiled package, which is measured as well: its figures stand beside. `--profile` shows where one of them spends
its time, over all threads. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from netglass import Network, run, spawn
from netglass.build import compiled

try:
    import aiohttp
    from aiohttp import web
except ImportError:
    aiohttp = None  # type: ignore[assignment]

HTTP: Final = "http_exchanges_per_cpu_s"
KERNEL: Final = "http_exchanges_on_the_kernel_per_cpu_s"
NAMES: Final = (HTTP, KERNEL, "round_trips_per_cpu_s", "small_tests_per_cpu_s")
TARGETS: Final = {
    HTTP: (2_500, None),
    "round_trips_per_cpu_s": (15_000, 35_000),
    "small_tests_per_cpu_s": (100, None),
}
"""(pure Python, compiled); None: the same."""

# -- what runs in the lab


def lab(delay: str) -> tuple[Any, Any]:
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay=delay)
    return client, server


async def hello(request: Any) -> Any:
    return web.Response(text="hello")


async def cpu(request: Any) -> Any:
    return web.Response(text=str(time.process_time()))


def serve(sock: socket.socket | None = None, port: int | None = 80) -> None:
    application = web.Application()
    application.router.add_get("/", hello)
    application.router.add_get("/cpu", cpu)
    web.run_app(application, sock=sock, port=None if sock else port, print=None, handle_signals=False, access_log=None)


async def fetch(url: str, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            async with session.get(url) as answer:
                assert await answer.text() == "hello"


def exchanges(count: int) -> None:
    client, server = lab("0.1 ms")
    spawn(server, serve, daemon=True)

    async def ask() -> None:
        await asyncio.sleep(0.1)
        await fetch("http://server/", count)

    run(client, lambda: asyncio.run(ask()))


def round_trips(count: int) -> None:
    client, server = lab("0.1 ms")

    def echo() -> None:
        with socket.create_server(("", 7)) as listener:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := connection.recv(1):
                    connection.sendall(data)

    def ask() -> None:
        with socket.create_connection(("server", 7)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(count):
                connection.sendall(b"x")
                connection.recv(1)

    spawn(server, echo)
    run(client, ask)


def small_tests(count: int) -> None:
    for _ in range(count):
        exchanges(1)


# -- measuring


def rate(call: Callable[[int], None], seconds: float, clock: Callable[[], float]) -> float:
    """Calls in a second: the best of five rounds that take about so many seconds together. What else the machine does
    only ever makes a round slower."""
    call(2)
    begun = clock()
    call(count := 50)
    count = max(1, int(count * seconds / 5 / (clock() - begun)))
    best = 0.0
    for _ in range(5):
        begun = clock()
        call(count)
        best = max(best, count / (clock() - begun))
    return best


def on_the_kernel(seconds: float) -> float:
    """HTTP exchanges for each second of CPU, of both processes."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        command = [sys.executable, __file__, "--serve", str(sock.fileno())]
        server = subprocess.Popen(command, pass_fds=[sock.fileno()])

    def both() -> float:
        with urllib.request.urlopen(url + "cpu") as answer:
            return float(answer.read()) + time.process_time()

    try:
        return rate(lambda count: asyncio.run(fetch(url, count)), seconds, both)
    finally:
        server.kill()
        server.wait()


def profile(name: str) -> None:
    """A profile of each program's own thread, added up; `acquire` of a lock is waiting for the other's turn."""
    call, count = {"http": (exchanges, 2000), "echo": (round_trips, 10_000), "runs": (small_tests, 100)}[name]
    call(2)
    profiles: list[cProfile.Profile] = []

    def profiled(function: Callable[..., Any], *arguments: Any) -> Any:
        profiles.append(cProfile.Profile())
        return profiles[-1].runcall(function, *arguments)

    global spawn
    real = spawn
    spawn = lambda host, main, **options: real(host, profiled, main, **options)  # noqa: E731
    profiled(call, count)
    spawn = real
    pstats.Stats(*profiles).sort_stats("tottime").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    parser.add_argument("--compiled", metavar="PYTHON", help="measure this environment's compiled package as well")
    parser.add_argument("--profile", choices=["http", "echo", "runs"])
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # the server's process, on this socket
    options = parser.parse_args()
    if options.serve is not None:
        serve(socket.socket(fileno=options.serve))
    elif options.profile:
        profile(options.profile)
    else:
        builds = [measured(options.seconds)]
        if options.compiled:
            builds.append(measured_by(options.compiled, options.seconds))
        show(builds)


def measured(seconds: float) -> dict[str, Any]:
    figures: dict[str, Any] = {"benchmark": "programs", "build": "compiled" if compiled() else "pure Python"}
    figures["python"] = sys.version.split()[0]
    if aiohttp is not None:
        figures[HTTP] = round(rate(exchanges, seconds, time.process_time))
        figures[KERNEL] = round(on_the_kernel(seconds))
    figures["round_trips_per_cpu_s"] = round(rate(round_trips, seconds, time.process_time))
    if aiohttp is not None:
        figures["small_tests_per_cpu_s"] = round(rate(small_tests, seconds, time.process_time))
    return figures


def measured_by(python: str, seconds: float) -> dict[str, Any]:
    """The same, in the environment of another Python."""
    command = [python, __file__, "--seconds", str(seconds)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    figures: dict[str, Any] = json.loads(told.splitlines()[-1])
    if figures["build"] != "compiled":
        sys.exit(f"{python} has no compiled netglass: NETGLASS_COMPILE=1 {python} -m pip install .")
    return figures


def show(builds: list[dict[str, Any]]) -> None:
    """A column for each build, and how many times as fast the second is."""
    print("netglass for ordinary programs:", ", ".join(f"{each['build']} (Python {each['python']})" for each in builds))
    for name in NAMES:
        figures: list[int] = [each.get(name, 0) for each in builds]
        if all(figures):
            ratio = f"   x {figures[1] / figures[0]:.1f}" if len(figures) == 2 else ""
            print(f"  {name.replace('_', ' '):<40}{''.join([cell(name, each) for each in builds])}{ratio}")
    for each in builds:
        if KERNEL in each:
            ratio = f"{each[KERNEL] / each[HTTP]:.1f}"
            print(f"  {each['build']}: the pair over the kernel makes {ratio} times as many exchanges")
        else:
            print(f"  {each['build']}: aiohttp is not installed: pip install 'netglass[compat]'")
    first, *others = builds
    print(json.dumps({**first, "compiled": others[0]} if others else first))


def cell(name: str, figures: dict[str, Any]) -> str:
    pure, fast = TARGETS.get(name, (None, None))
    target = fast if fast and figures["build"] == "compiled" else pure
    return f"{figures[name]:>9,} {f'(target {target:,})' if target else '':<16}"


if __name__ == "__main__":
    main()
