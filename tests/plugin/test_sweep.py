"""`--netglass-sweep`: each segment in turn is lost, and what the program does not survive is named."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from netglass.pytest_plugin import sweep
from tests.plugin.inner import HELLO, IMPATIENT, PATIENT, WRONG, run

pytest_plugins = "pytester"


def test_a_program_that_survives_everything(pytester):
    result = run(pytester, PATIENT, "--netglass-sweep")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*= netglass =*", "*::test_patient: sweep, all 11 faults survived"])
    assert not (pytester.path / ".netglass").exists()


def test_the_segments_that_a_program_does_not_survive_are_named(pytester):
    result = run(pytester, IMPATIENT, "--netglass-sweep")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "netglass sweep: 2 of 11 faults not survived: drop segment 4, drop segment 6",
            "--- drop segment 4: client -> server PSH,ACK seq=1 ack=1 len=5",
            "*TimeoutError: * ETIMEDOUT*",
            "*faults=?faults.drop(match.segment(4))?",
            "*client *server*",
            "*drop segment 4*",
            "--- drop segment 6: server -> client PSH,ACK seq=1 ack=6 len=14",
            "*lost: drop segment 6*",
            "*::test_impatient: sweep, 2 of 11 faults not survived:",
            "    faults.drop(match.segment(4))  client -> server PSH,ACK seq=1 *: TimeoutError: *(test_*.py:*)",
            "    faults.drop(match.segment(6))  server -> client PSH,ACK seq=1 *: TimeoutError: *(test_*.py:*)",
        ]
    )


def test_a_test_that_passes_only_once_is_told_so(pytester):
    source = f"{HELLO}\nruns = []\n\ndef test_once(net):\n    runs.append(answer_of(net))\n    assert len(runs) == 1\n"
    result = run(pytester, source, "--netglass-sweep")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["netglass sweep: nothing tried, for a second run fails without any fault: *assert 2 == 1*"]
    )


def test_the_line_that_is_shown_does_it_again_when_pasted(pytester):
    output = run(pytester, IMPATIENT, "--netglass-sweep").stdout.str()
    pasted = sorted(set(re.findall(r"faults=\[faults\..*\]", output)))  # where CI is set, pytest says all of it twice
    assert len(pasted) == 2
    for each in pasted:
        source = IMPATIENT.replace('delay="20 ms"', f'delay="20 ms", {each}')
        result = run(pytester, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*ETIMEDOUT*"])


def test_the_option_that_is_shown_does_it_again(pytester):
    output = run(pytester, IMPATIENT, "--netglass-sweep").stdout.str()
    options = sorted(set(re.findall(r"or:  --netglass-fault='(.*)'", output)))
    assert len(options) == 2
    for each in options:
        run(pytester, IMPATIENT, f"--netglass-fault={each}").assert_outcomes(failed=1)


def test_each_casualty_leaves_artefacts_of_its_own(pytester):
    run(pytester, IMPATIENT, "--netglass-sweep")
    (directory,) = (pytester.path / ".netglass").glob("*test_impatient")
    assert sorted([each.name for each in directory.iterdir()]) == ["drop-segment-4", "drop-segment-6"]
    assert (directory / "drop-segment-4" / "capture.pcapng").exists()
    assert "drop(match.segment(4))" in (directory / "drop-segment-4" / "again.txt").read_text()

    run(pytester, PATIENT.replace("test_patient", "test_impatient"), "--netglass-sweep")
    assert not directory.exists()


@pytest.mark.parametrize(
    ("by", "fault"),
    [
        ("duplicate", None),
        ("delay=180ms", 'faults.delay(match.segment(4), by="180ms")'),
        ("reset", "faults.reset(match.segment(1))"),
        ("duplicate,drop", "faults.drop(match.segment(4))"),
    ],
)
def test_other_things_to_do_to_a_segment(pytester, by: str, fault: str | None):
    source = IMPATIENT.replace("test_impatient", f"test_{by.partition('=')[0].replace(',', '_')}")
    result = run(pytester, source, f"--netglass-sweep-by={by}")
    if fault is None:
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["*all 11 faults survived"])
        return
    result.assert_outcomes(failed=1)
    assert f"faults=[{fault}]" in result.stdout.str()


@pytest.mark.parametrize("by", ["dropp", "drop=3", "delay=soon", "drop,", ""])
def test_what_cannot_be_done_to_a_segment(pytester, by: str):
    result = run(pytester, PATIENT, f"--netglass-sweep-by={by}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_second_connection_has_segments_of_its_own(pytester):
    source = """
    def test_twice(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="20 ms")
        server.spawn(serve)
        first = client.spawn(ask)
        net.run()
        second = client.spawn(ask, "200 ms")
        net.run()
        assert first.result == second.result == b"you said hello"
    """
    source = HELLO + dedent(source)
    output = run(pytester, source, "--netglass-sweep").stdout.str()
    assert "2 of 22 faults not survived: drop segment 4 nth 2, drop segment 6 nth 2" in output
    fault = re.findall(r"(faults=\[faults\..*\])", output)[0]
    assert fault == "faults=[faults.drop(match.segment(4), nth=2)]"
    source = source.replace('net.cable(client, server, delay="20 ms")', f'net.cable(client, server, "20 ms", {fault})')
    run(pytester, source).assert_outcomes(failed=1)


def test_a_packet_that_a_router_passes_on_is_lost_once(pytester):
    source = """
    def test_routed(net):
        client, router, server = net.host("client"), net.router("router"), net.host("server")
        net.cable(client, router, delay="20 ms")
        net.cable(router, server, delay="20 ms")
        server.spawn(serve)
        asking = client.spawn(ask, "200 ms")
        net.run()
        assert asking.result == b"you said hello"
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep")
    result.stdout.fnmatch_lines(
        [
            "netglass sweep: 2 of 11 * not survived: drop segment 4 on client-router, drop segment 6 on router-server",
            "*again, on the cable client-router:  faults=?faults.drop(match.segment(4))?",
            "*again, on the cable router-server:  faults=?faults.drop(match.segment(6))?",
        ]
    )


def test_datagrams_are_lost_too(pytester):
    source = """
    def test_datagram(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="20 ms")

        def echo(io):
            port = io.udp(53)
            text, whence = yield from port.receive_from()
            yield from port.send_to(text, *whence)

        def query(io):
            port = io.udp()
            yield from port.send_to(b"?", "server", 53)
            text, _ = yield from port.receive_from(timeout="1 s")
            return text

        server.spawn(echo)
        asking = client.spawn(query)
        net.run()
        assert asking.result == b"?"
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep")
    result.stdout.fnmatch_lines(
        [
            "netglass sweep: 2 of 2 faults not survived: drop udp, drop udp nth 2",
            "*faults=?faults.drop(match.udp)?",
            "*faults=?faults.drop(match.udp, nth=2)?",
        ]
    )


def test_frames_are_lost_too(pytester):
    source = """
    def test_neighbours(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="20 ms", ethernet=True)
        server.spawn(serve)
        asking = client.spawn(ask)
        net.run("900 ms")
        assert asking.done
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep-by=drop")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "--- drop arp: client -> server ARP who has 10.0.0.2? *",
            "--- drop arp nth 2: server -> client ARP 10.0.0.2 is at *",
        ]
    )
    result.stdout.no_fnmatch_line("All traceback entries are hidden*")


def test_a_test_that_is_not_the_same_each_time_is_told_so(pytester):
    source = """
    runs = []

    def test_fickle(net):
        runs.append(1)
        if len(runs) == 1:
            answer_of(net, delay="20 ms")
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["netglass sweep: 11 of 11 faults never met their packet*", "*not the same each time*"])


def test_what_the_runs_of_a_sweep_print_is_not_heaped_up(pytester):
    source = IMPATIENT.replace("assert answer_of", 'print("here I am")\n    assert answer_of')
    assert "here I am" not in run(pytester, source, "--netglass-sweep").stdout.str()
    source = source.replace('"200 ms"', "None")
    assert run(pytester, source, "--netglass-sweep", "-rP").stdout.str().count("\nhere I am") == 1


def test_a_test_that_fails_by_itself_is_not_swept(pytester):
    result = run(pytester, WRONG, "--netglass-sweep")
    result.assert_outcomes(failed=1)
    assert "nonsense" in result.stdout.str()
    assert "netglass sweep" not in result.stdout.str()


def test_skipped_and_expected_failures_stay_what_they_are(pytester):
    source = """
    def test_skipped(net):
        pytest.skip("not today")

    @pytest.mark.xfail
    def test_expected(net):
        assert False

    @pytest.mark.xfail(strict=False)
    def test_better_than_expected(net):
        pass

    def test_without_a_network():
        pass
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep")
    result.assert_outcomes(skipped=1, xfailed=1, xpassed=1, passed=1)


def test_what_tests_share_is_set_up_once_and_the_rest_each_time(pytester):
    source = """
    log = []

    @pytest.fixture(scope="module")
    def shared():
        log.append("shared up")
        yield
        log.append("shared down")
        print(log)

    @pytest.fixture
    def own():
        log.append("own up")
        yield
        log.append("own down")

    def test_it(shared, own, net):
        answer_of(net)

    def test_after(shared):
        assert log == ["shared up", *["own up", "own down"] * 13]
    """
    run(pytester, HELLO + dedent(source), "--netglass-sweep").assert_outcomes(passed=2)


def test_a_failed_end_of_what_tests_share_is_an_error(pytester):
    source = """
    @pytest.fixture(scope="module")
    def shared():
        yield
        assert False, "cannot be put away"

    def test_it(shared, net):
        answer_of(net)
    """
    result = run(pytester, HELLO + dedent(source), "--netglass-sweep")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*cannot be put away*"])


def test_sweeps_of_several_seeds(pytester):
    result = run(pytester, PATIENT, "--netglass-sweep", "--netglass-runs=2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*?seed1?: sweep, all 11 faults survived", "*?seed2?: sweep, all 11 faults survived"])


def test_a_long_sweep_says_how_far_it_is(pytester, monkeypatch):
    minutes = iter(range(0, 10_000, 60))
    monkeypatch.setattr(sweep, "monotonic", lambda: float(next(minutes)))
    result = run(pytester, IMPATIENT, "--netglass-sweep")
    result.stdout.fnmatch_lines(["netglass sweep test_impatient: 5 of 11 faults, 1 not survived, * s to go"])
