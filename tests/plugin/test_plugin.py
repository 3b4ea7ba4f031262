"""The pytest plugin, tried on small test files of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from textwrap import dedent

import pytest

from netglass.trace.reader import read_capture
from tests.plugin.inner import HELLO, IMPATIENT, LOOPS, PATIENT, WRONG, run

pytest_plugins = "pytester"

# -- the fixture


def test_a_network_in_virtual_time_that_records(pytester):
    source = """
    def test_states(net):
        assert answer_of(net, delay="20 ms") == b"you said hello"
        assert net.trace.states("client")[:3] == ["CLOSED", "SYN-SENT", "ESTABLISHED"]
        assert net.now() > 60_000_000_000
    """
    run(pytester, HELLO + dedent(source)).assert_outcomes(passed=1)


def test_a_mark_says_what_cables_are_like_and_the_test_has_the_last_word(pytester):
    source = """
    def arrivals(net):
        return [each.arrives - each.sent for each in net.trace.transmissions()]

    @pytest.mark.netglass(seed=7, delay="30 ms")
    def test_mark(net):
        answer_of(net)
        assert net.seed == 7
        assert set(arrivals(net)) == {30_000_000}

    @pytest.mark.netglass(delay="30 ms")
    def test_own_delay(net):
        answer_of(net, delay="5 ms")
        assert set(arrivals(net)) == {5_000_000}

    @pytest.mark.netglass(delay="30 ms")
    def test_own_delay_by_position(net):
        net.cable(net.host("a"), net.host("b"), "5 ms")
        assert net.cables[0].lanes[0].delay == 5_000_000

    @pytest.mark.netglass(loss="100%")
    def test_loss(net):
        with pytest.raises(TimeoutError):
            answer_of(net)
        assert net.trace.losses("loss 100%")
    """
    run(pytester, HELLO + dedent(source)).assert_outcomes(passed=4)


def test_a_mark_with_an_unknown_name_says_which_there_are(pytester):
    result = run(pytester, "import pytest\n@pytest.mark.netglass(los='5%')\ndef test_it(net): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*netglass takes seed, serialise, delay, *loss*; not los"])


def test_the_command_line_s_seed_beats_the_mark_s(pytester):
    source = "import pytest\n@pytest.mark.netglass(seed=7)\ndef test_it(net): assert net.seed == 3\n"
    run(pytester, source, "--netglass-seed=3").assert_outcomes(passed=1)
    run(pytester, source).assert_outcomes(failed=1)


def test_a_suite_s_own_fixture_of_the_same_name_wins(pytester):
    source = "import pytest\n@pytest.fixture\ndef net(): return 5\ndef test_it(net): assert net == 5\n"
    run(pytester, source, "--netglass-sweep", "--netglass-runs=3").assert_outcomes(passed=1)


def test_a_pytest_without_networks_pays_nothing_for_the_plugin():
    code = (
        "import sys, netglass.pytest_plugin; sys.exit(any('lab' in name for name in sys.modules if 'netglass' in name))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# -- failures


def test_a_failure_shows_the_ladder_and_how_to_do_it_again(pytester):
    result = run(pytester, WRONG)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- netglass -*",
            "*client*server*",
            "*SYN-SENT*SYN seq=0*",
            "*ESTABLISHED*",
            "again: pytest *test_wrong --netglass-seed=1",
            "more in .netglass/*test_wrong: again.txt, capture.pcapng, ladder.html, ladder.txt",
        ]
    )


def test_a_failure_says_who_still_waits(pytester):
    source = """
    def test_nobody_connects(net):
        net.host("server").spawn(serve)
        net.run()
        assert False
    """
    run(pytester, HELLO + dedent(source)).stdout.fnmatch_lines(["still waiting: serve on host server: accept*"])


def test_a_failure_before_anything_happened_is_no_trouble(pytester):
    result = run(pytester, "def test_it(net): assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["nothing happened on the network", "again:*"])


def test_a_report_that_fails_does_not_end_the_session(pytester):
    source = """
    def test_full_disk(net, monkeypatch):
        from netglass.trace.ladder import Ladder
        monkeypatch.setattr(Ladder, "html", None)
        answer_of(net)
        assert False

    def test_after(net):
        pass
    """
    result = run(pytester, HELLO + dedent(source))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["the report itself failed:", "*TypeError*"])


def test_of_a_long_ladder_only_the_end_is_shown(pytester):
    source = """
    def test_many(net):
        client, server = net.host("client"), net.host("server")
        net.cable(client, server, delay="20 ms")
        server.spawn(serve)
        for number in range(10):
            net.at(number * 1_000_000_000, lambda: client.spawn(ask))
        net.run("11 s")
        assert False
    """
    shown = run(pytester, HELLO + dedent(source)).stdout.str().partition("- netglass -")[2]
    ladder = shown.partition("still waiting:")[0].splitlines()[1:]
    hidden = [line for line in ladder if re.fullmatch(r"\.\.\. \d+ lines before this \.\.\.", line)]
    assert len(hidden) == 1
    assert ladder.index(hidden[0]) == 2
    assert len([line for line in ladder if line.strip()]) == 2 + 1 + 40


def test_the_artefacts_of_a_failure(pytester):
    run(pytester, WRONG)
    (directory,) = [each for each in (pytester.path / ".netglass").iterdir() if each.is_dir()]
    assert len(read_capture(directory / "capture.pcapng")) == 11, "as tcpdump on one host sees them"
    assert "<svg" in (directory / "ladder.html").read_text()
    assert "SYN-SENT" in (directory / "ladder.txt").read_text()
    assert (directory / "again.txt").read_text().startswith("seed 1\npytest ")
    assert (pytester.path / ".netglass" / ".gitignore").read_text() == "*\n"


def test_artefacts_go_where_they_are_wanted(pytester):
    result = run(pytester, WRONG, "--netglass-artefacts=out/of/it")
    result.stdout.fnmatch_lines(["more in out/of/it/*test_wrong: *"])
    assert list((pytester.path / "out/of/it").glob("*test_wrong/capture.pcapng"))


def test_a_test_that_passes_leaves_nothing_and_takes_away_what_it_left(pytester):
    run(pytester, PATIENT)
    assert not (pytester.path / ".netglass").exists()

    run(pytester, PATIENT.replace("you said hello", "nonsense"))
    (directory,) = (pytester.path / ".netglass").glob("*test_patient")
    (directory / "my notes.txt").write_text("not netglass's")
    run(pytester, PATIENT)
    assert [each.name for each in directory.iterdir()] == ["my notes.txt"]


# -- many seeds


def test_runs_are_tests_of_their_own_with_one_seed_each(pytester):
    source = "seeds = []\ndef test_it(net):\n    seeds.append(net.seed)\ndef test_all(): assert seeds == [1, 2, 3]\n"
    result = run(pytester, source, "--netglass-runs=3", "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::test_it?seed1? PASSED*", "*::test_it?seed2? PASSED*", "*::test_it?seed3? PASSED*"])


def test_runs_count_up_from_the_given_seed_and_a_failed_one_can_be_had_alone(pytester):
    source = (
        "import pytest\n@pytest.mark.parametrize('a', 'xy')\ndef test_it(net, a): assert net.seed != 11 or a == 'x'\n"
    )
    result = run(pytester, source, "--netglass-runs=3", "--netglass-seed=10")
    result.assert_outcomes(passed=5, failed=1)
    again = re.search(r"again: pytest '?([^' ]*)'? --netglass-seed=11", result.stdout.str())
    assert again is not None
    assert again[1].endswith("::test_it[y]")
    pytester.runpytest_inprocess(*LOOPS, again[1], "--netglass-seed=11").assert_outcomes(failed=1)
    pytester.runpytest_inprocess(*LOOPS, again[1], "--netglass-seed=12").assert_outcomes(passed=1)


def test_runs_count_from_one(pytester):
    result = run(pytester, PATIENT, "--netglass-runs=0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--netglass-runs counts from 1; this is 0"])


# -- faults from outside


def test_a_fault_from_the_command_line(pytester):
    run(pytester, IMPATIENT).assert_outcomes(passed=1)
    result = run(pytester, IMPATIENT, "--netglass-fault=faults.drop(match.data)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*drop data*", "again: *'--netglass-fault=faults.drop(match.data)'"])


def test_a_fault_for_one_cable_leaves_the_others_alone(pytester):
    option = "--netglass-fault={}: faults.drop(match.data)"
    run(pytester, IMPATIENT, option.format("client-server")).assert_outcomes(failed=1)
    run(pytester, IMPATIENT, option.format("client-router")).assert_outcomes(passed=1)


def test_a_fault_says_how_often_it_fired(pytester):
    def told(option: str) -> str:
        return run(pytester, PATIENT, f"--netglass-fault={option}").stdout.str()

    assert "::test_patient: faults.drop(match.data) fired once" in told("faults.drop(match.data)")
    assert "faults.drop(match.data, times=2) fired 2 times" in told("faults.drop(match.data, times=2)")
    assert "faults.drop(match.udp) never met its packet" in told("faults.drop(match.udp)")
    assert "drop(data) fired once" in told("drop(data)")


def test_a_fault_for_a_cable_that_no_test_has(pytester):
    result = run(pytester, PATIENT, "--netglass-fault=elsewhere: drop(data)")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "*::test_patient: elsewhere: drop(data): no cable is called 'elsewhere'; there are client-server"
    result.stdout.fnmatch_lines([told])


@pytest.mark.parametrize("text", ["faults.dropp(match.syn)", "match.syn", "faults.drop(", "1/0"])
def test_text_that_is_no_fault(pytester, text: str):
    result = run(pytester, PATIENT, f"--netglass-fault={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert text in result.stderr.str()


def test_a_misspelled_fault_is_told_what_there_is(pytester):
    result = run(pytester, PATIENT, "--netglass-fault=drp(third_ack)")
    result.stderr.fnmatch_lines(["*no fault is called 'drp'; there are blackhole, *; did you mean drop?"])
    result = run(pytester, PATIENT, "--netglass-fault=drop(match.third_akc)")
    result.stderr.fnmatch_lines(["*no matcher is called 'third_akc'; there are *; did you mean third_ack?"])


def test_a_seed_that_is_no_number_is_one_line(pytester):
    source = "import pytest\n@pytest.mark.netglass(seed='x')\ndef test_it(net): pass\n"
    result = run(pytester, source)
    result.assert_outcomes(errors=1)
    lines = [line for line in result.stdout.lines if line.startswith("E ")]
    assert len(lines) == 1
    assert lines[0].endswith("::test_it: the seed of @pytest.mark.netglass is a whole number, not 'x'")
