"""The pytest plugin: a network for a test, pictures when it fails, and a sweep that loses each segment in turn.

    def test_hello(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="20 ms")
        ...

See `pytest --help`, under netglass. Everything heavy is imported when a test asks for it: the plugin is loaded by every
pytest of the environment that netglass is installed in.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

from netglass.errors import MisuseError
from netglass.pytest_plugin.marks import CABLE_OPTIONS, first_seed, mark_options
from netglass.pytest_plugin.run import FAULT, RUN, SWEEP, UNPLUGGED, Run

if TYPE_CHECKING:
    from netglass.pytest_plugin.network import ObservedNetwork
    from netglass.pytest_plugin.sweep import Kind

KINDS: Final = pytest.StashKey[list["Kind"]]()
MARK: Final = (
    "netglass(seed=1, serialise=False, delay=..., loss=..., rate=..., ...): the seed of the fixture `net`, and what "
    "its cables are like if the test does not say"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netglass", "netglass: tests on a simulated network (fixture `net`)")
    group.addoption(
        "--netglass-sweep",
        action="store_true",
        help="run each test without trouble, then again losing each segment in turn; name those it does not survive",
    )
    group.addoption(
        "--netglass-sweep-by",
        metavar="HOW",
        help="sweep, and do this to each segment: drop, duplicate, delay, reset; several: drop,delay=500ms",
    )
    group.addoption(
        "--netglass-fault",
        action="append",
        default=[],
        metavar="FAULT",
        help='put it on every cable: "drop(third_ack)"; on one: "client-server: loss(0.1)"',
    )
    group.addoption("--netglass-seed", type=int, metavar="N", help="the seed of every network, instead of the mark's")
    group.addoption(
        "--netglass-runs", type=int, default=1, metavar="N", help="run each test N times, each with the next seed"
    )
    group.addoption(
        "--netglass-artefacts",
        default=".netglass",
        metavar="DIR",
        help="where a failed test leaves capture and ladder, from the root directory (default: .netglass)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    option = config.option
    if option.netglass_runs < 1:
        raise pytest.UsageError(f"--netglass-runs counts from 1; this is {option.netglass_runs}")
    try:
        if option.netglass_sweep or option.netglass_sweep_by is not None:
            from netglass.pytest_plugin.sweep import kinds_of

            config.stash[KINDS] = kinds_of("drop" if option.netglass_sweep_by is None else option.netglass_sweep_by)
        if option.netglass_fault:
            from netglass.pytest_plugin.network import planned_fault

            for text in option.netglass_fault:
                planned_fault(text)
    except MisuseError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    runs = metafunc.config.getoption("netglass_runs")
    if runs > 1 and "netglass_seed" in metafunc.fixturenames:
        first = first_seed(metafunc.definition)
        metafunc.parametrize("netglass_seed", range(first, first + runs), ids=_seed_name, indirect=True)


def _seed_name(seed: int) -> str:
    return f"seed{seed}"


# -- fixtures


@pytest.fixture
def netglass_seed(request: pytest.FixtureRequest) -> int:
    """The seed of the fixture `net`: --netglass-seed, else the mark's, else 1; --netglass-runs counts up from there."""
    return int(getattr(request, "param", first_seed(request.node)))


@pytest.fixture
def net(request: pytest.FixtureRequest, netglass_seed: int) -> ObservedNetwork:
    """An empty `netglass.Network` in virtual time, the same in every run; `net.trace` records it. If the test fails,
    the report shows the end of its ladder."""
    from netglass.pytest_plugin.network import ObservedNetwork

    item = request.node
    if RUN not in item.stash:
        from netglass.pytest_plugin.report import clear

        clear(item)
        item.stash[RUN] = Run(faults=tuple(request.config.getoption("netglass_fault")))
    run = item.stash[RUN]
    options = mark_options(item)
    cables = {name: value for name, value in options.items() if name in CABLE_OPTIONS}
    made = ObservedNetwork(netglass_seed, options.get("serialise", False), cables, run.faults, run.census)
    run.net = made
    return made


# -- running and reporting


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if KINDS not in item.config.stash or "netglass_seed" not in getattr(item, "fixturenames", ()):
        return None
    from netglass.pytest_plugin.sweep import protocol

    protocol(item, nextitem, item.config.stash[KINDS])
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    run = item.stash.get(RUN, None)
    if run is not None and call.excinfo is not None:
        from netglass.pytest_plugin.report import hide_insides

        hide_insides()
    report = yield
    if run is None:
        return report
    if report.failed and run.net is not None:
        from netglass.pytest_plugin.report import failure_text

        report.sections.append(("netglass", failure_text(item, run, run.net)))
    if report.when == "call" and run.net is not None and not run.label:
        unplugged = run.net.unplugged()
        for text, count in run.net.hits().items():
            found = (FAULT, f"{text} {times(count)}")
            report.user_properties.append((UNPLUGGED, f"{text}: {unplugged[text]}") if text in unplugged else found)
    if report.when == "teardown":
        # A session keeps its items, so whatever an item keeps is kept to the end.
        del item.stash[RUN]
    return report


def times(count: int) -> str:
    return "never met its packet" if not count else f"fired {count} times" if count > 1 else "fired once"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = [
        f"{report.nodeid}: {value}"
        for report, name, value in properties(terminalreporter)
        if name in (FAULT, SWEEP, UNPLUGGED)
    ]
    if found:
        terminalreporter.section("netglass")
        for line in found:
            terminalreporter.write_line(line)


def properties(reporter: pytest.TerminalReporter) -> list[tuple[Any, str, object]]:
    return [
        (report, name, value)
        for reports in reporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A fault for a cable that no test had was put nowhere: nobody shall take that for a test that survived it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    texts = session.config.getoption("netglass_fault")
    if not texts or reporter is None or exitstatus != pytest.ExitCode.OK:
        return
    told = properties(reporter)
    for text in texts:
        missed = any(name == UNPLUGGED and str(value).startswith(f"{text}: ") for _, name, value in told)
        placed = any(name == FAULT and str(value).startswith(f"{text} ") for _, name, value in told)
        if missed and not placed:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
